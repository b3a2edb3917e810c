//! The typed dataflow API: a job, its streams, and what can be done with them.
//!
//! All generic code of a job is closed over here; what comes out is a [`Plan`], which knows no
//! record types any more.
//!
//! [`Plan`]: steadfast_runtime::plan::Plan

mod boxed;
mod keyed;
mod shared;
mod source;
mod stage;
mod stream;
mod unkeyed;
mod windowed;

pub use boxed::{BoxedKeyedStream, BoxedStream};
pub use keyed::KeyedStream;
pub use shared::Shared;
#[cfg(feature = "cli")]
pub(crate) use source::DEAD_LETTERS;
pub use stream::{Passed, Stream};
pub use windowed::WindowedStream;

use steadfast_core::source::{Replay, Source};
use steadfast_runtime::plan::{OperatorName, Plan, SharedPlan};
use steadfast_runtime::task::SourceHead;

/// A job under construction.
///
/// ```
/// use steadfast::prelude::*;
///
/// let job = Job::new("word-count");
/// let counts = Collect::new();
/// let counted = counts.collected();
/// job.source("lines", Values::new(["to be or", "not to be"]))
///     .flat_map(|line| line.split(' ').map(str::to_string).collect::<Vec<_>>())
///     .key_by_ref(|word| word)
///     .named("count")
///     .fold(Emit::Final, || 0_u64, |count, _word| *count += 1)
///     .sink("counts", counts);
/// let report = job.run(&RunOptions::in_memory())?;
/// assert!(report.is_finished());
/// assert!(counted.items().contains(&("be".to_string(), 2)));
/// # Ok::<(), steadfast::Error>(())
/// ```
pub struct Job {
    name: String,
    plan: SharedPlan,
}

impl Job {
    /// An empty job. Its name is its identity in checkpoint stores and in the targets of sinks.
    pub fn new(name: impl Into<String>) -> Self {
        Job { name: name.into(), plan: SharedPlan::default() }
    }

    /// The job's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads a source. The name is the identity of its positions: do not change it between runs.
    ///
    /// One that cannot be read again ([`Source::replay`]) limits what the job can promise: a crash loses of it what is in no
    /// committed checkpoint. That is told at the start, and in the [`Report`](crate::Report).
    #[track_caller]
    pub fn source<S: Source>(&self, name: impl Into<String>, source: S) -> Stream<SourceHead<S>> {
        let (name, detail) = (name.into(), source.describe());
        let detail = match source.replay() {
            Replay::FromPosition => detail,
            Replay::Impossible => format!("{detail}, which cannot be read again"),
        };
        let chosen = OperatorName::chosen(name.clone());
        self.plan.add_operator(chosen, "source", detail, Vec::new());
        let head = SourceHead::new(name.clone(), source);
        Stream::begin(self.plan.clone(), head, name, true, false)
    }

    /// Shows the plan as it is so far.
    pub fn with_plan<R>(&self, look: impl FnOnce(&Plan) -> R) -> R {
        self.plan.edit(|plan| look(plan))
    }
}

/// Refuses an operator that works with event time where there is none.
fn require_event_time(plan: &SharedPlan, operator: &str, is_timed: bool) {
    if !is_timed {
        let problem = format!(
            "operator '{operator}' works with event time, which its records do not have: say so at \
             their source with event_time(disorder, |record| …)"
        );
        plan.edit(|plan| plan.refuse(problem));
    }
}
