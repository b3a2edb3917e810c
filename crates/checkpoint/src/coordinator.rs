//! Runs the coordinator: passes observations in and commands on. Never blocks.

use std::sync::Arc;
use std::time::Duration;

use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::coordinator::{Command, Coordinator};
use steadfast_protocol::manifest::Manifest;

use crate::activity::Activity;
use crate::mailbox::Mailbox;
use crate::record_count::RecordCount;
use crate::snapshot::{ToCommitter, ToCoordinator, Workers};

mod events;

use events::Events;

/// Is called with every checkpoint that has been committed and applied, and with how many rows targets
/// have set aside since the last call.
pub(crate) type OnCheckpoint = Box<dyn FnMut(&Manifest, u64) + Send>;

/// See the module.
pub struct CoordinatorService {
    coordinator: Coordinator,
    workers: Box<dyn Workers>,
    inbox: Mailbox<ToCoordinator>,
    committer: Mailbox<ToCommitter>,
    records: Arc<RecordCount>,
    activity: Arc<Activity>,
    on_checkpoint: OnCheckpoint,
    seen: u64,
    rejected_rows: u64,
    /// When the job must have stopped.
    stop_by: Option<Duration>,
    events: Events,
    finished: bool,
}

impl CoordinatorService {
    /// Drives `coordinator`.
    pub fn new(
        coordinator: Coordinator,
        workers: Box<dyn Workers>,
        inbox: Mailbox<ToCoordinator>,
        committer: Mailbox<ToCommitter>,
        (records, activity): (Arc<RecordCount>, Arc<Activity>),
        on_checkpoint: OnCheckpoint,
    ) -> Self {
        let seen = coordinator.latest().map_or(0, |restored| restored.checkpoint.0);
        let (rejected_rows, stop_by, finished) = (0, None, false);
        CoordinatorService {
            coordinator,
            workers,
            inbox,
            committer,
            records,
            activity,
            on_checkpoint,
            seen,
            rejected_rows,
            stop_by,
            events: Events::default(),
            finished,
        }
    }

    fn observe(&mut self, message: ToCoordinator, now: Now) {
        let now = now.monotonic;
        match message {
            ToCoordinator::Acknowledged(acknowledgement) => {
                self.events.acknowledged(&acknowledgement);
                self.coordinator.acknowledged(now, *acknowledgement)
            }
            ToCoordinator::SourceEnded => self.coordinator.source_ended(),
            ToCoordinator::Request => self.coordinator.request(),
            ToCoordinator::Stop { within } => {
                events::stopping(within);
                let by = within.map(|within| now.saturating_add(within));
                self.stop_by = [self.stop_by, by].into_iter().flatten().min();
                self.coordinator.request_stop();
            }
            ToCoordinator::Committed(checkpoint) => {
                self.events.committed(checkpoint, now);
                self.coordinator.committed(now, checkpoint);
                self.workers.committed(checkpoint);
            }
            ToCoordinator::Applied { checkpoint, rejected_rows } => {
                self.events.applied(checkpoint, rejected_rows, now);
                self.rejected_rows += rejected_rows;
                self.coordinator.applied(now, checkpoint);
            }
        }
        if let Some(latest) = self.coordinator.latest().filter(|l| l.checkpoint.0 > self.seen) {
            self.seen = latest.checkpoint.0;
            (self.on_checkpoint)(latest, std::mem::take(&mut self.rejected_rows));
        }
    }

    fn carry_out(&mut self, command: Command, now: Now) {
        match command {
            Command::Inject(barrier) => {
                self.events.triggered(barrier, self.coordinator.trigger(), now.monotonic);
                self.workers.inject(barrier);
            }
            Command::Commit(manifest) => {
                self.events.committing(&manifest, now.monotonic);
                self.committer.send(ToCommitter::Commit(manifest));
            }
            Command::Apply(checkpoint) => {
                self.events.applying(checkpoint, now.monotonic);
                self.committer.send(ToCommitter::Apply(checkpoint));
            }
            Command::Discard(unreferenced) => {
                self.committer.send(ToCommitter::Discard(unreferenced));
            }
            Command::Finish(manifest) => {
                events::finished(&manifest);
                self.finished = true;
            }
        }
    }
}

impl Machine for CoordinatorService {
    fn name(&self) -> &str {
        "coordinator"
    }

    fn step(&mut self, now: Now) -> Result<Progress> {
        let mut worked = false;
        while let Some(message) = self.inbox.take() {
            self.observe(message, now);
            worked = true;
        }
        // Taken before the barrier goes out: what is noted after this is for the next checkpoint.
        if self.activity.take() {
            self.coordinator.changed();
        }
        self.coordinator.tick(now.monotonic, now.wall, self.records.read());
        while let Some(command) = self.coordinator.next_command() {
            self.carry_out(command, now);
            worked = true;
        }
        if self.finished {
            return Ok(Progress::Done);
        }
        if self.stop_by.is_some_and(|by| by <= now.monotonic) {
            return Err(Error::because(
                Cause::NOT_STOPPED,
                "the last checkpoint is not complete, and the time to stop is over",
            )
            .hint("start the job again: it goes on from the newest checkpoint that is complete"));
        }
        self.events.look(now.monotonic);
        // Asked last: what was read before that is seen here, what is read after it wakes.
        if self.records.wake_at(self.coordinator.due_records()) || worked {
            return Ok(Progress::Worked);
        }
        let times = [self.coordinator.due(), self.stop_by, self.events.late_at()];
        Ok(Progress::Idle(times.into_iter().flatten().min()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::task::Waker;

    use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage, TaskId};
    use steadfast_core::message::Barrier;
    use steadfast_core::time::Timestamp;
    use steadfast_protocol::coordinator::{CoordinatorInit, Settings};
    use steadfast_protocol::manifest::Consistency;
    use steadfast_protocol::retention::Retained;

    use super::*;

    struct Nobody;

    impl Workers for Nobody {
        fn inject(&self, _barrier: Barrier) {}
        fn committed(&self, _checkpoint: CheckpointId) {}
    }

    #[test]
    fn a_job_that_is_to_stop_is_looked_after_at_the_end_of_its_time() {
        let settings = Settings {
            job: "j".into(),
            consistency: Consistency::ExactlyOnce,
            interval: Some(Duration::from_secs(1)),
            records: None,
            key_groups: 8,
            parallelism: 1,
        };
        let init = CoordinatorInit {
            claim: ClaimId { generation: Generation(1), nonce: 1 },
            lineage: Lineage(1),
            origin: Generation(1),
            restored: None,
            retained: Retained::new(1, []),
            tasks: BTreeSet::from([TaskId { stage: "s".into(), index: 0 }]),
            source_tasks: 1,
            splits: BTreeMap::new(),
            tables: BTreeSet::new(),
            modes: BTreeMap::new(),
            sinks: BTreeMap::new(),
        };
        let waker = Waker::noop();
        let inbox = Mailbox::new(waker.clone());
        let mut service = CoordinatorService::new(
            Coordinator::new(settings, init),
            Box::new(Nobody),
            inbox.clone(),
            Mailbox::new(waker.clone()),
            (Arc::new(RecordCount::new(waker.clone())), Arc::default()),
            Box::new(|_, _| {}),
        );
        let at = |seconds| Now { monotonic: Duration::from_secs(seconds), wall: Timestamp(0) };
        inbox.send(ToCoordinator::Stop { within: Some(Duration::from_secs(60)) });
        assert_eq!(service.step(at(5)).unwrap(), Progress::Worked);
        // Before that, it is told that the checkpoint is late.
        for (now, then) in [(5, 15), (15, 65)] {
            let idle = service.step(at(now)).unwrap();
            assert_eq!(idle, Progress::Idle(Some(Duration::from_secs(then))));
        }
        assert!(service.step(at(64)).is_ok());
        assert!(service.step(at(65)).is_err(), "the last checkpoint is not complete");
    }
}
