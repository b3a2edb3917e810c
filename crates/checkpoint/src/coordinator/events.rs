//! What is told of checkpoints on their way: triggered, late, committed, applied.
//!
//! It only tells; what is done about checkpoints is decided elsewhere. Times are those that the coordinator
//! is given.

use std::collections::BTreeMap;
use std::time::Duration;

use steadfast_core::id::CheckpointId;
use steadfast_core::message::Barrier;
use steadfast_protocol::coordinator::Acknowledgement;
use steadfast_protocol::manifest::{Durations, Manifest, Trigger};

/// A checkpoint that is not done so long after its trigger is told to be late, once.
const LATE_AFTER: Duration = Duration::from_secs(10);

/// The checkpoints that are on their way: two at most.
#[derive(Default)]
pub(super) struct Events(BTreeMap<CheckpointId, Underway>);

/// A checkpoint that is on its way.
struct Underway {
    trigger: &'static str,
    since: Duration,
    /// What the tasks have added to the store for it.
    bytes: u64,
    durations: Durations,
    step: Step,
    /// When that began.
    step_since: Duration,
    is_committed: bool,
    is_applied: bool,
    is_late: bool,
}

#[derive(Clone, Copy)]
enum Step {
    Collecting,
    Committing,
    Applying,
}

impl Events {
    pub(super) fn triggered(&mut self, barrier: Barrier, trigger: Option<Trigger>, now: Duration) {
        let (checkpoint, trigger) = (barrier.checkpoint, trigger.map_or("", word));
        tracing::debug!(
            name: "checkpoint_triggered",
            checkpoint = checkpoint.0,
            trigger,
            "a checkpoint begins"
        );
        let underway = Underway {
            trigger,
            since: now,
            bytes: 0,
            durations: Durations::default(),
            step: Step::Collecting,
            step_since: now,
            is_committed: false,
            is_applied: false,
            is_late: false,
        };
        self.0.insert(checkpoint, underway);
    }

    pub(super) fn acknowledged(&mut self, acknowledgement: &Acknowledgement) {
        let Acknowledgement { checkpoint, task, state, outputs, .. } = acknowledgement;
        let state = state.iter().map(|(_, file)| file.object.bytes);
        let bytes = state.chain(outputs.iter().map(|(_, object)| object.bytes)).sum::<u64>();
        tracing::debug!(
            name: "task_acknowledged",
            checkpoint = checkpoint.0,
            task = %task,
            bytes,
            "a task's part of a checkpoint is durable"
        );
        if let Some(underway) = self.0.get_mut(checkpoint) {
            underway.bytes += bytes;
        }
    }

    pub(super) fn committing(&mut self, manifest: &Manifest, now: Duration) {
        if let Some(underway) = self.begin(manifest.checkpoint, Step::Committing, now) {
            underway.durations = manifest.durations;
        }
    }

    pub(super) fn applying(&mut self, checkpoint: CheckpointId, now: Duration) {
        self.begin(checkpoint, Step::Applying, now);
    }

    fn begin(
        &mut self,
        checkpoint: CheckpointId,
        step: Step,
        now: Duration,
    ) -> Option<&mut Underway> {
        let underway = self.0.get_mut(&checkpoint)?;
        (underway.step, underway.step_since) = (step, now);
        Some(underway)
    }

    pub(super) fn committed(&mut self, checkpoint: CheckpointId, now: Duration) {
        let Some(underway) = self.0.get_mut(&checkpoint) else { return };
        let Durations { align_us, sync_us, write_us } = underway.durations;
        tracing::info!(
            name: "checkpoint_committed",
            checkpoint = checkpoint.0,
            trigger = underway.trigger,
            bytes = underway.bytes,
            align_us,
            sync_us,
            write_us,
            commit_us = micros(now, underway.step_since),
            "a checkpoint is committed"
        );
        underway.is_committed = true;
        self.forget_if_done(checkpoint);
    }

    pub(super) fn applied(&mut self, checkpoint: CheckpointId, rejected_rows: u64, now: Duration) {
        let Some(underway) = self.0.get_mut(&checkpoint) else { return };
        tracing::debug!(
            name: "checkpoint_applied",
            checkpoint = checkpoint.0,
            rejected_rows,
            apply_us = micros(now, underway.step_since),
            "the output of a checkpoint is in its targets"
        );
        underway.is_applied = true;
        self.forget_if_done(checkpoint);
    }

    fn forget_if_done(&mut self, checkpoint: CheckpointId) {
        let is_done = |underway: &Underway| underway.is_committed && underway.is_applied;
        if self.0.get(&checkpoint).is_some_and(is_done) {
            self.0.remove(&checkpoint);
        }
    }

    /// Tells what is late, once for each checkpoint.
    pub(super) fn look(&mut self, now: Duration) {
        let late = |underway: &&mut Underway| underway.tells_late_at().is_some_and(|at| at <= now);
        for (checkpoint, underway) in &mut self.0 {
            let Some(underway) = Some(underway).filter(late) else { continue };
            underway.is_late = true;
            tracing::warn!(
                name: "checkpoint_late",
                checkpoint = checkpoint.0,
                trigger = underway.trigger,
                waits_for = underway.step.waits_for(),
                since_us = micros(now, underway.since),
                "a checkpoint is late"
            );
        }
    }

    /// When the next one will be late.
    pub(super) fn late_at(&self) -> Option<Duration> {
        self.0.values().filter_map(Underway::tells_late_at).min()
    }
}

impl Underway {
    /// When it is to be told that it is late; none if it was.
    fn tells_late_at(&self) -> Option<Duration> {
        (!self.is_late).then(|| self.since.saturating_add(LATE_AFTER))
    }
}

impl Step {
    fn waits_for(self) -> &'static str {
        match self {
            Step::Collecting => "tasks",
            Step::Committing => "log",
            Step::Applying => "targets",
        }
    }
}

/// Somebody wants the job to stop.
pub(super) fn stopping(within: Option<Duration>) {
    let within_ms = within.map(|within| within.as_millis() as u64);
    tracing::info!(name: "job_stopping", within_ms, "the job stops after a last checkpoint");
}

/// The last checkpoint is committed and applied.
pub(super) fn finished(manifest: &Manifest) {
    tracing::info!(
        name: "job_ended",
        checkpoint = manifest.checkpoint.0,
        finished = manifest.is_finished(),
        "the last checkpoint is committed and applied"
    );
}

fn micros(now: Duration, since: Duration) -> u64 {
    now.saturating_sub(since).as_micros() as u64
}

/// As the manifest has it.
fn word(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Periodic => "periodic",
        Trigger::Records => "records",
        Trigger::Manual => "manual",
        Trigger::Stop => "stop",
        Trigger::EndOfInput => "end_of_input",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use steadfast_core::id::{ClaimId, Generation, Lineage, TaskId};
    use steadfast_core::message::BarrierKind;
    use steadfast_core::time::Timestamp;
    use steadfast_protocol::manifest::ObjectRef;

    use super::*;
    use crate::heard::{Heard, hear};

    const FIRST: CheckpointId = CheckpointId(7);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn trigger(events: &mut Events, checkpoint: CheckpointId, at: u64) {
        let barrier = Barrier { checkpoint, kind: BarrierKind::Regular, injected: Timestamp(0) };
        events.triggered(barrier, Some(Trigger::Records), seconds(at));
    }

    fn acknowledge(events: &mut Events, bytes: u64) {
        let object = ObjectRef { name: String::new(), bytes, crc32c: 0 };
        events.acknowledged(&Acknowledgement {
            task: TaskId { stage: "totals".into(), index: 1 },
            checkpoint: FIRST,
            state: Vec::new(),
            outputs: vec![("out".into(), object)],
            written: Default::default(),
            splits: Vec::new(),
            watermark: None,
            counters: BTreeMap::new(),
            align: Duration::ZERO,
            sync: Duration::ZERO,
        });
    }

    fn manifest() -> Manifest {
        let claim = ClaimId { generation: Generation(1), nonce: 1 };
        let durations = Durations { align_us: 1, sync_us: 2, write_us: 3 };
        let manifest = Manifest::empty("sums", Lineage(1), claim, Generation(1));
        Manifest { checkpoint: FIRST, durations, ..manifest }
    }

    fn names(heard: &[Heard]) -> Vec<&str> {
        heard.iter().map(|heard| heard.get("event")).collect()
    }

    #[test]
    fn a_checkpoint_is_told_with_what_it_weighs_and_how_long_it_took() {
        let mut events = Events::default();
        let ((), heard) = hear(|| {
            trigger(&mut events, FIRST, 0);
            acknowledge(&mut events, 20);
            acknowledge(&mut events, 22);
            events.committing(&manifest(), seconds(1));
            events.committed(FIRST, seconds(3));
            events.applying(FIRST, seconds(3));
            events.applied(FIRST, 5, seconds(8));
        });
        let [triggered, _, _, committed, applied] = &heard[..] else { panic!("{heard:?}") };
        let told = triggered.all(["event", "level", "checkpoint", "trigger"]);
        assert_eq!(told, ["checkpoint_triggered", "DEBUG", "7", "records"]);
        let told = committed.all(["event", "level", "checkpoint", "trigger", "bytes"]);
        assert_eq!(told, ["checkpoint_committed", "INFO", "7", "records", "42"]);
        let took = committed.all(["align_us", "sync_us", "write_us", "commit_us"]);
        assert_eq!(took, ["1", "2", "3", "2000000"]);
        let told = applied.all(["event", "checkpoint", "rejected_rows", "apply_us"]);
        assert_eq!(told, ["checkpoint_applied", "7", "5", "5000000"]);
        assert!(events.0.is_empty(), "nothing is kept of what is done");
    }

    #[test]
    fn what_is_late_is_told_once_with_what_it_waits_for() {
        let mut events = Events::default();
        let ((), heard) = hear(|| {
            trigger(&mut events, FIRST, 5);
            events.look(seconds(14));
            events.committing(&manifest(), seconds(14));
            trigger(&mut events, CheckpointId(8), 14);
            assert_eq!(events.late_at(), Some(seconds(15)));
            events.look(seconds(15));
            events.look(seconds(20));
            assert_eq!(events.late_at(), Some(seconds(24)));
            events.look(seconds(24));
        });
        let late: Vec<_> = heard.iter().filter(|h| h.get("event") == "checkpoint_late").collect();
        let fields = ["level", "checkpoint", "waits_for", "since_us"];
        assert_eq!(late[0].all(fields), ["WARN", "7", "log", "10000000"]);
        assert_eq!(late[1].all(fields), ["WARN", "8", "tasks", "10000000"]);
        assert_eq!((late.len(), events.late_at()), (2, None), "{:?}", names(&heard));
    }

    /// Where output is applied first, the commit is the last step.
    #[test]
    fn the_order_of_the_steps_does_not_matter() {
        let mut events = Events::default();
        let ((), heard) = hear(|| {
            trigger(&mut events, FIRST, 0);
            events.applying(FIRST, seconds(1));
            events.applied(FIRST, 0, seconds(2));
            events.committing(&manifest(), seconds(2));
            events.committed(FIRST, seconds(3));
        });
        let expected = ["checkpoint_triggered", "checkpoint_applied", "checkpoint_committed"];
        assert_eq!(names(&heard), expected);
        assert!(events.0.is_empty());
    }
}
