//! What tasks hand over for a checkpoint, and what the services say to each other.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use steadfast_core::id::{CheckpointId, TaskId};
use steadfast_core::message::Barrier;
use steadfast_core::state::FrozenTable;
use steadfast_core::time::Timestamp;
use steadfast_protocol::coordinator::{Acknowledgement, TakenSplit};
use steadfast_protocol::manifest::{Counters, Manifest, ObjectRef};
use steadfast_protocol::retention::Unreferenced;

use steadfast_core::budget::Reservation;

/// One task's chunk of a checkpoint, not yet written anywhere.
pub struct TaskSnapshot {
    /// The task.
    pub task: TaskId,
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// What its tables had at the barrier, by `operator/table`.
    pub tables: Vec<(String, Box<dyn FrozenTable>)>,
    /// What its sink writers staged, by sink.
    pub outputs: Vec<(String, Vec<u8>)>,
    /// The splits that it has taken.
    pub splits: Vec<TakenSplit>,
    /// How far event time has come, by the operator's or source's name.
    pub watermark: Option<(String, Timestamp)>,
    /// What it has counted since it was started.
    pub counters: Counters,
    /// From the first barrier to the last.
    pub align: Duration,
    /// The time for which it stood still.
    pub sync: Duration,
    /// Held until the tables are written.
    pub reading: Arc<ReadingTables>,
}

/// Whoever holds it reads what a task has frozen. Dropped, it wakes the task, which may have copied so much
/// of its state meanwhile that it waits.
#[derive(Debug)]
pub struct ReadingTables(Waker);

impl ReadingTables {
    /// Wakes `waker` when it is dropped.
    pub fn new(waker: Waker) -> Self {
        ReadingTables(waker)
    }
}

impl Drop for ReadingTables {
    fn drop(&mut self) {
        self.0.wake_by_ref();
    }
}

/// To the [`SnapshotWriter`](crate::writer::SnapshotWriter).
pub enum ToWriter {
    /// Output of the running epoch that is too much to keep in memory.
    Output {
        /// The task that staged it.
        task: TaskId,
        /// For which sink.
        sink: String,
        /// The bytes.
        bytes: Vec<u8>,
        /// Their place in memory, until they are written.
        reservation: Reservation,
    },
    /// The end of a task's epoch.
    Snapshot(Box<TaskSnapshot>),
}

/// To [`CoordinatorService`](crate::coordinator::CoordinatorService).
pub enum ToCoordinator {
    /// A task's chunk is durable.
    Acknowledged(Box<Acknowledgement>),
    /// A task that reads a source has come to its end.
    SourceEnded,
    /// Take a checkpoint.
    Request,
    /// Take a last checkpoint and stop, within this time if there is one.
    Stop {
        /// The time; none: as long as it takes.
        within: Option<Duration>,
    },
    /// The log holds the checkpoint.
    Committed(CheckpointId),
    /// The targets hold its output.
    Applied {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Rows that targets refused for good, and set aside.
        rejected_rows: u64,
    },
}

/// To the [`Committer`](crate::committer::Committer).
pub enum ToCommitter {
    /// Output of a task for a checkpoint that will be committed soon.
    Chunks {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The task that staged it.
        task: TaskId,
        /// The chunks in order, by sink.
        chunks: Vec<(String, OutputChunk)>,
    },
    /// Append this checkpoint to the log.
    Commit(Box<Manifest>),
    /// Bring its output into the targets.
    Apply(CheckpointId),
    /// Delete what is not needed any more.
    Discard(Unreferenced),
}

/// A chunk of a checkpoint's output.
pub struct OutputChunk {
    /// Where it lies in the store, if it was written there; and how long it is.
    pub object: ObjectRef,
    /// Whether it lies there for want of memory only, and is no part of the checkpoint.
    pub is_spilled: bool,
    /// Its bytes, unless they were too many to keep.
    pub bytes: Option<Vec<u8>>,
}

/// What the coordinator knows of the tasks: where to put a barrier.
pub trait Workers: Send {
    /// Gives the barrier to every task that reads a source.
    fn inject(&self, barrier: Barrier);

    /// Tells every task that reads a source that the log holds this checkpoint.
    fn committed(&self, checkpoint: CheckpointId);
}

/// To a task that reads a source.
pub enum ToSource {
    /// Pass this on, with all that belongs before it.
    Barrier(Barrier),
    /// The log holds this checkpoint.
    Committed(CheckpointId),
}
