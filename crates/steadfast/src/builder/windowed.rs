//! Streams that are divided by key and into windows of time.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::data::Data;
use steadfast_core::key_of::KeyOf;
use steadfast_core::{Result, UserError};
use steadfast_runtime::operator_chain::OperatorChain;
use steadfast_runtime::operators::{
    Aggregate, Count, Emit, Emitting, Fold, TryFold, WindowResult, Windowed, Windows,
};
use steadfast_state::State;

use super::keyed::KeyedStream;
use super::stream::{Passed, Stream};

/// A stream whose records are divided by key and into windows of time.
///
/// A window is emitted when it is complete: when the watermark has passed its end, or at the end of the
/// input. If more input comes after that end, it goes on; what has changed is emitted again.
#[must_use = "a stream does nothing before it ends in a sink"]
pub struct WindowedStream<T, S> {
    keyed: KeyedStream<T, S>,
    windows: Windows,
    emitting: Emitting,
    late: Option<TakesLate<T>>,
}

type TakesLate<T> = Box<dyn FnOnce(Stream<Passed<T>>)>;

impl<T: Data, S: KeyOf<T>> WindowedStream<T, S> {
    pub(super) fn new(keyed: KeyedStream<T, S>, windows: Windows) -> Self {
        let emitting = Emitting { emit: Emit::Final, allowed_lateness: Duration::ZERO };
        WindowedStream { keyed, windows, emitting, late: None }
    }

    /// Says when results are emitted: when a window is complete ([`Emit::Final`], which is the default),
    /// or with every checkpoint those that have changed ([`Emit::Changes`], for sinks of rows by key).
    pub fn emit(mut self, emit: Emit) -> Self {
        self.emitting.emit = emit;
        self
    }

    /// Says for how long after its end a window still takes late records. It is emitted again with them at
    /// the next checkpoint: a sink of rows by key then holds the new result, one that appends holds both.
    pub fn allowed_lateness(mut self, duration: Duration) -> Self {
        self.emitting.allowed_lateness = duration;
        self
    }

    /// Hands records that are too late for all of their windows to `late`, which ends them in a sink or in
    /// whatever follows. Without this they are counted and dropped.
    pub fn late(mut self, late: impl FnOnce(Stream<Passed<T>>) + 'static) -> Self {
        self.late = Some(Box::new(late));
        self
    }

    /// Keeps a value for each key and window, which begins as `init()` and to which `add` adds each record.
    #[track_caller]
    pub fn fold<A, I, G>(
        self,
        init: I,
        add: G,
    ) -> Stream<impl OperatorChain<Out = WindowResult<S::Key, A>>>
    where
        A: State,
        I: Fn() -> A + Send + Sync + 'static,
        G: Fn(&mut A, &T) + Send + Sync + 'static,
    {
        self.aggregate(Fold { init, add })
    }

    /// As [`WindowedStream::fold`], with a function that may fail: the job ends with its error.
    #[track_caller]
    pub fn try_fold<A, I, G>(
        self,
        init: I,
        add: G,
    ) -> Stream<impl OperatorChain<Out = WindowResult<S::Key, A>>>
    where
        A: State,
        I: Fn() -> A + Send + Sync + 'static,
        G: Fn(&mut A, &T) -> Result<(), UserError> + Send + Sync + 'static,
    {
        self.aggregate(TryFold { init, add })
    }

    /// Counts the records.
    #[track_caller]
    pub fn count(self) -> Stream<impl OperatorChain<Out = WindowResult<S::Key, u64>>> {
        self.aggregate(Count)
    }

    /// As [`WindowedStream::fold`], with an [`Aggregate`], of which there may be several in a tuple.
    #[track_caller]
    pub fn aggregate<G: Aggregate<T>>(
        self,
        aggregate: G,
    ) -> Stream<impl OperatorChain<Out = WindowResult<S::Key, G::Out>>> {
        let WindowedStream { keyed, windows, emitting, late } = self;
        let (aggregate, needs_time) = (Arc::new(aggregate), !windows.is_by_clock());
        let (problem, place) = (windows.problem(), Location::caller());
        let results = keyed.add("window", needs_time, move |name, key, place| {
            let (aggregate, windows) = (Arc::clone(&aggregate), windows.clone());
            Windowed::new(name, place, key, aggregate, windows, emitting)
        });
        if let Some(problem) = problem {
            let (name, file, line) = (&results.last.0, place.file(), place.line());
            let problem = format!("operator '{name}' (window, {file}:{line}): {problem}");
            results.plan.edit(|plan| plan.refuse(problem));
        }
        let mut results = match late {
            Some(late) => results.side(late),
            None => results.without_side(),
        };
        results.is_timed = needs_time;
        results
    }
}
