//! Closing a stage: from a typed pipe to something that makes tasks.

use std::sync::{Arc, Mutex, PoisonError};

use steadfast_core::Result;
use steadfast_core::sink::Sink;
use steadfast_runtime::context::TaskContext;
use steadfast_runtime::exchange::outbox::Outbox;
use steadfast_runtime::exchange::port::{CopyBatch, Distribution, ExchangePort, Port, SinkPort};
use steadfast_runtime::pipe::Pipe;
use steadfast_runtime::plan::SharedPlan;

type MakePort<T> = Box<dyn Fn(&TaskContext) -> Result<Box<dyn Port<T>>> + Send + Sync>;

/// The ways out of a stage. More may be added until the job is run.
pub(super) struct Outlets<T>(Arc<Mutex<Vec<MakePort<T>>>>);

impl<T> Clone for Outlets<T> {
    fn clone(&self) -> Self {
        Outlets(Arc::clone(&self.0))
    }
}

impl<T: Send + 'static> Outlets<T> {
    /// No way out yet.
    pub(super) fn none() -> Self {
        Outlets(Arc::default())
    }

    fn add(&self, make: MakePort<T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(make);
    }

    /// Adds an edge to another stage and returns its number.
    pub(super) fn add_edge(
        &self,
        plan: &SharedPlan,
        all_to_all: bool,
        distribution: impl Fn(&TaskContext) -> Distribution<T> + Send + Sync + 'static,
    ) -> usize {
        let edge = plan.edit(|plan| plan.add_edge::<T>(all_to_all));
        self.add(Box::new(move |context| {
            let senders = context.senders::<T>(edge)?;
            Ok(Box::new(ExchangePort::new(distribution(context), senders)))
        }));
        edge
    }

    /// Adds a sink and its target.
    pub(super) fn add_sink<S: Sink<Item = T>>(&self, plan: &SharedPlan, name: &str, sink: S) {
        let sink = Arc::new(sink);
        add_target(plan, name, &sink);
        let name = name.to_string();
        self.add(Box::new(move |_| Ok(Box::new(SinkPort::new(name.clone(), sink.writer()?)))));
    }

    fn make(&self, context: &TaskContext) -> Result<Vec<Box<dyn Port<T>>>> {
        let outlets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outlets.iter().map(|make| make(context)).collect()
    }
}

/// Adds the target of a sink to the plan.
pub(super) fn add_target<S: Sink>(plan: &SharedPlan, name: &str, sink: &Arc<S>) {
    let sink = Arc::clone(sink);
    plan.edit(|plan| plan.add_target(name, Box::new(move |identity| sink.target(identity))));
}

/// Adds a stage that ends with `pipe` and leaves through `outlets`.
pub(super) fn close<P: Pipe>(
    plan: &SharedPlan,
    name: &str,
    is_source: bool,
    pipe: P,
    outlets: Outlets<P::Out>,
    copy: Option<CopyBatch<P::Out>>,
) {
    let make =
        move |context: &TaskContext| pipe.task(context, Outbox::new(outlets.make(context)?, copy));
    plan.edit(|plan| plan.add_stage(name, is_source, Box::new(make)));
}
