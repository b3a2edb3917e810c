//! The contract of an operator: batches in, batches out, state in tables.
//!
//! An operator does not know that checkpoints exist. It is told where an epoch ends, because what
//! it emits then is seen by the outside together with that epoch; the engine freezes its tables.

use crate::error::Result;
use crate::message::{BarrierKind, Batch};
use crate::state::StateTable;
use crate::time::Timestamp;

/// Processes records of type `T`, one batch at a time.
pub trait Operator<T>: Send {
    /// What it emits.
    type Out: Send;

    /// Processes `batch`, which it may take apart, and appends results to `out`.
    ///
    /// # Errors
    /// Whatever user code returns; the task fails with it.
    fn on_batch(&mut self, batch: &mut Batch<T>, out: &mut Batch<Self::Out>) -> Result<()>;

    /// No record older than `at` will come any more.
    ///
    /// # Errors
    /// As [`Operator::on_batch`].
    fn on_watermark(&mut self, at: Timestamp, out: &mut Batch<Self::Out>) -> Result<()>;

    /// The epoch ends here: results that belong to it must be emitted now.
    ///
    /// # Errors
    /// As [`Operator::on_batch`].
    fn on_epoch_end(&mut self, kind: BarrierKind, out: &mut Batch<Self::Out>) -> Result<()>;

    /// Shows the engine every table of state that this operator has, always in the same order.
    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable));

    /// Shows, with the name of the operator, how it emits, where another way from one checkpoint on would make
    /// a wrong result: such as `accounts`, `final`.
    fn modes(&self, _visit: &mut dyn FnMut(&str, &'static str)) {}

    /// Shows counts that a user may want to see, with the name of the operator, such as
    /// `deduplicate`, `duplicates`, 12; they only grow. The engine makes them part of the checkpoint, so that they count every event once across restarts.
    fn counters(&self, visit: &mut dyn FnMut(&str, &'static str, u64));
}
