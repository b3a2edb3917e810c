//! A task that reads an input gate: an operator with state, and the fused operators behind it.

use std::sync::Arc;
use std::time::Duration;

use steadfast_core::key::KeySpace;
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::message::{Barrier, Batch};
use steadfast_core::operator::Operator;
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};
use steadfast_protocol::fit::JobShape;
use steadfast_protocol::manifest::Manifest;

use super::restore::Restore;
use super::snapshot::{self, FrozenTables, SnapshotContents};
use crate::collector::{Collector, FlushStatus};
use crate::context::{MadeTask, StageContext, TaskContext};
use crate::exchange::align::{Input, InputGate};
use crate::exchange::edge::Edge;
use crate::operator_chain::{OperatorChain, StageHead};

/// The head of a stage that reads edges: makes an operator for each task.
pub struct OperatorHead<T, F> {
    edges: Vec<Edge<T>>,
    make: Arc<F>,
}

impl<T, F> OperatorHead<T, F> {
    /// A stage that reads `edges` with the operator that `make` makes for a parallel index.
    pub fn new(edges: Vec<Edge<T>>, make: F) -> Self {
        OperatorHead { edges, make: Arc::new(make) }
    }
}

impl<T, O, F> OperatorChain for OperatorHead<T, F>
where
    T: Send + 'static,
    O: Operator<T> + 'static,
    O::Out: 'static,
    F: Fn(KeySpace, u16) -> O + Send + Sync + 'static,
{
    type Out = O::Out;

    fn tasks<C: Collector<O::Out> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        let make = |context: TaskContext| {
            let mut receivers = Vec::new();
            for edge in &self.edges {
                receivers.extend(edge.receivers(context.index, context.waker())?);
            }
            let mut operator = (self.make)(context.space, context.index);
            let restore = Restore::plan(stage.restore, &context, &mut operator);
            let task = OperatorTask {
                name: context.id.to_string(),
                input_gate: InputGate::new(receivers, context.services.aligned),
                operator,
                next: next(&context)?,
                out: Batch::new(),
                frozen: FrozenTables::default(),
                state: State::Restoring(restore),
                context: context.clone(),
            };
            Ok(MadeTask::new(&context, Box::new(task)))
        };
        stage.tasks().map(make).collect()
    }

    fn head(&self) -> &dyn StageHead {
        self
    }
}

impl<T, O, F> StageHead for OperatorHead<T, F>
where
    O: Operator<T>,
    F: Fn(KeySpace, u16) -> O,
{
    fn describe(&self, space: KeySpace, shape: &mut JobShape) -> Result<()> {
        let mut twice = None;
        let mut operator = (self.make)(space, 0);
        operator.modes(&mut |name, mode| {
            shape.modes.insert(name.to_string(), mode.to_string());
        });
        operator.tables(&mut |table| {
            if !shape.tables.insert(table.name().to_string()) {
                twice = Some(table.name().to_string());
            }
        });
        let Some(name) = twice else { return Ok(()) };
        let (operator, state) = name.rsplit_once('/').unwrap_or(("", &name));
        Err(Error::configuration(format!("two of its states are called '{state}'"))
            .at(format!("operator '{operator}'"))
            .hint("give each state of an operator a name of its own"))
    }

    fn check(&self, _restored: Option<&Manifest>, _tasks: u16) -> Result<()> {
        Ok(())
    }

    fn inputs(&self) -> Vec<usize> {
        self.edges.iter().map(Edge::number).collect()
    }
}

/// See the module.
pub struct OperatorTask<T, O: Operator<T>, C> {
    name: String,
    context: TaskContext,
    input_gate: InputGate<T>,
    operator: O,
    next: C,
    out: Batch<O::Out>,
    frozen: FrozenTables,
    state: State,
}

enum State {
    Restoring(Restore),
    Running,
    /// The last barrier has gone out; what waits for room still has to.
    Leaving,
}

impl<T: Send, O: Operator<T>, C: Collector<O::Out>> OperatorTask<T, O, C> {
    fn emit(&mut self) -> Result<()> {
        self.next.push_all(&mut self.out.items)?;
        self.out.clear();
        self.next.stage_output().flush()
    }

    fn watermark(&mut self, at: Timestamp) -> Result<()> {
        self.operator.on_watermark(at, &mut self.out)?;
        self.emit()?;
        self.next.stage_output().watermark(at)
    }

    fn barrier(&mut self, barrier: Barrier, align: Duration) -> Result<()> {
        self.operator.on_epoch_end(barrier.kind, &mut self.out)?;
        self.emit()?;
        self.checkpoint(barrier, align);
        self.next.stage_output().barrier(barrier)?;
        if barrier.kind.is_last() {
            self.state = State::Leaving;
        }
        Ok(())
    }

    /// Freezes the state and hands it over.
    fn checkpoint(&mut self, barrier: Barrier, align: Duration) {
        let mut contents = SnapshotContents { align, ..SnapshotContents::default() };
        let began = self.context.services.clock.monotonic();
        self.operator.tables(&mut |table| {
            if let Some(frozen) = table.freeze(&self.context.services.limits.state) {
                contents.tables.push((table.name().to_string(), frozen));
            }
        });
        contents.sync = self.context.services.clock.monotonic().saturating_sub(began);
        self.operator.counters(&mut |operator, name, count| contents.count(operator, name, count));
        contents.add_outputs(self.next.stage_output());
        self.frozen = contents.send(&self.context, barrier);
    }

    /// Whether so much was copied for the last snapshot that the task waits until it is written. It is
    /// woken then.
    fn has_copied_too_much(&mut self) -> bool {
        if !self.frozen.are_read() {
            return false;
        }
        let mut copied = 0;
        self.operator.tables(&mut |table| copied += table.copied_bytes());
        copied > self.context.services.limits.copied_bytes
    }

    fn run(&mut self, now: Now) -> Result<Progress> {
        if snapshot::is_backpressured(&self.context) || self.has_copied_too_much() {
            return Ok(Progress::Blocked);
        }
        let input = self.input_gate.next(now.monotonic);
        let worked = input.is_some();
        match input {
            Some(Input::Batch(mut batch)) => {
                self.operator.on_batch(&mut batch, &mut self.out)?;
                self.input_gate.give_back(batch);
                self.context.services.count_batch();
                self.emit()?;
                if let Some(at) = self.next.watermark() {
                    self.next.stage_output().watermark(at)?;
                }
                snapshot::send_early_output(&self.context, self.next.stage_output());
            }
            Some(Input::Watermark(at)) => self.watermark(at)?,
            Some(Input::Barrier(barrier, align)) => self.barrier(barrier, align)?,
            None => {}
        }
        Ok(if worked { Progress::Worked } else { Progress::Idle(None) })
    }
}

impl<T: Send, O: Operator<T>, C: Collector<O::Out>> Machine for OperatorTask<T, O, C> {
    fn name(&self) -> &str {
        &self.name
    }

    fn step(&mut self, now: Now) -> Result<Progress> {
        match self.next.stage_output().drain() {
            FlushStatus::All => {}
            FlushStatus::Some => return Ok(Progress::Worked),
            FlushStatus::None => return Ok(Progress::Blocked),
        }
        match &mut self.state {
            State::Leaving => Ok(Progress::Done),
            State::Restoring(restore) => {
                if !restore.step(&self.context, &mut self.operator)? {
                    self.state = State::Running;
                }
                Ok(Progress::Worked)
            }
            State::Running => self.run(now),
        }
    }
}
