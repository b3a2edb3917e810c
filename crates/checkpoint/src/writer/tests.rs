//! What a writer has said is durable is durable, and what tasks handed over stays in order.

use std::task::Waker;
use std::time::Duration;

use steadfast_core::time::Timestamp;
use steadfast_protocol::coordinator::Acknowledgement;
use steadfast_protocol::manifest::Counters;

use super::*;
use crate::object::fetch;
use crate::snapshot::ReadingTables;
use crate::store::MemoryStore;
use steadfast_core::budget::Budget;

/// Refuses to put anything once the checkpoint that it is for has been acknowledged.
struct Watched {
    objects: MemoryStore,
    coordinator: Mailbox<ToCoordinator>,
}

impl Store for Watched {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        assert!(self.coordinator.take().is_none(), "{name} is put after it was acknowledged");
        self.objects.put_if_absent(name, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.objects.get(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.objects.list(prefix)
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.objects.delete(name)
    }

    fn describe(&self) -> String {
        self.objects.describe()
    }
}

struct Scene {
    store: Arc<Watched>,
    writer: SnapshotWriter,
    inbox: Mailbox<ToWriter>,
    committer: Mailbox<ToCommitter>,
    backlog: Arc<Backlog>,
}

const NOW: Now = Now { monotonic: Duration::ZERO, wall: Timestamp(0) };

fn scene(consistency: Consistency) -> Scene {
    let (inbox, coordinator, committer) = (
        Mailbox::new(Waker::noop().clone()),
        Mailbox::new(Waker::noop().clone()),
        Mailbox::new(Waker::noop().clone()),
    );
    let objects = MemoryStore::new();
    let store = Arc::new(Watched { objects, coordinator: coordinator.clone() });
    let shared = Arc::clone(&store) as Arc<dyn Store>;
    let (to_writer, to_committer) = (inbox.clone(), committer.clone());
    let backlog = Arc::new(Backlog::new(0));
    let writer = SnapshotWriter::new(
        (0, 1),
        shared,
        WriterSettings { generation: Generation(1), consistency, limits: Limits::default() },
        inbox,
        coordinator,
        committer,
        Arc::clone(&backlog),
    );
    Scene { store, writer, inbox: to_writer, committer: to_committer, backlog }
}

fn task() -> TaskId {
    TaskId { stage: "s".to_string(), index: 0 }
}

impl Scene {
    /// Output while the epoch runs.
    fn early(&mut self, bytes: &[u8]) {
        let (sink, bytes) = ("out".to_string(), bytes.to_vec());
        let reservation = Arc::new(Budget::new(0)).reserve(bytes.len());
        self.inbox.send(ToWriter::Output { task: task(), sink, bytes, reservation });
        assert_eq!(self.writer.step(NOW).unwrap(), Progress::Worked);
    }

    /// The end of the epoch, with the rest of the output.
    fn end(&mut self, checkpoint: u64, bytes: &[u8]) -> Result<Acknowledgement> {
        self.inbox.send(ToWriter::Snapshot(Box::new(TaskSnapshot {
            task: task(),
            checkpoint: CheckpointId(checkpoint),
            tables: Vec::new(),
            outputs: vec![("out".to_string(), bytes.to_vec())],
            splits: Vec::new(),
            watermark: None,
            counters: Counters::new(),
            align: Duration::ZERO,
            sync: Duration::ZERO,
            reading: Arc::new(ReadingTables::new(Waker::noop().clone())),
        })));
        self.writer.step(NOW)?;
        match self.store.coordinator.take() {
            Some(ToCoordinator::Acknowledged(acknowledgement)) => Ok(*acknowledgement),
            _ => panic!("no acknowledgement"),
        }
    }

    /// What the committer would bring into the target.
    fn handed_over(&self) -> Vec<u8> {
        let Some(ToCommitter::Chunks { chunks, .. }) = self.committer.take() else {
            panic!("no chunks")
        };
        let bytes = chunks.into_iter().map(|(_, chunk)| match chunk.bytes {
            Some(bytes) => bytes,
            None => fetch(&*self.store, &chunk.object).unwrap(),
        });
        bytes.collect::<Vec<_>>().concat()
    }
}

#[test]
fn output_is_durable_before_it_is_acknowledged_and_early_output_comes_first() {
    let mut scene = scene(Consistency::ExactlyOnce);
    let large = vec![b'l'; Limits::default().kept_chunk_bytes + 1];
    for (checkpoint, early) in [(2, &b"early"[..]), (3, &large)] {
        scene.early(early);
        scene.early(b"-later-");
        let acknowledgement = scene.end(checkpoint, b"rest").unwrap();
        assert!(acknowledgement.written.contains("out"));
        let expected = [early, b"-later-", b"rest"].concat();
        let refs = acknowledgement.outputs.iter();
        let durable: Vec<_> = refs.map(|(_, r)| fetch(&*scene.store, r).unwrap()).collect();
        assert!(durable.concat() == expected, "what the manifest names");
        assert!(scene.handed_over() == expected, "what the committer is given");
    }
}

#[test]
fn all_output_counts_until_targets_hold_it_and_holds_sources_once_its_epoch_has_ended() {
    for level in [Consistency::ExactlyOnce, Consistency::AtLeastOnce, Consistency::AtMostOnce] {
        let mut scene = scene(level);
        let has_room = |scene: &Scene| scene.backlog.has_room(Waker::noop());
        scene.early(b"early");
        assert!(has_room(&scene));
        scene.end(2, b"").unwrap();
        assert!(!has_room(&scene));
        scene.backlog.applied(CheckpointId(2));
        assert!(has_room(&scene));
        scene.end(3, b"rest").unwrap();
        assert!(!has_room(&scene));
    }
}

#[test]
fn output_that_may_be_repeated_or_lost_is_handed_over_in_order_and_kept_nowhere() {
    for level in [Consistency::AtLeastOnce, Consistency::AtMostOnce] {
        let mut scene = scene(level);
        scene.early(b"early-");
        let acknowledgement = scene.end(2, b"rest").unwrap();
        assert!(acknowledgement.outputs.is_empty() && acknowledgement.written.contains("out"));
        assert_eq!(scene.handed_over(), b"early-rest");
        assert!(scene.store.list("").unwrap().is_empty());
    }
}

#[test]
fn an_object_with_other_contents_is_never_taken_for_its_own() {
    let name = names::data(CheckpointId(2), Generation(1), 0, "out.output");
    for (there, is_own) in [(&b"rest"[..], true), (b"tser", false)] {
        let mut scene = scene(Consistency::ExactlyOnce);
        scene.store.put_if_absent(&name, there).unwrap();
        let (_, written) = &scene.end(2, b"rest").unwrap().outputs[0];
        assert_eq!(written.name == name, is_own);
        assert_eq!(scene.store.get(&written.name).unwrap().unwrap(), b"rest");
    }
}
