//! A task that reads an inbox: an operator with state, and the fused operators behind it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::Result;
use steadfast_core::fault::Fault;
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::message::{Barrier, Batch};
use steadfast_core::operator::Operator;
use steadfast_core::time::Timestamp;
use steadfast_protocol::manifest::Consistency;

use super::cut::{self, Part};
use super::restore::Restore;
use crate::context::TaskContext;
use crate::exchange::align::{Inbox, Input};
use crate::pipe::Pipe;
use crate::push::{Drained, Push};

/// The head of a stage that reads edges: makes an operator for each task.
pub struct OperatorPipe<T, F> {
    edges: Vec<usize>,
    make: Arc<F>,
    input: std::marker::PhantomData<fn(T)>,
}

impl<T, F> OperatorPipe<T, F> {
    /// A stage that reads `edges` with the operator that `make` makes.
    pub fn new(edges: Vec<usize>, make: F) -> Self {
        OperatorPipe { edges, make: Arc::new(make), input: std::marker::PhantomData }
    }
}

impl<T, O, F> Pipe for OperatorPipe<T, F>
where
    T: Send + 'static,
    O: Operator<T> + 'static,
    O::Out: 'static,
    F: Fn(&TaskContext) -> O + Send + Sync + 'static,
{
    type Out = O::Out;

    fn task<C: Push<O::Out> + 'static>(
        &self,
        context: &TaskContext,
        next: C,
    ) -> Result<Box<dyn Machine>> {
        let mut receivers = Vec::new();
        for edge in &self.edges {
            receivers.extend(context.receivers::<T>(*edge)?);
        }
        let blocks = context.job.consistency != Consistency::AtLeastOnce
            && !context.job.faults.has(Fault::ChannelNotBlocked);
        let mut operator = (self.make)(context);
        let restore = Restore::plan(context, &mut operator);
        let context = TaskContext {
            job: Arc::clone(&context.job),
            id: context.id.clone(),
            index: context.index,
        };
        Ok(Box::new(OperatorTask {
            name: context.id.to_string(),
            inbox: Inbox::new(receivers, blocks),
            operator,
            next,
            out: Batch::new(),
            state: State::Restoring(restore),
            late: VecDeque::new(),
            context,
        }))
    }
}

/// See the module.
pub struct OperatorTask<T, O: Operator<T>, C> {
    name: String,
    context: TaskContext,
    inbox: Inbox<T>,
    operator: O,
    next: C,
    out: Batch<O::Out>,
    state: State,
    /// Barriers that were forwarded before their snapshot: only with the fault that does so.
    late: VecDeque<Barrier>,
}

enum State {
    Restoring(Restore),
    Running,
    /// The last barrier has gone out; what waits for room still has to.
    Leaving,
}

impl<T: Send, O: Operator<T>, C: Push<O::Out>> OperatorTask<T, O, C> {
    fn emit(&mut self) -> Result<()> {
        self.next.push_all(&mut self.out.items)?;
        self.out.clear();
        self.next.tail().flush()
    }

    fn watermark(&mut self, at: Timestamp) -> Result<()> {
        self.operator.on_watermark(at, &mut self.out)?;
        self.emit()?;
        self.next.tail().watermark(at)
    }

    fn barrier(&mut self, barrier: Barrier, align: Duration) -> Result<()> {
        self.operator.on_epoch_end(barrier.kind, &mut self.out)?;
        self.emit()?;
        if self.context.job.faults.has(Fault::BarrierBeforeSnapshot) && !barrier.kind.is_last() {
            self.late.push_back(barrier);
            return self.next.tail().barrier(barrier);
        }
        self.cut(barrier, align);
        self.next.tail().barrier(barrier)?;
        if barrier.kind.is_last() {
            self.state = State::Leaving;
        }
        Ok(())
    }

    /// Freezes the state and hands it over.
    fn cut(&mut self, barrier: Barrier, align: Duration) {
        let mut part = Part { align, ..Part::default() };
        let began = self.context.job.clock.monotonic();
        self.operator.tables(&mut |table| {
            if let Some(frozen) = table.freeze() {
                part.tables.push((table.name().to_string(), frozen));
            }
        });
        part.sync = self.context.job.clock.monotonic().saturating_sub(began);
        self.operator.counters(&mut |operator, name, count| part.count(operator, name, count));
        part.add_outputs(self.next.tail());
        part.send(&self.context, barrier);
    }

    fn run(&mut self, now: Now) -> Result<Progress> {
        if cut::must_wait(&self.context) {
            return Ok(cut::look_again(now));
        }
        let input = self.inbox.next(now.monotonic);
        let worked = input.is_some();
        match input {
            Some(Input::Batch(mut batch)) => {
                self.operator.on_batch(&mut batch, &mut self.out)?;
                self.inbox.give_back(batch);
                self.context.job.count_batch();
                self.emit()?;
                if let Some(at) = self.next.watermark() {
                    self.next.tail().watermark(at)?;
                }
                cut::send_early_output(&self.context, self.next.tail());
            }
            Some(Input::Watermark(at)) => self.watermark(at)?,
            Some(Input::Barrier(barrier, align)) => self.barrier(barrier, align)?,
            None => {}
        }
        while let Some(barrier) = self.late.pop_front() {
            if worked && self.late.is_empty() && matches!(self.state, State::Running) {
                self.late.push_front(barrier);
                break;
            }
            self.cut(barrier, Duration::ZERO);
        }
        Ok(if worked { Progress::Worked } else { Progress::Idle(None) })
    }
}

impl<T: Send, O: Operator<T>, C: Push<O::Out>> Machine for OperatorTask<T, O, C> {
    fn name(&self) -> &str {
        &self.name
    }

    fn step(&mut self, now: Now) -> Result<Progress> {
        match self.next.tail().drain() {
            Drained::All => {}
            Drained::Some => return Ok(Progress::Worked),
            Drained::None => return Ok(Progress::Blocked),
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
