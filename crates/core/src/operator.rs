//! The contract of an operator: batches in, batches out, state in tables.
//!
//! An operator does not know that checkpoints exist. It is told where an epoch ends, because what
//! it emits then is seen by the outside together with that epoch; the engine freezes its tables.

use crate::error::Result;
use crate::message::Batch;
use crate::state::StateTable;
use crate::time::{Moment, Timestamp};

/// Whether an operator has said all that it had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emission {
    /// There is nothing left.
    Complete,
    /// It is to be called again, with the same, when what it has emitted is on its way.
    More,
}

/// Processes records of type `T`, one batch at a time.
///
/// What is emitted is bounded by what comes in, or in steps: whoever has much to say in one of the calls
/// that return an [`Emission`] says some thousands of records, and *more*. Nothing else is called before it
/// has said that it is complete.
pub trait Operator<T>: Send {
    /// What it emits.
    type Out: Send;

    /// Its state has been restored; called once, before everything else.
    ///
    /// # Errors
    /// Whatever user code returns; the task fails with it.
    fn open(&mut self, _at: Moment) -> Result<()> {
        Ok(())
    }

    /// Processes `batch`, which it may take apart, and appends results to `out`.
    ///
    /// # Errors
    /// As [`Operator::open`].
    fn on_batch(
        &mut self,
        at: Moment,
        batch: &mut Batch<T>,
        out: &mut Batch<Self::Out>,
    ) -> Result<()>;

    /// The watermark has moved on.
    ///
    /// # Errors
    /// As [`Operator::open`].
    fn on_watermark(&mut self, _at: Moment, _out: &mut Batch<Self::Out>) -> Result<Emission> {
        Ok(Emission::Complete)
    }

    /// When [`Operator::on_timer`] wants to be called next, in processing time.
    fn next_timer(&self) -> Option<Timestamp> {
        None
    }

    /// The processing time that it has asked for has come.
    ///
    /// # Errors
    /// As [`Operator::open`].
    fn on_timer(&mut self, _at: Moment, _out: &mut Batch<Self::Out>) -> Result<Emission> {
        Ok(Emission::Complete)
    }

    /// All sources are at their end: results that would still have waited are due. It keeps what more
    /// input would go on with.
    ///
    /// # Errors
    /// As [`Operator::open`].
    fn on_end(&mut self, _at: Moment, _out: &mut Batch<Self::Out>) -> Result<Emission> {
        Ok(Emission::Complete)
    }

    /// The epoch ends here: results that belong to it must be emitted now.
    ///
    /// # Errors
    /// As [`Operator::open`].
    fn on_epoch_end(&mut self, _at: Moment, _out: &mut Batch<Self::Out>) -> Result<Emission> {
        Ok(Emission::Complete)
    }

    /// The job stops here or has ended; called once, after everything else. Not after a crash.
    fn close(&mut self) {}

    /// Shows the engine every table of state that this operator has, always in the same order.
    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable));

    /// Shows, with the name of the operator, how it emits, where another way from one checkpoint on would make
    /// a wrong result: such as `accounts`, `final`.
    fn modes(&self, _visit: &mut dyn FnMut(&str, &str)) {}

    /// Shows counts that a user may want to see, with the name of the operator, such as
    /// `deduplicate`, `duplicates`, 12; they only grow. The engine makes them part of the checkpoint, so that they count every event once across restarts.
    fn counters(&self, _visit: &mut dyn FnMut(&str, &'static str, u64)) {}
}
