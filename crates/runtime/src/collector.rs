//! What fused operators and tasks know of what comes after them.
//!
//! An operator pushes records into the next one ([`Collector`]); a task sees the end of its stage
//! ([`StageOutput`]), whatever type of record flows there. Nothing here knows channels or sinks.

use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::budget::Reservation;
use steadfast_core::message::{Barrier, Batch};
use steadfast_core::time::Timestamp;

/// The receiving end of a fused operator.
pub trait Collector<T>: Send {
    /// Takes one record with its event time.
    ///
    /// # Errors
    /// Whatever user code further on returns.
    fn push(&mut self, item: T, at: Timestamp) -> Result<()>;
    /// Takes all records of `batch`, leaving it empty.
    ///
    /// # Errors
    /// As [`Collector::push`].
    fn push_all(&mut self, batch: &mut Batch<T>) -> Result<()>;
    /// The end of the stage.
    fn stage_output(&mut self) -> &mut dyn StageOutput;
}

/// The end of a stage as its task sees it, whatever type of record flows there.
pub trait StageOutput: Send {
    /// Says that what is flushed from now on has this place in memory.
    fn hold(&mut self, reservation: Option<&Arc<Reservation>>);
    /// Gives all collected records to the ports.
    ///
    /// # Errors
    /// Those of a sink writer.
    fn flush(&mut self) -> Result<()>;
    /// Passes a watermark on, behind everything collected so far.
    ///
    /// # Errors
    /// As [`StageOutput::flush`].
    fn watermark(&mut self, at: Timestamp) -> Result<()>;
    /// Says, behind everything collected so far, that nothing is expected for now.
    ///
    /// # Errors
    /// As [`StageOutput::flush`].
    fn idle(&mut self) -> Result<()>;
    /// Passes a barrier on, behind everything collected so far.
    ///
    /// # Errors
    /// As [`StageOutput::flush`].
    fn barrier(&mut self, barrier: Barrier) -> Result<()>;
    /// Sends what waits for room.
    fn drain(&mut self) -> FlushStatus;
    /// Takes the staged output of every sink that has at least `min_bytes`.
    fn staged(&mut self, min_bytes: usize) -> Vec<Staged>;
}

/// What became of messages that waited for room, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlushStatus {
    /// None waits.
    All,
    /// Some were sent, others still wait.
    Some,
    /// There was no room.
    None,
}

impl FlushStatus {
    /// What became of both: sent through one output and stuck at another is "some".
    #[must_use]
    pub(crate) fn and(self, other: FlushStatus) -> FlushStatus {
        match (self.min(other), self.max(other)) {
            (FlushStatus::Some, _) => FlushStatus::Some,
            (_, worst) => worst,
        }
    }
}

/// The output of an epoch for one sink.
pub struct Staged {
    /// The sink.
    pub sink: String,
    /// What its writer made of the records; empty if there were none.
    pub bytes: Vec<u8>,
    /// How many records have been taken since the task was started.
    pub records: u64,
}
