//! The contract of a sink whose output is staged: durable with the checkpoint, visible after it.
//!
//! A sink has two halves. The [`SinkWriter`] runs inside a task and turns records into bytes; it
//! touches nothing outside. The [`Target`] runs beside the workers, one per sink and process, and
//! brings the bytes of a whole checkpoint into the outside system in one step.
//!
//! A sink knows no checkpoints, stores or tasks.

use crate::error::Result;
use crate::target::{Target, TargetIdentity};

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

    /// The target. This call creates and changes nothing outside: it is made before it is known
    /// whether the job can run at all.
    ///
    /// # Errors
    /// `Unavailable` if the outside system cannot be reached, `Configuration` if the sink's
    /// settings cannot work.
    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>>;

    /// Where the output goes, for people: `sqlite:ledger.db, table balances`.
    fn describe(&self) -> String;

    /// The place that the sink has for itself, the same however it was spelled; none if others may write there, too.
    /// Two sinks of a job that have one place are refused before anything is written. This call looks at nothing
    /// outside.
    fn own_place(&self) -> Option<String> {
        None
    }
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
