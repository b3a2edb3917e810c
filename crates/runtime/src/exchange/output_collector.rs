//! The end of a fused stage: collects what the last operator pushes and gives it to the outputs.

use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::budget::Reservation;
use steadfast_core::message::{Barrier, Batch};
use steadfast_core::time::Timestamp;

use super::output::{CopyBatch, Output};
use crate::collector::{Collector, FlushStatus, StageOutput, Staged};

/// See the module.
pub struct OutputCollector<T> {
    batch: Batch<T>,
    outputs: Vec<Box<dyn Output<T>>>,
    /// Copies a batch where there is more than one output.
    copy: Option<CopyBatch<T>>,
}

impl<T> OutputCollector<T> {
    /// A collector into the given outputs; `copy` is needed if there are several.
    pub fn new(outputs: Vec<Box<dyn Output<T>>>, copy: Option<CopyBatch<T>>) -> Self {
        OutputCollector { batch: Batch::new(), outputs, copy }
    }
}

impl<T: Send> Collector<T> for OutputCollector<T> {
    #[inline]
    fn push(&mut self, item: T, at: Timestamp) -> Result<()> {
        self.batch.push(item, at);
        Ok(())
    }

    fn push_all(&mut self, batch: &mut Batch<T>) -> Result<()> {
        self.batch.take_over(batch);
        Ok(())
    }

    fn stage_output(&mut self) -> &mut dyn StageOutput {
        self
    }
}

impl<T: Send> StageOutput for OutputCollector<T> {
    fn hold(&mut self, reservation: Option<&Arc<Reservation>>) {
        self.outputs.iter_mut().for_each(|output| output.hold(reservation));
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let Some((last, others)) = self.outputs.split_last_mut() else {
            self.batch.clear();
            return Ok(());
        };
        if let Some(copy) = self.copy {
            for output in others {
                output.take(&mut self.batch.copied(copy))?;
            }
        }
        last.take(&mut self.batch)
    }

    fn watermark(&mut self, at: Timestamp) -> Result<()> {
        self.flush()?;
        self.outputs.iter_mut().for_each(|output| output.watermark(at));
        Ok(())
    }

    fn idle(&mut self) -> Result<()> {
        self.flush()?;
        self.outputs.iter_mut().for_each(|output| output.idle());
        Ok(())
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<()> {
        self.flush()?;
        self.outputs.iter_mut().for_each(|output| output.barrier(barrier));
        Ok(())
    }

    fn drain(&mut self) -> FlushStatus {
        let each = self.outputs.iter_mut().map(|output| output.drain());
        each.fold(FlushStatus::All, FlushStatus::and)
    }

    fn staged(&mut self, min_bytes: usize) -> Vec<Staged> {
        let enough = self.outputs.iter_mut().filter(|output| output.staged_bytes() >= min_bytes);
        enough.filter_map(|output| output.staged()).collect()
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::id::CheckpointId;
    use steadfast_core::message::{BarrierKind, Message};

    use super::super::channel::channel;
    use super::super::output::{Distribution, ExchangeOutput};
    use super::*;

    /// Behind a watermark it would be late, behind a barrier in the wrong epoch.
    #[test]
    fn what_was_collected_goes_before_what_is_said_about_it() {
        let (sender, receiver) = channel::<u32>(10);
        let output = ExchangeOutput::new(Distribution::Rebalance, vec![sender]);
        let mut collector = OutputCollector::new(vec![Box::new(output)], None);
        let (checkpoint, kind) = (CheckpointId(7), BarrierKind::Regular);
        let barrier = Barrier { checkpoint, kind, injected: Timestamp(0) };
        collector.push(1, Timestamp(5)).unwrap();
        collector.watermark(Timestamp(6)).unwrap();
        collector.push(2, Timestamp(6)).unwrap();
        collector.idle().unwrap();
        collector.push(3, Timestamp(7)).unwrap();
        collector.barrier(barrier).unwrap();
        let said = std::iter::from_fn(|| receiver.take()).map(|message| match message {
            Message::Batch(batch) => format!("{:?}", batch.items),
            Message::Watermark(at) => format!("watermark {}", at.0),
            Message::Idle => "idle".to_string(),
            Message::Barrier(barrier) => format!("barrier {}", barrier.checkpoint),
        });
        let said: Vec<_> = said.collect();
        assert_eq!(said, ["[1]", "watermark 6", "[2]", "idle", "[3]", "barrier 7"]);
    }
}
