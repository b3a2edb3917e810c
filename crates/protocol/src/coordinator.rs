//! When to take a checkpoint, when to commit it, when its output may be applied.
//!
//! ```text
//!             due             all tasks acknowledged            commit confirmed       output applied
//!   (none) ────────▶ Pending ───────────────────────▶ Committing ─────────────▶ Applying ────────────▶ (none)
//! ```
//!
//! One checkpoint is collected while the one before it is committed and applied, never more. A job that
//! repeats output rather than lose it (`at_least_once`) applies before it commits.
//!
//! A checkpoint that is due because time has passed is left out while nothing has happened that it would keep. An
//! idle job takes one now and then all the same: a process that was taken over finds out when it commits.
//!
//! There is no "failed checkpoint" here: a checkpoint is committed, or the attempt to run the job ends and
//! the next one begins at the checkpoint before. The coordinator knows no tasks beyond their names, and no
//! store: it says what to do by [`Command`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use steadfast_core::id::{CheckpointId, TaskId};
use steadfast_core::message::{Barrier, BarrierKind};
use steadfast_core::time::Timestamp;

use crate::manifest::{Consistency, Counters, Manifest, Trigger};
use crate::retention::{Retained, Unreferenced};

mod beginning;
mod drawing;

pub use beginning::{CoordinatorInit, Settings, SinkInit};
pub use drawing::{Acknowledgement, TakenSplit};

/// What the coordinator wants done.
#[derive(Debug)]
pub enum Command {
    /// Give this barrier to every task that reads a source.
    Inject(Barrier),
    /// Append this checkpoint to the log, then say [`Coordinator::committed`].
    Commit(Box<Manifest>),
    /// Apply the output of this checkpoint to every target, then say [`Coordinator::applied`].
    Apply(CheckpointId),
    /// Delete what is not needed any more, when convenient.
    Discard(Unreferenced),
    /// The last checkpoint is committed and applied: the job is over.
    Finish(Box<Manifest>),
}

/// A job in which nothing happens takes a checkpoint after this time, if its interval is shorter.
pub const LONGEST_IDLE: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub struct Coordinator {
    settings: Settings,
    tasks: BTreeSet<TaskId>,
    running_sources: usize,
    /// What the next manifest builds on: the newest one, or an empty one.
    latest: Manifest,
    base_counters: Counters,
    next: CheckpointId,
    retained: Retained,
    pending: Option<Pending>,
    committing: Option<Committing>,
    /// When the running interval began.
    interval_began: Option<Duration>,
    /// When the last checkpoint was triggered, or the attempt began.
    triggered_at: Option<Duration>,
    triggered_records: u64,
    /// Whether anything has happened since that a checkpoint would keep.
    has_changed: bool,
    requested: bool,
    stop_requested: bool,
    over: bool,
    commands: VecDeque<Command>,
}

#[derive(Debug)]
struct Pending {
    barrier: Barrier,
    trigger: Trigger,
    since: Duration,
    missing: BTreeSet<TaskId>,
    acknowledgements: BTreeMap<TaskId, Acknowledgement>,
}

#[derive(Debug)]
struct Committing {
    manifest: Box<Manifest>,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    ApplyingFirst,
    Committing,
    ApplyingLast,
}

impl Coordinator {
    /// A coordinator for one attempt to run the job.
    pub fn new(settings: Settings, init: CoordinatorInit) -> Self {
        let latest = drawing::begin(&settings, &init);
        let CoordinatorInit { claim, restored, retained, tasks, source_tasks, .. } = init;
        Coordinator {
            tasks,
            running_sources: source_tasks,
            base_counters: restored.map(|manifest| manifest.counters).unwrap_or_default(),
            next: CheckpointId(claim.generation.0 + 1),
            latest,
            retained,
            settings,
            pending: None,
            committing: None,
            interval_began: None,
            triggered_at: None,
            triggered_records: 0,
            // Where the attempt begins is not what the checkpoint says that it was restored from.
            has_changed: true,
            requested: false,
            stop_requested: false,
            over: false,
            commands: VecDeque::new(),
        }
    }

    /// Time has passed, records were read. Triggers a checkpoint if one is due.
    pub fn tick(&mut self, now: Duration, wall: Timestamp, records: u64) {
        let began = *self.interval_began.get_or_insert(now);
        let triggered_at = *self.triggered_at.get_or_insert(now);
        if self.over || self.pending.is_some() {
            return;
        }
        let interval_over = self.settings.interval.is_some_and(|interval| now - began >= interval);
        let counts = self.has_changed || now - triggered_at >= LONGEST_IDLE;
        let enough_records = self.due_records().is_some_and(|due| records >= due);
        let (trigger, kind) = if self.running_sources == 0 {
            (Trigger::EndOfInput, BarrierKind::End)
        } else if self.stop_requested {
            (Trigger::Stop, BarrierKind::Stop)
        } else if self.requested {
            (Trigger::Manual, BarrierKind::Regular)
        } else if interval_over && counts {
            (Trigger::Periodic, BarrierKind::Regular)
        } else if enough_records {
            (Trigger::Records, BarrierKind::Regular)
        } else {
            if interval_over {
                self.interval_began = Some(now);
            }
            return;
        };
        self.requested = false;
        self.has_changed = false;
        self.interval_began = Some(now);
        self.triggered_at = Some(now);
        self.triggered_records = records;
        self.over = kind.is_last();
        let barrier = Barrier { checkpoint: self.next, kind, injected: wall };
        self.next.0 += 1;
        let (missing, acknowledgements) = (self.tasks.clone(), BTreeMap::new());
        self.pending = Some(Pending { barrier, trigger, since: now, missing, acknowledgements });
        self.commands.push_back(Command::Inject(barrier));
    }

    /// When [`Coordinator::tick`] should be called at the latest, if nothing else happens.
    pub fn due(&self) -> Option<Duration> {
        if self.over || self.pending.is_some() {
            return None;
        }
        self.settings
            .interval
            .zip(self.interval_began)
            .map(|(interval, at)| at.saturating_add(interval))
    }

    /// The number of records at which [`Coordinator::tick`] should be called at the latest.
    pub fn due_records(&self) -> Option<u64> {
        if self.over || self.pending.is_some() {
            return None;
        }
        self.settings.records.map(|records| self.triggered_records.saturating_add(records))
    }

    /// Something has happened that a checkpoint would keep: a position has moved, an operator was called. Whoever
    /// does not say so loses nothing: it is in the next checkpoint, which may be later.
    pub fn changed(&mut self) {
        self.has_changed = true;
    }

    /// Somebody wants a checkpoint.
    pub fn request(&mut self) {
        self.requested = true;
    }

    /// Somebody wants the job to stop after a last checkpoint.
    pub fn request_stop(&mut self) {
        self.stop_requested = true;
    }

    /// A task that reads a source has come to the end of it.
    pub fn source_ended(&mut self) {
        self.running_sources = self.running_sources.saturating_sub(1);
    }

    /// A task's part of the checkpoint is durable.
    pub fn acknowledged(&mut self, now: Duration, acknowledgement: Acknowledgement) {
        let Some(pending) = &mut self.pending else { return };
        if acknowledgement.checkpoint == pending.barrier.checkpoint
            && pending.missing.remove(&acknowledgement.task)
        {
            pending.acknowledgements.insert(acknowledgement.task.clone(), acknowledgement);
        }
        self.settle_if_complete(now);
    }

    /// The log holds the checkpoint.
    pub fn committed(&mut self, now: Duration, checkpoint: CheckpointId) {
        let Some(committing) = &mut self.committing else { return };
        if committing.step != Step::Committing || committing.manifest.checkpoint != checkpoint {
            return;
        }
        if self.settings.consistency == Consistency::AtLeastOnce {
            self.settled(now);
        } else {
            committing.step = Step::ApplyingLast;
            self.commands.push_back(Command::Apply(checkpoint));
        }
    }

    /// The targets hold the output of the checkpoint.
    pub fn applied(&mut self, now: Duration, checkpoint: CheckpointId) {
        let Some(committing) = &mut self.committing else { return };
        if committing.manifest.checkpoint != checkpoint {
            return;
        }
        match committing.step {
            Step::ApplyingFirst => {
                committing.step = Step::Committing;
                self.commands.push_back(Command::Commit(committing.manifest.clone()));
            }
            Step::ApplyingLast => self.settled(now),
            Step::Committing => {}
        }
    }

    /// Why the checkpoint that is being collected was triggered.
    pub fn trigger(&self) -> Option<Trigger> {
        self.pending.as_ref().map(|pending| pending.trigger)
    }

    /// What to do next.
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The newest checkpoint that is committed and applied, if there is one. Before this process has
    /// committed any, only its number and state are those of the restored one.
    pub fn latest(&self) -> Option<&Manifest> {
        (self.latest.checkpoint.0 > 0).then_some(&self.latest)
    }

    fn settle_if_complete(&mut self, now: Duration) {
        let complete = self.pending.as_ref().is_some_and(|c| c.missing.is_empty());
        if self.committing.is_some() || !complete {
            return;
        }
        let Some(collected) = self.pending.take() else { return };
        let manifest = Box::new(self.draw(collected, now));
        let (step, command) = match self.settings.consistency {
            Consistency::AtLeastOnce => (Step::ApplyingFirst, Command::Apply(manifest.checkpoint)),
            _ => (Step::Committing, Command::Commit(manifest.clone())),
        };
        self.commands.push_back(command);
        self.committing = Some(Committing { manifest, step });
    }

    fn draw(&self, collected: Pending, now: Duration) -> Manifest {
        let Pending { barrier, trigger, since, acknowledgements, .. } = collected;
        let mut manifest = Manifest {
            checkpoint: barrier.checkpoint,
            retained: self.retained.with(barrier.checkpoint),
            previous: self.latest().map(|latest| latest.checkpoint),
            trigger,
            kind: barrier.kind,
            triggered_at: barrier.injected,
            counters: self.base_counters.clone(),
            ..drawing::after(&self.latest)
        };
        for acknowledgement in acknowledgements.into_values() {
            drawing::contribute(&mut manifest, acknowledgement);
        }
        manifest.durations.write_us = now.saturating_sub(since).as_micros() as u64;
        manifest
    }

    fn settled(&mut self, now: Duration) {
        let Some(Committing { manifest, .. }) = self.committing.take() else { return };
        self.commands.extend(self.retained.add(&manifest).map(Command::Discard));
        if manifest.kind.is_last() {
            self.commands.push_back(Command::Finish(manifest.clone()));
        }
        self.latest = *manifest;
        self.settle_if_complete(now);
    }
}

#[cfg(test)]
mod tests;
