//! Closing a stage: from a typed chain to something that makes tasks.

use std::sync::{Arc, Mutex, PoisonError};

use steadfast_core::Result;
use steadfast_core::sink::Sink;
use steadfast_runtime::context::{MadeTask, StageContext, TaskContext};
use steadfast_runtime::exchange::edge::Edge;
use steadfast_runtime::exchange::output::{
    CopyBatch, Distribution, ExchangeOutput, Output, SinkOutput,
};
use steadfast_runtime::exchange::output_collector::OutputCollector;
use steadfast_runtime::operator_chain::{OperatorChain, StageHead};
use steadfast_runtime::plan::{SharedPlan, Stage};
use steadfast_runtime::user_code::OperatorId;

type MakeOutput<T> = Box<dyn Fn(&TaskContext) -> Result<Box<dyn Output<T>>> + Send + Sync>;

/// The ways out of a stage. More may be added until the job is run.
pub(super) struct Outputs<T>(Arc<Mutex<Vec<MakeOutput<T>>>>);

impl<T> Clone for Outputs<T> {
    fn clone(&self) -> Self {
        Outputs(Arc::clone(&self.0))
    }
}

impl<T: Send + 'static> Outputs<T> {
    /// No way out yet.
    pub(super) fn none() -> Self {
        Outputs(Arc::default())
    }

    fn add(&self, make: MakeOutput<T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(make);
    }

    /// Adds an edge to another stage.
    pub(super) fn add_edge(
        &self,
        plan: &SharedPlan,
        all_to_all: bool,
        distribution: impl Fn(&TaskContext) -> Distribution<T> + Send + Sync + 'static,
    ) -> Edge<T> {
        let edge = plan.edit(|plan| plan.add_edge::<T>(all_to_all));
        let sending = edge.clone();
        self.add(Box::new(move |context| {
            let senders = sending.senders(context.index, context.waker())?;
            Ok(Box::new(ExchangeOutput::new(distribution(context), senders)))
        }));
        edge
    }

    /// Adds a sink and its target.
    pub(super) fn add_sink<S: Sink<Item = T>>(&self, plan: &SharedPlan, name: &str, sink: S) {
        let sink = Arc::new(sink);
        add_target(plan, name, &sink);
        let operator = OperatorId::sink(name);
        self.add(Box::new(move |task| {
            Ok(Box::new(SinkOutput::new(task.label(&operator), sink.writer()?)))
        }));
    }

    /// Makes the end of the stage of a task; `copy` is needed where there are several ways out.
    pub(super) fn collector(
        &self,
        context: &TaskContext,
        copy: Option<CopyBatch<T>>,
    ) -> Result<OutputCollector<T>> {
        let outputs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = outputs.iter().map(|make| make(context)).collect::<Result<_>>()?;
        Ok(OutputCollector::new(made, copy))
    }
}

/// Adds the target of a sink to the plan.
pub(super) fn add_target<S: Sink>(plan: &SharedPlan, name: &str, sink: &Arc<S>) {
    let (sink, place) = (Arc::clone(sink), sink.own_place());
    plan.edit(|plan| plan.add_target(name, place, Box::new(move |identity| sink.target(identity))));
}

/// A stage that ends with `chain` and leaves through `outputs`.
struct ClosedStage<P: OperatorChain> {
    chain: P,
    outputs: Outputs<P::Out>,
    copy: Option<CopyBatch<P::Out>>,
}

impl<P: OperatorChain> Stage for ClosedStage<P> {
    fn tasks(&self, context: &StageContext<'_>) -> Result<Vec<MadeTask>> {
        self.chain.tasks(context, |task| self.outputs.collector(task, self.copy))
    }

    fn head(&self) -> &dyn StageHead {
        self.chain.head()
    }

    fn leads_somewhere(&self) -> bool {
        !self.outputs.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Adds a stage that ends with `chain` and leaves through `outputs`.
pub(super) fn close<P: OperatorChain>(
    plan: &SharedPlan,
    name: &str,
    is_source: bool,
    chain: P,
    outputs: Outputs<P::Out>,
    copy: Option<CopyBatch<P::Out>>,
) {
    let stage = Box::new(ClosedStage { chain, outputs, copy });
    plan.edit(|plan| plan.add_stage(name, is_source, stage));
}
