//! A task that reads splits of a source into the fused operators behind it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_checkpoint::snapshot::{ToCoordinator, ToSource};
use steadfast_core::id::CheckpointId;
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::message::{Barrier, BarrierKind};
use steadfast_core::source::{PollLimit, Polled, Source, SplitReader, SplitStatus};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};
use steadfast_protocol::coordinator::TakenSplit;
use steadfast_protocol::manifest::SplitNumber;

use super::bad_input::BadInputs;
use super::discovering::Discovering;
use super::finished_splits::FinishedSplits;
use super::snapshot::{self, SnapshotContents};
use super::source_output::{PolledAmounts, TaskSourceOutput};
use super::split_queue::{SplitQueue, Waiting};
use crate::collector::{Collector, FlushStatus};
use crate::context::{TaskContext, TaskServices};
use crate::event_time::{EventTime, Front, Slowest, SourceTime};
use crate::status::SplitNames;
use crate::user_code::{OperatorId, OperatorLabel};

/// The function of a source that tells event times, as errors name it.
pub(super) const EVENT_TIME: &str = "event_time";

/// See the module.
pub(crate) struct SourceTask<S: Source, E, C> {
    name: String,
    source_name: String,
    /// The source, and its function of event time, as errors name them.
    reading: OperatorLabel,
    timing: OperatorLabel,
    context: TaskContext,
    source: Arc<S>,
    event_time: Arc<E>,
    front: Front,
    queue: Arc<SplitQueue<S::Split>>,
    /// Looks for splits, in one task of the source.
    discovering: Option<Discovering<S::Split>>,
    names: SplitNames,
    /// The splits that are being read; the first is next.
    active: VecDeque<Active<S::Reader>>,
    /// The splits that this task has read to their end since the last barrier.
    ended: Vec<(usize, S::Split)>,
    /// What is kept of those before.
    finished: FinishedSplits,
    /// The positions in checkpoints that are not known to be committed.
    uncommitted: VecDeque<(CheckpointId, Vec<S::Split>)>,
    /// The watermark that was passed on last.
    said: Timestamp,
    /// Whether it was passed on after it that nothing is expected.
    is_quiet: bool,
    bad: BadInputs,
    records: u64,
    inbox: Mailbox<ToSource>,
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

/// What the tasks of a source share.
pub(super) struct SharedSource<S: Source, E> {
    pub(super) name: String,
    pub(super) source: Arc<S>,
    pub(super) event_time: Arc<E>,
    pub(super) time: Arc<SourceTime>,
    pub(super) queue: Arc<SplitQueue<S::Split>>,
    pub(super) names: SplitNames,
}

/// What one of them begins with.
pub(super) struct SourceTaskInit<S: Source> {
    pub(super) bad: BadInputs,
    pub(super) inbox: Mailbox<ToSource>,
    pub(super) finished: FinishedSplits,
    pub(super) discovering: Option<Discovering<S::Split>>,
}

impl<S: Source, E: EventTime<S::Item>, C: Collector<S::Item>> SourceTask<S, E, C> {
    /// A task that reads splits as it finds them in the queue.
    pub(super) fn new(
        shared: &SharedSource<S, E>,
        init: SourceTaskInit<S>,
        next: C,
        context: TaskContext,
    ) -> Self {
        let SourceTaskInit { bad, inbox, finished, discovering } = init;
        SourceTask {
            name: context.id.to_string(),
            source_name: shared.name.clone(),
            reading: context.label(&OperatorId::source(&*shared.name, "")),
            timing: context.label(&OperatorId::source(&*shared.name, EVENT_TIME)),
            source: Arc::clone(&shared.source),
            event_time: Arc::clone(&shared.event_time),
            front: Front::new(Arc::clone(&shared.time), context.index),
            queue: Arc::clone(&shared.queue),
            discovering,
            names: shared.names.clone(),
            active: VecDeque::new(),
            ended: Vec::new(),
            finished,
            uncommitted: VecDeque::new(),
            said: Timestamp::MIN,
            is_quiet: false,
            bad,
            records: 0,
            inbox,
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
        let splits = self.splits(barrier.checkpoint)?;
        let mut contents = SnapshotContents { splits, ..SnapshotContents::default() };
        let table = self.finished.table();
        if let Some(frozen) = table.freeze(&self.context.services.limits.state) {
            contents.tables.push((table.name().to_string(), frozen));
        }
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
        // Its one table is small: it need not wait until that is written.
        let _ = contents.send(&self.context, barrier);
        self.next.stage_output().barrier(barrier)?;
        if barrier.kind.is_last() {
            self.state = State::Leaving;
        }
        Ok(())
    }

    /// The splits that this task reads, with their positions, and those that it has read to their ends since the
    /// last barrier.
    fn splits(&mut self, checkpoint: CheckpointId) -> Result<Vec<TakenSplit>> {
        let ended = std::mem::take(&mut self.ended).into_iter();
        let ended = ended.map(|(number, split)| (number, split, true));
        let active = self.active.iter().map(|active| (active.number, active.reader.split(), false));
        let all: Vec<_> = ended.chain(active).collect();
        let mut taken = Vec::with_capacity(all.len());
        for (number, split, finished) in &all {
            let number = SplitNumber(*number as u64);
            let remembered = if *finished { self.source.remember(split) } else { None };
            let status = SplitStatus { split, finished: *finished, done: 0 };
            let split = split_value(&status).map_err(|e| e.at(self.source_name.clone()))?;
            taken.push(TakenSplit { source: self.source_name.clone(), number, split: Some(split) });
            if let Some(remembered) = remembered {
                self.finished.add(number, remembered);
            }
        }
        // After the others: what is both in the list and forgotten is forgotten.
        taken.extend(self.finished.unlist(&self.source_name));
        let positions = all.into_iter().map(|(_, split, _)| split).collect();
        self.uncommitted.push_back((checkpoint, positions));
        Ok(taken)
    }

    /// A checkpoint is committed: its positions, and those of all before it.
    fn committed(&mut self, checkpoint: CheckpointId) {
        let mut positions = None;
        while self.uncommitted.front().is_some_and(|(next, _)| *next <= checkpoint) {
            positions = self.uncommitted.pop_front();
        }
        if let Some((_, positions)) = positions {
            self.source.committed(&positions);
        }
    }

    /// Takes splits that nobody has begun.
    fn take_splits(&mut self) -> Result<()> {
        let tasks = self.context.space.tasks;
        while self.active.iter().filter(|active| active.idle.is_none()).count()
            < self.source.at_once()
            && let Some(Waiting { number, split, first }) =
                self.queue.take((self.active.len(), tasks), |split| self.front.begins(split))
        {
            let (task, source) = (&*self.name, &*self.source_name);
            let what = || serde_json::to_string(&split).unwrap_or_default();
            tracing::debug!(name: "split_begun", task, source, split = number, what = %what(), "a split is begun");
            let reader = self.source.open(split, self.context.waker())?;
            self.context.services.activity.note();
            self.active.push_back(Active { number, reader, latest: first, idle: None });
            self.publish();
        }
        Ok(())
    }

    /// Looks for splits, if it is for this task to do so and the time has come.
    fn discover(&mut self, now: Now) -> Result<()> {
        let Some(discovering) = &mut self.discovering else { return Ok(()) };
        let found = discovering.look(now.wall)?;
        if !found.is_empty() {
            let (source, splits) = (&*self.source_name, found.len() as u64);
            tracing::info!(name: "splits_found", source, splits, "parts of a source were found while it is read");
        }
        if E::IS_TIMED {
            self.names.extend(found.iter().map(|split| self.source.describe_split(split)));
        }
        let open = &self.context.services.metrics.open_splits;
        open.fetch_add(found.len() as u64, Ordering::Relaxed);
        self.queue.add(found, E::IS_TIMED);
        if discovering.is_over() {
            self.queue.complete();
            self.discovering = None;
        }
        Ok(())
    }

    /// Lets the next of the splits that are being read have its turn.
    fn turn(&mut self) {
        self.active.rotate_left(1);
    }

    /// Whether what was read before must be on its way first. The task is woken then.
    fn is_held_back(&self) -> bool {
        let TaskServices { in_flight, backlog, .. } = &*self.context.services;
        let waker = self.context.waker();
        let is_backpressured = snapshot::is_backpressured(&self.context);
        is_backpressured || !in_flight.has_room(waker) || !backlog.has_room(waker)
    }

    fn read(&mut self, now: Now) -> Result<Progress> {
        if self.is_held_back() {
            return Ok(Progress::Blocked);
        }
        self.discover(now)?;
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
            let bad = self.bad.count;
            let mut output = TaskSourceOutput {
                timing: &self.timing,
                event_time: &*self.event_time,
                front: &mut self.front,
                latest: &mut active.latest,
                next: &mut self.next,
                bad: &mut self.bad,
                polled: PolledAmounts::default(),
            };
            let polled = self.reading.calls(|| active.reader.poll(limit, now.wall, &mut output))?;
            let amounts = output.polled;
            let has_read = amounts.records + amounts.advanced > 0 || self.bad.count > bad;
            if has_read || !matches!(polled, Polled::Idle(_)) {
                self.context.services.activity.note();
            }
            let records = amounts.records;
            let ended = polled == Polled::End;
            match polled {
                Polled::Idle(_) if records == 0 => {
                    active.idle.get_or_insert((now.monotonic, now.monotonic)).1 = now.monotonic;
                }
                _ => active.idle = None,
            }
            if ended && let Some(Active { number, reader, .. }) = self.active.pop_front() {
                let (task, source) = (&*self.name, &*self.source_name);
                tracing::debug!(name: "split_finished", task, source, split = number, "a split is at its end");
                self.ended.push((number, reader.split()));
                self.queue.finished_one();
                // What comes next holds the watermark back before this one ceases to.
                self.take_splits()?;
            }
            self.handled(amounts)?;
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
        // What has nothing for now leaves room for others.
        let active = self.active.len();
        self.take_splits()?;
        if self.active.len() > active {
            return Ok(Progress::Worked);
        }
        if self.queue.is_over(self.context.waker()) && self.active.is_empty() {
            self.bad.ended()?;
            self.state = State::Ended;
            let (task, source, records) = (&*self.name, &*self.source_name, self.records);
            tracing::info!(name: "source_ended", task, source, records, "no split is left for a task");
            self.say_last_watermark()?;
            self.context.services.coordinator.send(ToCoordinator::SourceEnded);
            return Ok(Progress::Worked);
        }
        self.say_nothing_to_read()?;
        let discovery = self.discovering.as_ref().and_then(|discovering| discovering.due_at());
        let discovery = discovery.map(|at| now.until(at));
        let until = [until, self.next_silence(), discovery].into_iter().flatten().min();
        if is_held && until.is_none() {
            return Ok(Progress::Blocked);
        }
        Ok(Progress::Idle(until))
    }

    /// A task without a split holds nobody back.
    fn say_nothing_to_read(&mut self) -> Result<()> {
        if !E::IS_TIMED || !self.active.is_empty() {
            return Ok(());
        }
        let is_held_back = self.front.synchronize(None, self.queue.least());
        self.publish();
        self.say_quiet(is_held_back)
    }

    /// Passes on that the task expects nothing for now. As soon as no task of the source does, the greatest time
    /// counts, whoever read it: it may have been read together with the end of the last split, or before a restart.
    fn say_quiet(&mut self, is_held_back: bool) -> Result<()> {
        let reached = self.front.last_watermark().filter(|at| !is_held_back && *at > self.said);
        if let Some(at) = reached {
            self.said = at;
            self.next.stage_output().watermark(at)?;
        }
        if reached.is_some() || !self.is_quiet {
            self.is_quiet = true;
            self.next.stage_output().idle()?;
        }
        Ok(())
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
        let (slowest, untaken) = (read.min(), self.queue.least());
        let is_held_back = self.front.synchronize(slowest, untaken);
        let splits = [slowest, untaken].into_iter().flatten();
        let watermark = self.front.watermark(splits.map(|split| split.at));
        self.publish();
        match watermark {
            Some(at) if self.is_quiet || at > self.said => {
                self.is_quiet = false;
                self.said = self.said.max(at);
                self.next.stage_output().watermark(self.said)
            }
            None if !self.active.is_empty() => self.say_quiet(is_held_back),
            // Without a split the task looks for one before it says so.
            _ => Ok(()),
        }
    }

    /// Passes on how far all tasks together have come: where none expects anything more, the greatest
    /// counts, whoever read what and ended first.
    fn say_last_watermark(&mut self) -> Result<()> {
        self.front.publish(None);
        if E::IS_TIMED {
            self.front.synchronize(None, self.queue.least());
            if let Some(at) = self.front.last_watermark().filter(|at| *at > self.said) {
                self.said = at;
                self.next.stage_output().watermark(at)?;
            }
        }
        let output = self.next.stage_output();
        output.idle()
    }

    /// Passes on what one poll has brought.
    fn handled(&mut self, amounts: PolledAmounts) -> Result<()> {
        let PolledAmounts { records, advanced, weight } = amounts;
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
        match self.inbox.take() {
            Some(ToSource::Barrier(barrier)) => {
                self.barrier(barrier)?;
                return Ok(Progress::Worked);
            }
            Some(ToSource::Committed(checkpoint)) => {
                self.committed(checkpoint);
                return Ok(Progress::Worked);
            }
            None => {}
        }
        if self.state == State::Ended {
            return Ok(Progress::Idle(None));
        }
        self.read(now).map_err(|error| error.in_operator(format!("source '{}'", self.source_name)))
    }
}

#[cfg(test)]
mod tests;
