//! In which order a committer touches store and targets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use steadfast_core::ErrorKind;
use steadfast_core::chunks::Chunks;
use steadfast_core::id::{ClaimId, Generation, Lineage, LogIndex};
use steadfast_core::message::BarrierKind;
use steadfast_core::store::Put;
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target, TargetState,
};
use steadfast_core::time::Timestamp;
use steadfast_protocol::manifest::{Consistency, ObjectRef};

use super::*;
use crate::heard::hear;
use crate::leadership::Candidate;
use crate::object_log::ObjectLog;
use crate::retry::{Late, RetryPolicy};
use crate::store::MemoryStore;

type Notes = Arc<Mutex<Vec<String>>>;

fn note(notes: &Notes, what: String) {
    notes.lock().unwrap_or_else(PoisonError::into_inner).push(what);
}

/// Takes note of what is closed and deleted.
struct NotingStore(MemoryStore, Notes);

impl Store for NotingStore {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        if name.starts_with("closed/") {
            note(&self.1, "close a block of the log".to_string());
        }
        if name.starts_with("shown/") {
            note(&self.1, format!("put {name}"));
        }
        self.0.put_if_absent(name, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.0.get(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.0.list(prefix)
    }

    fn delete(&self, name: &str) -> Result<()> {
        if name.starts_with("data/") {
            note(&self.1, format!("delete {name}"));
        }
        if name.ends_with("stuck") {
            return Err(Error::unavailable("it is stuck"));
        }
        self.0.delete(name)
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

/// Takes note of what is applied; like a terminal, it keeps no marker.
/// It sets two rows of each checkpoint aside.
struct NotingTarget(Notes);

impl Target for NotingTarget {
    fn look(&mut self) -> Result<TargetState> {
        Ok(TargetState::Unmarked)
    }

    fn check(&mut self, _planned: PlannedStep) -> Result<()> {
        Ok(())
    }

    fn acquire(
        &mut self,
        _expected: Option<&Marker>,
        _marker: &Marker,
        _adopt: bool,
    ) -> Result<Conditional<()>> {
        Ok(Conditional::Done(()))
    }

    fn apply(
        &mut self,
        _expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        _rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let text = String::from_utf8(chunks.concat()?).unwrap();
        note(&self.0, format!("apply {}: {text}", marker.checkpoint));
        Ok(Conditional::Done(Applied { rejected: 2 }))
    }

    fn reset(&mut self, _expected: &Marker, _marker: &Marker) -> Result<Conditional<()>> {
        Ok(Conditional::Done(()))
    }

    fn contents(&mut self) -> Result<String> {
        Ok(String::new())
    }

    fn format(&self) -> String {
        "lines".to_string()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AtLeastOnce
    }
}

/// A committer that was told all of this. What it did is in the notes.
fn committed(messages: impl FnOnce(&dyn Store) -> Vec<ToCommitter>) -> Vec<String> {
    let (notes, end) = told(Consistency::AtLeastOnce, messages);
    end.unwrap();
    notes
}

/// The same of a job of some level; with how it ended.
fn told(
    consistency: Consistency,
    messages: impl FnOnce(&dyn Store) -> Vec<ToCommitter>,
) -> (Vec<String>, Result<()>) {
    let notes = Notes::default();
    let (mut committer, inbox, _) = committer(consistency, &notes);
    messages(&*committer.store).into_iter().for_each(|message| inbox.send(message));
    let end = drive(&mut committer);
    let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    (notes.clone(), end)
}

/// A committer that holds a claim, its mailbox, and what it makes room in.
fn committer(
    consistency: Consistency,
    notes: &Notes,
) -> (Committer, Mailbox<ToCommitter>, Arc<Backlog>) {
    let store = Arc::new(NotingStore(MemoryStore::new(), Arc::clone(notes)));
    let candidate = Candidate {
        job: "j".to_string(),
        holder: "h".to_string(),
        nonce: 1,
        lineage: Lineage(1),
        at: Timestamp(0),
        consistency,
        reset: false,
    };
    let leadership = candidate.acquire(Arc::new(ObjectLog::new(Arc::clone(&store) as _))).unwrap();
    let target = || Box::new(NotingTarget(Arc::clone(notes))) as Box<dyn Target>;
    let targets = ["more", "out"].map(|sink| (sink.to_string(), target()));
    let targets = BTreeMap::from(targets);
    let targets = Targets::new(targets, RejectedRows::Fail, RetryPolicy::never());
    let (inbox, coordinator) =
        (Mailbox::new(Waker::noop().clone()), Mailbox::new(Waker::noop().clone()));
    let layout = LogLayout::default();
    let backlog = Arc::new(Backlog::new(0));
    let committer = Committer::new(
        store,
        layout,
        leadership,
        targets,
        inbox.clone(),
        coordinator,
        Arc::clone(&backlog),
    );
    (committer, inbox, backlog)
}

/// Until there is nothing to do, or it fails.
fn drive(committer: &mut Committer) -> Result<()> {
    let now = Now { monotonic: Duration::ZERO, wall: Timestamp(0) };
    loop {
        match committer.step(now) {
            Ok(Progress::Worked) => {}
            end => return end.map(drop),
        }
    }
}

fn object(store: &dyn Store, name: &str, text: &str) -> ObjectRef {
    store.put_if_absent(name, text.as_bytes()).unwrap();
    let crc32c = crc32c::crc32c(text.as_bytes());
    ObjectRef { name: name.to_string(), bytes: text.len() as u64, crc32c }
}

#[test]
fn output_is_applied_by_task_and_in_order_also_where_it_was_too_much_to_keep() {
    let notes = committed(|store| {
        let object = |name: &str, text: &str| object(store, name, text);
        let chunks = |index, chunks: Vec<(ObjectRef, Option<&str>)>| ToCommitter::Chunks {
            checkpoint: CheckpointId(2),
            task: TaskId { stage: "s".to_string(), index },
            chunks: chunks
                .into_iter()
                .map(|(object, bytes)| {
                    let bytes = bytes.map(|text| text.as_bytes().to_vec());
                    ("out".to_string(), OutputChunk { object, is_spilled: false, bytes })
                })
                .collect(),
        };
        let a = vec![(object("data/a", "large "), None), (object("data/b", "x"), Some("small "))];
        let b = vec![(object("data/c", "x"), Some("last"))];
        vec![chunks(1, b), chunks(0, a), ToCommitter::Apply(CheckpointId(2))]
    });
    assert_eq!(notes, ["apply 2: large small last"]);
}

/// Whoever dies in between leaves objects that nobody needs, and no checkpoint that lacks one.
#[test]
fn the_log_forgets_a_checkpoint_before_its_objects_are_deleted() {
    let notes = committed(|_| {
        let unreferenced =
            Unreferenced { objects: vec!["data/a".to_string()], log_before: LogIndex(300) };
        vec![ToCommitter::Discard(unreferenced)]
    });
    assert_eq!(notes, ["close a block of the log", "delete data/a"]);
}

/// What was too much to keep is read again, and may have changed since.
#[test]
fn output_is_held_against_its_checksum_and_length_when_it_is_read_to_be_applied() {
    for found in ["large", "larger", "l", ""] {
        let (notes, end) = told(Consistency::AtLeastOnce, |store| {
            let object = ObjectRef { name: "data/a".into(), ..object(store, "x", "Large") };
            if !found.is_empty() {
                store.put_if_absent("data/a", found.as_bytes()).unwrap();
            }
            let task = TaskId { stage: "s".to_string(), index: 0 };
            let chunks =
                vec![("out".to_string(), OutputChunk { object, is_spilled: false, bytes: None })];
            let checkpoint = CheckpointId(2);
            let chunks = ToCommitter::Chunks { checkpoint, task, chunks };
            vec![chunks, ToCommitter::Apply(checkpoint)]
        });
        let error = end.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{found}");
        let says = match found.len() {
            0 => "is missing",
            5 => "fails its checksum",
            _ => "bytes instead of 5",
        };
        assert!(error.to_string().contains(says), "{error}");
        assert!(notes.is_empty(), "{notes:?}");
    }
}

/// No later checkpoint says that the output of the last one has been shown.
#[test]
fn that_the_last_output_was_shown_is_noted_after_it_was_and_only_then() {
    for (kind, has_marker, is_noted) in [
        (BarrierKind::End, false, true),
        (BarrierKind::Stop, false, true),
        (BarrierKind::Regular, false, false),
        (BarrierKind::End, true, false),
    ] {
        let claim = ClaimId { generation: Generation(1), nonce: 1 };
        let (notes, end) = told(Consistency::ExactlyOnce, |store| {
            let marker = Marker { lineage: Lineage(1), claim, checkpoint: CheckpointId(0) };
            let object = object(store, "data/a", "last");
            let output = StagedOutput {
                written: true,
                chunks: vec![object.clone()],
                before: has_marker.then_some(marker),
                format: "lines".to_string(),
            };
            let manifest = Manifest {
                checkpoint: CheckpointId(2),
                kind,
                outputs: BTreeMap::from([("out".to_string(), output)]),
                ..Manifest::empty("j", Lineage(1), claim, Generation(1))
            };
            let task = TaskId { stage: "s".to_string(), index: 0 };
            let chunks =
                vec![("out".to_string(), OutputChunk { object, is_spilled: false, bytes: None })];
            let checkpoint = CheckpointId(2);
            vec![
                ToCommitter::Chunks { checkpoint, task, chunks },
                ToCommitter::Commit(Box::new(manifest)),
                ToCommitter::Apply(checkpoint),
            ]
        });
        end.unwrap();
        let name = LogLayout::default().shown(CheckpointId(2), claim);
        let noted = is_noted.then(|| format!("put {name}"));
        let expected: Vec<_> = ["apply 2: last".to_string()].into_iter().chain(noted).collect();
        assert_eq!(notes, expected, "{kind:?}");
    }
}

/// They would be kept for as long as the job runs.
#[test]
fn a_permit_that_nobody_needs_is_not_kept() {
    for consistency in [Consistency::ExactlyOnce, Consistency::AtLeastOnce] {
        let (mut committer, inbox, _) = committer(consistency, &Notes::default());
        let claim = committer.leadership.claim().id;
        for checkpoint in (2..10).map(CheckpointId) {
            let manifest =
                Manifest { checkpoint, ..Manifest::empty("j", Lineage(1), claim, Generation(1)) };
            let commit = ToCommitter::Commit(Box::new(manifest));
            let mut steps = vec![commit, ToCommitter::Apply(checkpoint)];
            if consistency == Consistency::AtLeastOnce {
                steps.reverse();
            }
            steps.into_iter().for_each(|step| inbox.send(step));
            drive(&mut committer).unwrap();
            assert!(committer.permits.is_empty(), "{consistency:?}");
        }
    }
}

/// What the job was for is done; the next start deletes what is left.
#[test]
fn what_cannot_be_deleted_at_the_end_is_told_and_fails_nothing() {
    for (kind, is_last) in [(BarrierKind::End, true), (BarrierKind::Regular, false)] {
        let (committer, inbox, _) = committer(Consistency::ExactlyOnce, &Notes::default());
        let claim = committer.leadership.claim().id;
        let left = Arc::new(Mutex::new(Vec::new()));
        let (hurried, told) = (Arc::new(Hurried::default()), Arc::clone(&left));
        let on_leftover = Box::new(move |error: Error| told.lock().unwrap().push(error.message()));
        let mut committer = committer.leaving(Arc::clone(&hurried) as _, on_leftover);
        let checkpoint = CheckpointId(2);
        let manifest =
            Manifest { checkpoint, kind, ..Manifest::empty("j", Lineage(1), claim, Generation(1)) };
        inbox.send(ToCommitter::Commit(Box::new(manifest)));
        inbox.send(ToCommitter::Apply(checkpoint));
        let objects = vec!["data/stuck".to_string()];
        inbox.send(ToCommitter::Discard(Unreferenced { objects, log_before: LogIndex(1) }));
        let end = drive(&mut committer);
        assert_eq!(end.is_ok(), is_last);
        assert_eq!(hurried.0.load(Ordering::Relaxed), is_last);
        let left = left.lock().unwrap();
        assert_eq!(left.len(), usize::from(is_last));
        assert!(left.iter().all(|left| left.contains("it is stuck")), "{left:?}");
    }
}

/// Takes note of whether there is a hurry.
#[derive(Default)]
struct Hurried(AtomicBool);

impl Waiting for Hurried {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
    fn wait(&self, _late: &Late<'_>) -> bool {
        false
    }
    fn hurry(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn whoever_waits_for_targets_goes_on_once_they_hold_the_output_and_not_before() {
    let (mut committer, inbox, backlog) = committer(Consistency::AtLeastOnce, &Notes::default());
    backlog.staged(CheckpointId(2), 1);
    backlog.ended(CheckpointId(2));
    drive(&mut committer).unwrap();
    assert!(!backlog.has_room(Waker::noop()));
    inbox.send(ToCommitter::Apply(CheckpointId(2)));
    drive(&mut committer).unwrap();
    assert!(backlog.has_room(Waker::noop()));
}

#[test]
fn rows_that_were_set_aside_are_counted_over_all_sinks() {
    let (mut committer, inbox, _) = committer(Consistency::AtLeastOnce, &Notes::default());
    let chunk = |sink: &str| {
        let object = ObjectRef { name: String::new(), bytes: 1, crc32c: 0 };
        let chunk = OutputChunk { object, is_spilled: false, bytes: Some(b"x".to_vec()) };
        (sink.to_string(), chunk)
    };
    let task = TaskId { stage: "s".to_string(), index: 0 };
    let (checkpoint, chunks) = (CheckpointId(2), vec![chunk("more"), chunk("out")]);
    inbox.send(ToCommitter::Chunks { checkpoint, task, chunks });
    inbox.send(ToCommitter::Apply(checkpoint));
    let ((), heard) = hear(|| drive(&mut committer).unwrap());
    let told = committer.coordinator.take();
    assert!(matches!(told, Some(ToCoordinator::Applied { rejected_rows: 4, .. })));
    let sinks: Vec<_> =
        heard.iter().map(|h| h.all(["event", "sink", "checkpoint", "rows"])).collect();
    assert_eq!(sinks, ["more", "out"].map(|sink| ["rows_set_aside", sink, "2", "2"]));
}
