//! A task that reads an input gate: an operator with state, and the fused operators behind it.

use std::sync::Arc;
use std::time::Duration;

use steadfast_core::key::{KeyGroups, KeySpace};
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::message::{Barrier, BarrierKind, Batch};
use steadfast_core::operator::{Emission, Operator};
use steadfast_core::time::{Moment, Timestamp};
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::fit::JobShape;
use steadfast_protocol::manifest::Watermarks;

use super::restore::Restore;
use super::snapshot::{self, FrozenTables, SnapshotContents};
use crate::collector::{Collector, FlushStatus};
use crate::context::{MadeTask, RestoreSource, StageContext, TaskContext};
use crate::exchange::align::{Input, InputGate};
use crate::exchange::edge::Edge;
use crate::operator_chain::{OperatorChain, StageHead};
use crate::user_code::{OperatorId, OperatorLabel, caught};

/// The head of a stage that reads edges: makes an operator for each task.
pub struct OperatorHead<T, F> {
    operator: OperatorId,
    edges: Vec<Edge<T>>,
    make: Arc<F>,
    /// Whether records come to a task because of their keys.
    is_keyed: bool,
}

impl<T, F> OperatorHead<T, F> {
    /// A stage that reads `edges` with the operator that `make` makes for a parallel index.
    pub fn new(operator: OperatorId, edges: Vec<Edge<T>>, make: F) -> Self {
        OperatorHead { operator, edges, make: Arc::new(make), is_keyed: true }
    }

    /// The same where records come to a task for other reasons than their keys: any of them may come to any
    /// task after a restart, and find a watermark that has not passed them.
    pub fn without_keys(self) -> Self {
        OperatorHead { is_keyed: false, ..self }
    }
}

/// The watermark of a task, from those of the tasks before it.
///
/// Where it has the keys of several that were apart, windows that one of them had closed must not begin again:
/// each record is in windows or late. At least once, where barriers are not aligned, what is read again must not
/// be late because of what another task had read.
fn goes_on_from(
    restored: &Watermarks,
    (space, index): (KeySpace, u16),
    is_keyed: bool,
    is_aligned: bool,
) -> Option<Timestamp> {
    let own = space.groups_of(index);
    match is_keyed {
        true if is_aligned => restored.greatest_of(own),
        true => restored.least(own),
        false => restored.least(KeyGroups { first: 0, end: space.groups }),
    }
}

impl<T, O, F: Fn(KeySpace, u16) -> O> OperatorHead<T, F> {
    /// An operator; what a user's function declares is declared here.
    fn made(&self, space: KeySpace, index: u16) -> Result<O> {
        let label = self.operator.outside();
        caught(|| Ok(label.calls(|| (self.make)(space, index))))
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
            let mut operator = self.made(context.space, context.index)?;
            let restore = Restore::plan(stage.restore, &mut operator);
            // What only passes records on keeps nothing, and is not the operator that it is called after.
            let mut has_state = false;
            operator.tables(&mut |_| has_state = true);
            let watermark =
                match stage.restore.watermarks(self.operator.name()).filter(|_| has_state) {
                    Some(restored) => {
                        let place = (context.space, context.index);
                        goes_on_from(restored, place, self.is_keyed, context.services.aligned)
                    }
                    None => None,
                };
            let watermark = watermark.unwrap_or(Timestamp::MIN);
            let task = OperatorTask {
                name: context.id.to_string(),
                label: context.label(&self.operator),
                is_stateful: has_state,
                input_gate: InputGate::new(receivers, context.services.aligned, watermark),
                operator,
                next: next(&context)?,
                out: Batch::new(),
                frozen: FrozenTables::default(),
                emitting: None,
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
        let mut operator = self.made(space, 0)?;
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
        let what = format!("two of its states are called '{state}'");
        Err(Error::because(Cause::STATE_NAMES, what)
            .at(format!("operator '{operator}'"))
            .hint("give each state of an operator a name of its own"))
    }

    fn check(&self, _restored: &RestoreSource, _tasks: u16) -> Result<()> {
        Ok(())
    }

    fn inputs(&self) -> Vec<usize> {
        self.edges.iter().map(Edge::number).collect()
    }

    fn not_replayable(&self) -> Option<&str> {
        None
    }
}

/// See the module.
pub(crate) struct OperatorTask<T, O: Operator<T>, C> {
    name: String,
    label: OperatorLabel,
    /// Whether it has state: then its watermark is part of the checkpoint.
    is_stateful: bool,
    context: TaskContext,
    input_gate: InputGate<T>,
    operator: O,
    next: C,
    out: Batch<O::Out>,
    frozen: FrozenTables,
    /// What the operator has not said everything about yet.
    emitting: Option<Emitting>,
    state: State,
}

enum State {
    Restoring(Restore),
    Running,
    /// The last barrier has gone out; what waits for room still has to.
    Leaving,
}

/// An occasion at which an operator may have much to say.
#[derive(Clone, Copy)]
enum Emitting {
    Watermark(Timestamp),
    Timer,
    /// The sources have ended; the barrier comes behind what is said about that.
    End(Barrier, Duration),
    EpochEnd(Barrier, Duration),
}

impl<T: Send, O: Operator<T>, C: Collector<O::Out>> OperatorTask<T, O, C> {
    fn moment(&self, now: Now) -> Moment {
        Moment { watermark: self.input_gate.watermark(), now: now.wall }
    }

    /// Calls the operator, and nobody behind it.
    fn call<R>(&mut self, call: impl FnOnce(&mut O, &mut Batch<O::Out>) -> Result<R>) -> Result<R> {
        let OperatorTask { label, operator, out, .. } = self;
        label.calls(|| call(operator, out)).map_err(|error| label.names(error))
    }

    fn emit(&mut self) -> Result<()> {
        self.next.push_all(&mut self.out)?;
        self.out.clear();
        self.next.stage_output().flush()
    }

    /// Lets the operator say some more, and goes on with what comes behind it when it is through.
    fn speak(&mut self, emitting: Emitting, now: Now) -> Result<()> {
        let at = self.moment(now);
        let emission = self.call(|operator, out| match emitting {
            Emitting::Watermark(_) => operator.on_watermark(at, out),
            Emitting::Timer => operator.on_timer(at, out),
            Emitting::End(..) => operator.on_end(at, out),
            Emitting::EpochEnd(..) => operator.on_epoch_end(at, out),
        })?;
        self.emit()?;
        self.emitting = Some(emitting);
        if emission == Emission::More {
            return Ok(());
        }
        self.emitting = None;
        match emitting {
            Emitting::Watermark(at) => self.next.stage_output().watermark(at),
            Emitting::Timer => Ok(()),
            Emitting::End(barrier, align) => {
                self.emitting = Some(Emitting::EpochEnd(barrier, align));
                Ok(())
            }
            Emitting::EpochEnd(barrier, align) => self.barrier(barrier, align),
        }
    }

    fn barrier(&mut self, barrier: Barrier, align: Duration) -> Result<()> {
        self.checkpoint(barrier, align);
        self.next.stage_output().barrier(barrier)?;
        if barrier.kind.is_last() {
            self.label.calls(|| self.operator.close());
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
        let watermark = self.input_gate.watermark();
        if self.is_stateful && watermark > Timestamp::MIN {
            contents.watermark = Some((self.label.name().to_string(), watermark));
        }
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
        let timer = self.operator.next_timer();
        let due = timer.filter(|at| *at <= now.wall).map(|_| Emitting::Timer);
        if let Some(emitting) = self.emitting.or(due) {
            // What is said at the end of an epoch belongs to its checkpoint.
            if matches!(emitting, Emitting::Watermark(_) | Emitting::Timer) {
                self.context.services.activity.note();
            }
            self.speak(emitting, now)?;
            snapshot::send_early_output(&self.context, self.next.stage_output());
            return Ok(Progress::Worked);
        }
        loop {
            let input = self.input_gate.next(now.monotonic);
            if !matches!(input, None | Some(Input::Barrier(..))) {
                self.context.services.activity.note();
            }
            match input {
                Some(Input::Batch(mut batch)) => {
                    let at = self.moment(now);
                    self.call(|operator, out| operator.on_batch(at, &mut batch, out))?;
                    self.input_gate.give_back(batch);
                    self.context.services.count_batch();
                    self.emit()?;
                    snapshot::send_early_output(&self.context, self.next.stage_output());
                }
                Some(Input::Watermark(at)) => {
                    self.speak(Emitting::Watermark(at), now)?;
                    // There may be one for each batch: if each took a turn, the sources would be faster.
                    let is_through = self.emitting.is_none();
                    if is_through && self.next.stage_output().drain() == FlushStatus::All {
                        continue;
                    }
                }
                Some(Input::Idle) => self.next.stage_output().idle()?,
                Some(Input::Barrier(barrier, align)) if barrier.kind == BarrierKind::End => {
                    self.speak(Emitting::End(barrier, align), now)?;
                }
                Some(Input::Barrier(barrier, align)) => {
                    self.speak(Emitting::EpochEnd(barrier, align), now)?;
                }
                None => {
                    let timer = self.operator.next_timer();
                    return Ok(Progress::Idle(timer.map(|at| now.until(at))));
                }
            }
            return Ok(Progress::Worked);
        }
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
                let step = self.label.calls(|| restore.step(&self.context, &mut self.operator));
                if !step.map_err(|error| self.label.names(error))? {
                    let at = self.moment(now);
                    self.call(|operator, _| operator.open(at))?;
                    self.state = State::Running;
                }
                Ok(Progress::Worked)
            }
            State::Running => self.run(now),
        }
    }
}

#[cfg(test)]
mod tests;
