//! The operator that changes nothing.

use steadfast_core::Result;
use steadfast_core::message::{BarrierKind, Batch};
use steadfast_core::operator::Operator;
use steadfast_core::state::StateTable;
use steadfast_core::time::Timestamp;

/// Passes batches on as they are: the head of a stage that only merges or distributes.
pub struct PassThrough;

impl<T: Send> Operator<T> for PassThrough {
    type Out = T;

    fn on_batch(&mut self, batch: &mut Batch<T>, out: &mut Batch<T>) -> Result<()> {
        if out.items.is_empty() {
            std::mem::swap(batch, out);
        } else {
            out.items.append(&mut batch.items);
            out.hashes.append(&mut batch.hashes);
        }
        Ok(())
    }

    fn on_watermark(&mut self, _at: Timestamp, _out: &mut Batch<T>) -> Result<()> {
        Ok(())
    }

    fn on_epoch_end(&mut self, _kind: BarrierKind, _out: &mut Batch<T>) -> Result<()> {
        Ok(())
    }

    fn tables(&mut self, _visit: &mut dyn FnMut(&mut dyn StateTable)) {}

    fn counters(&self, _visit: &mut dyn FnMut(&str, &'static str, u64)) {}
}
