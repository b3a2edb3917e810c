//! A task that reads splits of a source into the fused operators behind it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_checkpoint::snapshot::ToCoordinator;
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::message::Barrier;
use steadfast_core::source::{
    BadInput, BadRecord, PollLimit, Polled, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};

use super::snapshot::{self, SnapshotContents};
use crate::collector::{Collector, FlushStatus};
use crate::context::{TaskContext, TaskServices};
use crate::exchange::output::Output;

/// See the module.
pub struct SourceTask<S: Source, C> {
    name: String,
    source_name: String,
    context: TaskContext,
    source: Arc<S>,
    at_once: usize,
    waiting: VecDeque<SplitStatus<S::Split>>,
    /// The splits that are being read; the first is next.
    active: VecDeque<S::Reader>,
    finished: Vec<SplitStatus<S::Split>>,
    bad: BadInputs,
    records: u64,
    barriers: Mailbox<Barrier>,
    next: C,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// All splits are at their end, and the coordinator knows.
    Ended,
    /// The last barrier has gone out; what waits for room still has to.
    Leaving,
}

/// What becomes of input that is not a record.
pub(super) struct BadInputs {
    policy: BadInput,
    output: Option<Box<dyn Output<BadRecord>>>,
    count: u64,
}

impl BadInputs {
    /// Nothing bad yet; dead letters go to `output`.
    pub(super) fn new(policy: BadInput, output: Option<Box<dyn Output<BadRecord>>>) -> Self {
        BadInputs { policy, output, count: 0 }
    }

    fn reject(&mut self, bad: BadRecord) -> Result<()> {
        self.count += 1;
        match (self.policy, &mut self.output) {
            (BadInput::Skip, _) => Ok(()),
            (BadInput::DeadLetter, Some(output)) => output.take(&mut vec![bad]),
            _ => Err(bad_input(&bad)),
        }
    }
}

fn bad_input(bad: &BadRecord) -> Error {
    let line = bad.line.map_or(String::new(), |line| format!("line {line}, "));
    let mut shown = String::from_utf8_lossy(&bad.raw[..bad.raw.len().min(120)]).into_owned();
    if bad.raw.len() > 120 {
        shown.push('…');
    }
    Error::bad_input(format!("{}: {shown}", bad.reason))
        .at(format!("{line}byte {}", bad.offset))
        .at(bad.place.clone())
        .hint("correct the input, or choose the policy dead_letter or skip for this source")
}

/// Takes what a reader hands over.
struct TaskSourceOutput<'a, C> {
    next: &'a mut C,
    bad: &'a mut BadInputs,
    records: u64,
    advanced: u64,
    weight: usize,
}

impl<T, C: Collector<T>> SourceOutput<T> for TaskSourceOutput<'_, C> {
    #[inline]
    fn push(&mut self, item: T) -> Result<()> {
        self.records += 1;
        self.next.push(item)
    }

    fn reject(&mut self, bad: BadRecord) -> Result<()> {
        self.bad.reject(bad)
    }

    fn advance(&mut self, amount: u64) {
        self.advanced += amount;
    }

    fn weigh(&mut self, bytes: usize) {
        self.weight += bytes;
    }
}

impl<S: Source, C: Collector<S::Item>> SourceTask<S, C> {
    /// A task that reads those of `splits` that are not finished; the others stay part of its
    /// checkpoints.
    pub(super) fn new(
        source_name: &str,
        source: Arc<S>,
        splits: Vec<SplitStatus<S::Split>>,
        bad: BadInputs,
        barriers: Mailbox<Barrier>,
        next: C,
        context: TaskContext,
    ) -> Self {
        let (finished, waiting) = splits.into_iter().partition::<Vec<_>, _>(|s| s.finished);
        SourceTask {
            name: context.id.to_string(),
            source_name: source_name.to_string(),
            // A source without an end is read on all of its splits at once.
            at_once: if source.total().is_some() { 1 } else { usize::MAX },
            source,
            waiting: waiting.into(),
            active: VecDeque::new(),
            finished,
            bad,
            records: 0,
            barriers,
            next,
            state: State::Reading,
            context,
        }
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<()> {
        self.next.stage_output().flush()?;
        let mut contents =
            SnapshotContents { splits: self.splits()?, ..SnapshotContents::default() };
        contents.count(&self.source_name, "records", self.records);
        contents.count(&self.source_name, "bad_records", self.bad.count);
        contents.add_outputs(self.next.stage_output());
        if let Some(staged) = self.bad.output.as_mut().and_then(|output| output.staged()) {
            contents.count(&staged.sink, "records", staged.records);
            if !staged.bytes.is_empty() {
                contents.outputs.push((staged.sink, staged.bytes));
            }
        }
        // A source has no tables to wait for.
        let _ = contents.send(&self.context, barrier);
        self.next.stage_output().barrier(barrier)?;
        if barrier.kind.is_last() {
            self.state = State::Leaving;
        }
        Ok(())
    }

    /// Every split of this task with its position.
    fn splits(&self) -> Result<Vec<(String, serde_json::Value)>> {
        let open =
            |reader: &S::Reader| SplitStatus { split: reader.split(), finished: false, done: 0 };
        let active = self.active.iter().map(open);
        let all = self.finished.iter().cloned().chain(active).chain(self.waiting.iter().cloned());
        all.map(|split| {
            let value = serde_json::to_value(&split).map_err(|e| {
                Error::internal("a split does not serialize")
                    .caused_by(e)
                    .at(self.source_name.clone())
            })?;
            Ok((self.source_name.clone(), value))
        })
        .collect()
    }

    fn read(&mut self, now: Now) -> Result<Progress> {
        let TaskServices { in_flight, backlog, .. } = &*self.context.services;
        let waker = self.context.waker();
        if snapshot::is_backpressured(&self.context)
            || !in_flight.has_room(waker)
            || !backlog.has_room(waker)
        {
            return Ok(Progress::Blocked);
        }
        while self.active.len() < self.at_once
            && let Some(status) = self.waiting.pop_front()
        {
            self.active.push_back(self.source.open(status.split, self.context.waker())?);
        }
        let mut until: Option<Timestamp> = None;
        let mut idle = 0;
        while idle < self.active.len() {
            let Some(reader) = self.active.front_mut() else { break };
            let limit = PollLimit {
                records: self.context.services.batch_records,
                bytes: self.context.services.limits.poll_bytes,
            };
            let (next, bad) = (&mut self.next, &mut self.bad);
            let mut output = TaskSourceOutput { next, bad, records: 0, advanced: 0, weight: 0 };
            let polled = reader.poll(limit, now.wall, &mut output)?;
            let TaskSourceOutput { records, advanced, weight, .. } = output;
            let split = (polled == Polled::End).then(|| reader.split());
            self.handled(records, advanced, weight)?;
            if let Some(split) = split {
                self.finished.push(SplitStatus { split, finished: true, done: 0 });
                self.active.pop_front();
                return Ok(Progress::Worked);
            }
            self.active.rotate_left(1);
            if let Polled::Idle(at) = polled {
                until = [until, at].into_iter().flatten().min();
                idle += 1;
            }
            if records > 0 || polled == Polled::More {
                return Ok(Progress::Worked);
            }
        }
        if self.active.is_empty() {
            self.state = State::Ended;
            self.next.stage_output().watermark(Timestamp::MAX)?;
            self.context.services.coordinator.send(ToCoordinator::SourceEnded);
            return Ok(Progress::Worked);
        }
        let wait =
            |at: Timestamp| Duration::from_millis(at.0.saturating_sub(now.wall.0).max(0) as u64);
        Ok(Progress::Idle(until.map(|at| now.monotonic + wait(at))))
    }

    /// Passes on what one poll has brought.
    fn handled(&mut self, records: u64, advanced: u64, weight: usize) -> Result<()> {
        if weight >= self.context.services.limits.heavy_poll_bytes {
            let reservation = Arc::new(self.context.services.in_flight.reserve(weight));
            self.next.stage_output().hold(Some(&reservation));
            self.next.stage_output().flush()?;
            self.next.stage_output().hold(None);
        }
        self.next.stage_output().flush()?;
        if let Some(at) = self.next.watermark() {
            self.next.stage_output().watermark(at)?;
        }
        snapshot::send_early_output(&self.context, self.next.stage_output());
        if let Some(output) = &mut self.bad.output {
            snapshot::send_early_dead_letters(&self.context, &mut **output);
        }
        let metrics = &self.context.services.metrics;
        metrics.advanced.fetch_add(advanced, Ordering::Relaxed);
        self.records += records;
        self.context.services.count_records(records);
        Ok(())
    }
}

impl<S: Source, C: Collector<S::Item>> Machine for SourceTask<S, C> {
    fn name(&self) -> &str {
        &self.name
    }

    fn step(&mut self, now: Now) -> Result<Progress> {
        match self.next.stage_output().drain() {
            FlushStatus::All => {}
            FlushStatus::Some => return Ok(Progress::Worked),
            FlushStatus::None => return Ok(Progress::Blocked),
        }
        if self.state == State::Leaving {
            return Ok(Progress::Done);
        }
        if let Some(barrier) = self.barriers.take() {
            self.barrier(barrier)?;
            return Ok(Progress::Worked);
        }
        if self.state == State::Ended {
            return Ok(Progress::Idle(None));
        }
        self.read(now).map_err(|error| error.at(format!("source '{}'", self.source_name)))
    }
}
