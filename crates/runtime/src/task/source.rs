//! A task that reads splits of a source into the fused operators behind it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_checkpoint::snapshot::ToCoordinator;
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::message::{Barrier, BarrierKind};
use steadfast_core::source::{
    BadRecord, PollLimit, Polled, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};
use steadfast_protocol::coordinator::TakenSplit;

use super::bad_input::BadInputs;
use super::snapshot::{self, SnapshotContents};
use super::split_queue::{SplitQueue, Waiting};
use crate::collector::{Collector, FlushStatus};
use crate::context::{TaskContext, TaskServices};
use crate::event_time::{EventTime, Front, Slowest, SourceTime};
use crate::user_code::{OperatorId, OperatorLabel};

/// The function of a source that tells event times, as errors name it.
pub(super) const EVENT_TIME: &str = "event_time";

/// See the module.
pub struct SourceTask<S: Source, E, C> {
    name: String,
    source_name: String,
    /// The source, and its function of event time, as errors name them.
    reading: OperatorLabel,
    timing: OperatorLabel,
    context: TaskContext,
    source: Arc<S>,
    event_time: Arc<E>,
    front: Front,
    /// How many splits are read at once.
    at_once: usize,
    queue: Arc<SplitQueue<S::Split>>,
    /// The splits that are being read; the first is next.
    active: VecDeque<Active<S::Reader>>,
    /// The splits that this task has read to their end, by number.
    finished: Vec<(usize, SplitStatus<S::Split>)>,
    /// The watermark that was passed on last; none: that nothing is expected.
    said: Option<Timestamp>,
    bad: BadInputs,
    records: u64,
    barriers: Mailbox<Barrier>,
    next: C,
    state: State,
}

/// A split that is being read.
struct Active<R> {
    number: usize,
    reader: R,
    /// The time of its latest record, or the least of its first.
    latest: Timestamp,
    /// Since when it has had nothing, and when that was last seen.
    idle: Option<(Duration, Duration)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// All splits are at their end, and the coordinator knows.
    Ended,
    /// The last barrier has gone out; what waits for room still has to.
    Leaving,
}

/// A split as checkpoints keep it.
pub(super) fn split_value<S: Serialize>(status: &SplitStatus<S>) -> Result<serde_json::Value> {
    serde_json::to_value(status)
        .map_err(|e| Error::internal("a split does not serialize").caused_by(e))
}

/// Takes what a reader hands over.
struct TaskSourceOutput<'a, E, C> {
    timing: &'a OperatorLabel,
    event_time: &'a E,
    front: &'a mut Front,
    latest: &'a mut Timestamp,
    next: &'a mut C,
    bad: &'a mut BadInputs,
    records: u64,
    advanced: u64,
    weight: usize,
}

impl<T, E: EventTime<T>, C: Collector<T>> SourceOutput<T> for TaskSourceOutput<'_, E, C> {
    #[inline]
    fn push(&mut self, item: T) -> Result<()> {
        self.records += 1;
        let at = self.timing.calls(|| self.event_time.at(&item));
        if E::IS_TIMED {
            self.front.observe(self.latest, at);
        }
        self.next.push(item, at)
    }

    fn reject(&mut self, bad: BadRecord) -> Result<()> {
        if self.records > 0 {
            self.bad.has_good();
        }
        self.bad.reject(bad)
    }

    fn advance(&mut self, amount: u64) {
        self.advanced += amount;
    }

    fn weigh(&mut self, bytes: usize) {
        self.weight += bytes;
    }
}

/// What the tasks of a source share.
pub(super) struct SharedSource<S: Source, E> {
    pub(super) name: String,
    pub(super) source: Arc<S>,
    pub(super) event_time: Arc<E>,
    pub(super) time: Arc<SourceTime>,
    pub(super) queue: Arc<SplitQueue<S::Split>>,
    /// How many splits each task reads at once.
    pub(super) at_once: usize,
}

impl<S: Source, E: EventTime<S::Item>, C: Collector<S::Item>> SourceTask<S, E, C> {
    /// A task that reads splits as it finds them in the queue.
    pub(super) fn new(
        shared: &SharedSource<S, E>,
        bad: BadInputs,
        barriers: Mailbox<Barrier>,
        next: C,
        context: TaskContext,
    ) -> Self {
        SourceTask {
            name: context.id.to_string(),
            source_name: shared.name.clone(),
            reading: context.label(&OperatorId::source(&*shared.name, "")),
            timing: context.label(&OperatorId::source(&*shared.name, EVENT_TIME)),
            source: Arc::clone(&shared.source),
            event_time: Arc::clone(&shared.event_time),
            front: Front::new(Arc::clone(&shared.time), context.index),
            at_once: shared.at_once,
            queue: Arc::clone(&shared.queue),
            active: VecDeque::new(),
            finished: Vec::new(),
            said: Some(Timestamp::MIN),
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
        // What operators say at the end has the time to which all tasks have come, and not one of them.
        if barrier.kind == BarrierKind::End && self.state == State::Ended {
            self.say_last_watermark()?;
        }
        let mut contents =
            SnapshotContents { splits: self.splits()?, ..SnapshotContents::default() };
        // Not what was said last, which another split may hold back by days: what a restart needs to know is which
        // times are not doubted.
        if let Some(at) = self.front.last_watermark() {
            contents.watermark = Some((self.source_name.clone(), at));
        }
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

    /// Every split that this task has taken, with its position.
    fn splits(&self) -> Result<Vec<TakenSplit>> {
        let open = |active: &Active<S::Reader>| {
            let split = active.reader.split();
            (active.number, SplitStatus { split, finished: false, done: 0 })
        };
        let active = self.active.iter().map(open);
        let all = self.finished.iter().cloned().chain(active);
        all.map(|(number, status)| {
            let split = split_value(&status).map_err(|e| e.at(self.source_name.clone()))?;
            Ok(TakenSplit { source: self.source_name.clone(), number, split })
        })
        .collect()
    }

    /// Takes splits that nobody has begun.
    fn take_splits(&mut self) -> Result<()> {
        while self.active.len() < self.at_once
            && let Some(Waiting { number, split, first }) = self.queue.take()
        {
            let reader = self.source.open(split, self.context.waker())?;
            self.active.push_back(Active { number, reader, latest: first, idle: None });
            self.publish();
        }
        Ok(())
    }

    /// Lets the next of the splits that are being read have its turn.
    fn turn(&mut self) {
        self.active.rotate_left(1);
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
        self.take_splits()?;
        let (mut until, mut passed_over, mut is_held) = (None, 0, false);
        while passed_over < self.active.len() {
            let Some(active) = self.active.front_mut() else { break };
            if E::IS_TIMED && self.front.is_ahead(active.latest, self.context.waker()) {
                (passed_over, is_held) = (passed_over + 1, true);
                self.turn();
                continue;
            }
            let limit = PollLimit {
                records: self.context.services.batch_records,
                bytes: self.context.services.limits.poll_bytes,
            };
            let mut output = TaskSourceOutput {
                timing: &self.timing,
                event_time: &*self.event_time,
                front: &mut self.front,
                latest: &mut active.latest,
                next: &mut self.next,
                bad: &mut self.bad,
                records: 0,
                advanced: 0,
                weight: 0,
            };
            let polled = self.reading.calls(|| active.reader.poll(limit, now.wall, &mut output))?;
            let TaskSourceOutput { records, advanced, weight, .. } = output;
            let ended = polled == Polled::End;
            match polled {
                Polled::Idle(_) if records == 0 => {
                    active.idle.get_or_insert((now.monotonic, now.monotonic)).1 = now.monotonic;
                }
                _ => active.idle = None,
            }
            if ended && let Some(Active { number, reader, .. }) = self.active.pop_front() {
                let (split, finished) = (reader.split(), true);
                self.finished.push((number, SplitStatus { split, finished, done: 0 }));
                // What comes next holds the watermark back before this one ceases to.
                self.take_splits()?;
            }
            self.handled(records, advanced, weight)?;
            self.say_watermark()?;
            if ended {
                return Ok(Progress::Worked);
            }
            self.turn();
            if let Polled::Idle(at) = polled {
                until = [until, at.map(|at| now.until(at))].into_iter().flatten().min();
                passed_over += 1;
            }
            if records > 0 || polled == Polled::More {
                return Ok(Progress::Worked);
            }
        }
        if self.active.is_empty() {
            self.state = State::Ended;
            self.say_last_watermark()?;
            self.context.services.coordinator.send(ToCoordinator::SourceEnded);
            return Ok(Progress::Worked);
        }
        let silence = self.next_silence();
        if is_held && until.is_none() && silence.is_none() {
            return Ok(Progress::Blocked);
        }
        Ok(Progress::Idle([until, silence].into_iter().flatten().min()))
    }

    /// Whether a split has had nothing for so long that it holds nobody back.
    fn is_silent(&self, active: &Active<S::Reader>) -> bool {
        let idle = active.idle.zip(self.front.options().idle_after);
        // What nobody has asked may have something.
        idle.is_some_and(|((since, asked), after)| asked.saturating_sub(since) >= after)
    }

    /// Tells the other tasks how far this one is.
    fn publish(&self) {
        let loud = self.active.iter().filter(|active| !self.is_silent(active));
        self.front.publish(loud.map(|active| active.latest).min());
    }

    /// When the next split will be silent.
    fn next_silence(&self) -> Option<Duration> {
        let after = self.front.options().idle_after?;
        let loud = self.active.iter().filter(|active| E::IS_TIMED && !self.is_silent(active));
        loud.filter_map(|active| Some(active.idle?.0.saturating_add(after))).min()
    }

    /// Passes on how far event time has come, if it has.
    fn say_watermark(&mut self) -> Result<()> {
        if !E::IS_TIMED {
            return Ok(());
        }
        let loud = self.active.iter().filter(|active| !self.is_silent(active));
        let read = loud.map(|active| Slowest { at: active.latest, split: active.number });
        let slowest = read.chain(self.queue.least()).min();
        self.front.synchronize(slowest);
        let watermark = self.front.watermark(slowest.into_iter().map(|slowest| slowest.at));
        self.publish();
        match watermark {
            Some(at) if self.said.is_none_or(|said| at > said) => {
                self.said = Some(at);
                self.next.stage_output().watermark(at)
            }
            None if self.said.is_some() && !self.active.is_empty() => {
                // As where splits are read by several tasks: where all are silent, the greatest counts.
                let greatest = self.active.iter().map(|active| active.latest).max();
                let greatest = self.front.watermark(greatest.into_iter());
                if let Some(at) = greatest.filter(|at| Some(*at) > self.said) {
                    self.next.stage_output().watermark(at)?;
                }
                self.said = None;
                self.next.stage_output().idle()
            }
            _ => Ok(()),
        }
    }

    /// Passes on how far all tasks together have come: where none expects anything more, the greatest
    /// counts, whoever read what and ended first.
    fn say_last_watermark(&mut self) -> Result<()> {
        self.front.publish(None);
        if E::IS_TIMED {
            self.front.synchronize(None);
            let last =
                self.front.last_watermark().filter(|at| self.said.is_none_or(|said| *at > said));
            if let Some(at) = last {
                self.said = Some(at);
                self.next.stage_output().watermark(at)?;
            }
        }
        let output = self.next.stage_output();
        output.idle()
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
        snapshot::send_early_output(&self.context, self.next.stage_output());
        if let Some(output) = &mut self.bad.output {
            snapshot::send_early_dead_letters(&self.context, &mut **output);
        }
        let metrics = &self.context.services.metrics;
        metrics.advanced.fetch_add(advanced, Ordering::Relaxed);
        self.records += records;
        if records > 0 {
            self.bad.has_good();
        }
        self.context.services.count_records(records);
        Ok(())
    }
}

impl<S: Source, E: EventTime<S::Item>, C: Collector<S::Item>> Machine for SourceTask<S, E, C> {
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
        self.read(now).map_err(|error| error.in_operator(format!("source '{}'", self.source_name)))
    }
}

#[cfg(test)]
mod tests;
