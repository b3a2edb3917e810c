//! The contract of a sink whose output is staged: durable with the checkpoint, visible after it.
//!
//! A sink has two halves. The [`SinkWriter`] runs inside a task and turns records into bytes; it
//! touches nothing outside. The [`Target`] runs beside the workers, one per sink and process, and
//! brings the bytes of a whole checkpoint into the outside system in one step, together with a marker.
//! Applying the same checkpoint again has no effect, which is why recovery may always repeat the last one.
//!
//! Neither half knows checkpoints, stores or tasks. Only the committer can reach a target.

use crate::error::Result;
use crate::id::CheckpointId;

/// Makes the two halves of a sink.
pub trait Sink: Send + Sync + 'static {
    /// What it takes.
    type Item: Send + 'static;
    /// The half that runs in a task.
    type Writer: SinkWriter<Item = Self::Item> + 'static;

    /// A writer for one task.
    ///
    /// # Errors
    /// `Configuration` if the sink's settings cannot work.
    fn writer(&self) -> Result<Self::Writer>;

    /// The target, which this call may create (folders, tables) but not change.
    ///
    /// # Errors
    /// `Unavailable` if the outside system cannot be reached, `Configuration` if it does not fit.
    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>>;

    /// Where the output goes, for people: `sqlite:ledger.db, table balances`.
    fn describe(&self) -> String;
}

/// Who writes: markers of different jobs and sinks in one target must not be mixed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetIdentity {
    /// The job's name.
    pub job: String,
    /// The sink's name within the job.
    pub sink: String,
}

/// Turns records into staged bytes inside a task.
pub trait SinkWriter: Send {
    /// What it takes.
    type Item;

    /// Takes all of `items`, leaving it empty.
    ///
    /// # Errors
    /// `UserCode` if a record refuses to be serialized.
    fn write(&mut self, items: &mut Vec<Self::Item>) -> Result<()>;

    /// How many bytes wait to be taken.
    fn staged_bytes(&self) -> usize;

    /// Hands over everything written since the last call. Empty if there was nothing.
    fn take_staged(&mut self) -> Vec<u8>;
}

/// The outside system, as seen by the committer.
pub trait Target: Send {
    /// The last checkpoint whose output this target holds, by its own marker.
    ///
    /// # Errors
    /// `Unavailable` if the outside system does not answer.
    fn applied(&mut self) -> Result<Option<CheckpointId>>;

    /// Brings `parts` (what the writers staged, in a fixed order) into the outside system in one
    /// atomic step together with the marker `checkpoint`. Without effect if the marker is already
    /// at `checkpoint` or later.
    ///
    /// # Errors
    /// `Unavailable` if it is not known to have happened; the same call may be repeated.
    fn apply(&mut self, checkpoint: CheckpointId, parts: &[Vec<u8>]) -> Result<()>;

    /// What it can guarantee.
    fn guarantee(&self) -> DeliveryGuarantee;

    /// Removes everything that this sink has written, marker included: the job starts from scratch.
    ///
    /// # Errors
    /// `Unavailable` if the outside system does not answer.
    fn reset(&mut self) -> Result<()>;
}

/// What a target can guarantee about a checkpoint that is applied more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryGuarantee {
    /// Applying a checkpoint again has no effect, and so has applying other output for the same keys:
    /// upserts. Falling back to an older checkpoint is safe.
    UpsertOnce,
    /// Applying a checkpoint again has no effect: appends guarded by a marker.
    AppendOnce,
    /// There is no marker: output shows up again after a crash.
    AtLeastOnce,
}
