//! Operators that hold others together: one that changes nothing, and two in a row.

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

/// Two operators on the same key, one after the other in the same task.
pub struct Then<A, B, M> {
    first: A,
    second: B,
    between: Batch<M>,
}

impl<A, B, M> Then<A, B, M> {
    /// `second` behind `first`.
    pub fn new(first: A, second: B) -> Self {
        Then { first, second, between: Batch::new() }
    }
}

impl<A, B: Operator<M>, M> Then<A, B, M> {
    /// Gives the second what the first has emitted.
    fn pass(&mut self, out: &mut Batch<B::Out>) -> Result<()> {
        if !self.between.items.is_empty() {
            self.second.on_batch(&mut self.between, out)?;
            self.between.clear();
        }
        Ok(())
    }
}

impl<T, M: Send, A: Operator<T, Out = M>, B: Operator<M>> Operator<T> for Then<A, B, M> {
    type Out = B::Out;

    fn on_batch(&mut self, batch: &mut Batch<T>, out: &mut Batch<B::Out>) -> Result<()> {
        self.first.on_batch(batch, &mut self.between)?;
        self.pass(out)
    }

    fn on_watermark(&mut self, at: Timestamp, out: &mut Batch<B::Out>) -> Result<()> {
        self.first.on_watermark(at, &mut self.between)?;
        self.pass(out)?;
        self.second.on_watermark(at, out)
    }

    fn on_epoch_end(&mut self, kind: BarrierKind, out: &mut Batch<B::Out>) -> Result<()> {
        self.first.on_epoch_end(kind, &mut self.between)?;
        self.pass(out)?;
        self.second.on_epoch_end(kind, out)
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        self.first.tables(visit);
        self.second.tables(visit);
    }

    fn counters(&self, visit: &mut dyn FnMut(&str, &'static str, u64)) {
        self.first.counters(visit);
        self.second.counters(visit);
    }
}
