//! What tasks hand over for a cut, and what the services say to each other.

use std::time::Duration;

use steadfast_core::id::{CheckpointId, TaskId};
use steadfast_core::message::Barrier;
use steadfast_core::state::FrozenTable;
use steadfast_protocol::log::{Committed, Permit};
use steadfast_protocol::manifest::{Counters, Manifest, ObjectRef};

use crate::mailbox::Weigh;

/// One task's part of a cut, not yet written anywhere.
pub struct TaskSnapshot {
    /// The task.
    pub task: TaskId,
    /// The cut.
    pub checkpoint: CheckpointId,
    /// What its tables had at the barrier, by `operator/table`.
    pub tables: Vec<(String, Box<dyn FrozenTable>)>,
    /// What its sink writers staged, by sink.
    pub outputs: Vec<(String, Vec<u8>)>,
    /// The splits that it has taken, by source.
    pub splits: Vec<(String, serde_json::Value)>,
    /// What it has counted since it was started.
    pub counters: Counters,
    /// From the first barrier to the last.
    pub align: Duration,
    /// The time for which it stood still.
    pub sync: Duration,
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
    },
    /// The end of a task's epoch.
    Snapshot(Box<TaskSnapshot>),
}

impl Weigh for ToWriter {
    fn weight(&self) -> usize {
        match self {
            ToWriter::Output { bytes, .. } => bytes.len(),
            ToWriter::Snapshot(_) => 0,
        }
    }
}

/// To [`Coordination`](crate::coordination::Coordination).
pub enum ToCoordination {
    /// A task's part is durable.
    Reported(Box<steadfast_protocol::coordinator::TaskReport>),
    /// A task that reads a source has come to its end.
    SourceEnded,
    /// Take a checkpoint.
    Request,
    /// Take a last checkpoint and stop.
    Stop,
    /// The log holds the cut.
    Committed(Committed),
    /// The targets hold its output.
    Applied(CheckpointId),
}

impl Weigh for ToCoordination {}

/// To the [`Committer`](crate::committer::Committer).
pub enum ToCommitter {
    /// Output of a task for a cut that will be committed soon.
    Parts {
        /// The cut.
        checkpoint: CheckpointId,
        /// The task that staged it.
        task: TaskId,
        /// The parts in order, by sink.
        parts: Vec<(String, Part)>,
    },
    /// Append this cut to the log.
    Commit(Box<Manifest>),
    /// Bring its output into the targets.
    Apply(Permit),
    /// Delete these objects.
    Discard(Vec<String>),
}

impl Weigh for ToCommitter {}

/// A part of a cut's output.
pub struct Part {
    /// Where it lies in the store, if it is part of the cut.
    pub object: ObjectRef,
    /// Its bytes, unless they were too many to keep.
    pub bytes: Option<Vec<u8>>,
}

/// What the coordination knows of the tasks: where to put a barrier.
pub trait Workers: Send {
    /// Gives the barrier to every task that reads a source.
    fn inject(&self, barrier: Barrier);
}
