//! The operator that changes nothing.

use steadfast_core::Result;
use steadfast_core::message::Batch;
use steadfast_core::operator::Operator;
use steadfast_core::state::StateTable;
use steadfast_core::time::Moment;

/// Passes batches on as they are: the head of a stage that only merges or distributes.
pub struct PassThrough;

impl<T: Send> Operator<T> for PassThrough {
    type Out = T;

    fn on_batch(&mut self, _at: Moment, batch: &mut Batch<T>, out: &mut Batch<T>) -> Result<()> {
        out.take_over(batch);
        Ok(())
    }

    fn tables(&mut self, _visit: &mut dyn FnMut(&mut dyn StateTable)) {}
}
