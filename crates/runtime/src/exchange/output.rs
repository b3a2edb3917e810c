//! An output takes the records that leave a stage: an exchange hands them to the tasks of the next
//! stage, a sink stages them.
//!
//! One dynamic call per batch; nothing here happens per record but the distribution itself.

use std::collections::VecDeque;
use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::budget::Reservation;
use steadfast_core::key::{KeyGroup, KeyHash, KeySpace};
use steadfast_core::message::{Barrier, Batch, Message};
use steadfast_core::sink::SinkWriter;
use steadfast_core::time::Timestamp;

use super::channel::{Sender, line_up};
use crate::collector::{FlushStatus, Staged};
use crate::user_code::OperatorLabel;

/// One way out of a stage.
pub trait Output<T>: Send {
    /// Takes all records of `batch`.
    ///
    /// # Errors
    /// Those of a sink writer.
    fn take(&mut self, batch: &mut Batch<T>) -> Result<()>;
    /// Says that what is taken from now on has this place in memory.
    fn hold(&mut self, _reservation: Option<&Arc<Reservation>>) {}
    /// Passes a watermark on.
    fn watermark(&mut self, at: Timestamp);
    /// Passes on that nothing is expected for now.
    fn idle(&mut self);
    /// Passes a barrier on.
    fn barrier(&mut self, barrier: Barrier);
    /// Sends what waits for room.
    fn drain(&mut self) -> FlushStatus;
    /// Hands over staged output: the sink's name, its bytes, and how many records they hold.
    fn staged(&mut self) -> Option<Staged>;
    /// How many bytes are staged.
    fn staged_bytes(&self) -> usize;
}

/// Hashes the keys of a whole batch.
pub type HashKeys<T> = Arc<dyn Fn(&[T], &mut Vec<KeyHash>) + Send + Sync>;

/// Copies a whole batch.
pub type CopyBatch<T> = fn(&[T]) -> Vec<T>;

/// To whom an exchange gives a record.
pub enum Distribution<T> {
    /// To the task that owns the record's key group.
    ByKey {
        /// Hashes keys.
        hash: HashKeys<T>,
        /// The key space.
        space: KeySpace,
        /// Whose keys they are, as errors name it.
        label: OperatorLabel,
    },
    /// A batch to each task in turn; with a single channel, everything to it.
    Rebalance,
    /// To every task.
    Broadcast(CopyBatch<T>),
}

/// The way to the next stage.
pub struct ExchangeOutput<T> {
    distribution: Distribution<T>,
    subpartitions: Vec<Subpartition<T>>,
    /// The subpartition of each key group.
    subpartition_of_group: Vec<u16>,
    hashes: Vec<KeyHash>,
    turn: usize,
}

struct Subpartition<T> {
    sender: Sender<T>,
    waiting: VecDeque<Message<T>>,
    batch: Batch<T>,
    reservation: Option<Arc<Reservation>>,
}

impl<T> ExchangeOutput<T> {
    /// An output that distributes records among `senders`, one for each task of the next stage.
    pub fn new(distribution: Distribution<T>, senders: Vec<Sender<T>>) -> Self {
        let subpartition_of_group = match &distribution {
            Distribution::ByKey { space, .. } => {
                (0..space.groups).map(|group| space.task_of(KeyGroup(group))).collect()
            }
            _ => Vec::new(),
        };
        let subpartitions = senders.into_iter().map(Subpartition::new).collect();
        ExchangeOutput {
            distribution,
            subpartitions,
            subpartition_of_group,
            hashes: Vec::new(),
            turn: 0,
        }
    }
}

impl<T> Subpartition<T> {
    fn new(sender: Sender<T>) -> Self {
        Subpartition { sender, waiting: VecDeque::new(), batch: Batch::new(), reservation: None }
    }

    fn post(&mut self, message: Message<T>) {
        if self.waiting.is_empty() && self.sender.has_room(&message) {
            self.sender.send(message);
        } else {
            line_up(&mut self.waiting, message);
        }
    }

    /// Posts what has been collected, and goes on with an empty batch.
    fn post_collected(&mut self) {
        let mut batch = std::mem::replace(&mut self.batch, self.sender.empty_batch());
        batch.reservation.clone_from(&self.reservation);
        self.post(Message::Batch(batch));
    }

    /// Posts all records of `batch`, leaving it empty.
    fn post_all(&mut self, batch: &mut Batch<T>) {
        self.batch.take_over(batch);
        self.post_collected();
    }
}

impl<T: Send> Output<T> for ExchangeOutput<T> {
    fn take(&mut self, batch: &mut Batch<T>) -> Result<()> {
        match &self.distribution {
            Distribution::ByKey { hash, space, label } => {
                if let [subpartition] = &mut self.subpartitions[..] {
                    subpartition.batch.take_over(batch);
                    let Batch { items, hashes, .. } = &mut subpartition.batch;
                    label.calls(|| hash(items, hashes));
                    subpartition.post_collected();
                    return Ok(());
                }
                self.hashes.clear();
                label.calls(|| hash(&batch.items, &mut self.hashes));
                for ((item, at), hash) in batch.drain().zip(&self.hashes) {
                    let subpartition =
                        self.subpartition_of_group[usize::from(space.group_of(*hash).0)];
                    let batch = &mut self.subpartitions[usize::from(subpartition)].batch;
                    batch.push(item, at);
                    batch.hashes.push(*hash);
                }
                let filled = self
                    .subpartitions
                    .iter_mut()
                    .filter(|subpartition| !subpartition.batch.items.is_empty());
                filled.for_each(Subpartition::post_collected);
            }
            Distribution::Rebalance => {
                self.turn = (self.turn + 1) % self.subpartitions.len();
                self.subpartitions[self.turn].post_all(batch);
            }
            Distribution::Broadcast(copy) => {
                for subpartition in &mut self.subpartitions {
                    subpartition.post_all(&mut batch.copied(*copy));
                }
                batch.clear();
            }
        }
        Ok(())
    }

    fn hold(&mut self, reservation: Option<&Arc<Reservation>>) {
        self.subpartitions
            .iter_mut()
            .for_each(|subpartition| subpartition.reservation = reservation.cloned());
    }

    fn watermark(&mut self, at: Timestamp) {
        self.subpartitions
            .iter_mut()
            .for_each(|subpartition| subpartition.post(Message::Watermark(at)));
    }

    fn idle(&mut self) {
        self.subpartitions.iter_mut().for_each(|subpartition| subpartition.post(Message::Idle));
    }

    fn barrier(&mut self, barrier: Barrier) {
        self.subpartitions
            .iter_mut()
            .for_each(|subpartition| subpartition.post(Message::Barrier(barrier)));
    }

    fn drain(&mut self) -> FlushStatus {
        let (mut sent, mut waits) = (false, false);
        for subpartition in &mut self.subpartitions {
            let Subpartition { sender, waiting, .. } = subpartition;
            while waiting.front().is_some_and(|message| sender.has_room(message))
                && let Some(message) = waiting.pop_front()
            {
                sender.send(message);
                sent = true;
            }
            waits |= !subpartition.waiting.is_empty();
        }
        match (waits, sent) {
            (false, _) => FlushStatus::All,
            (true, true) => FlushStatus::Some,
            (true, false) => FlushStatus::None,
        }
    }

    fn staged(&mut self) -> Option<Staged> {
        None
    }

    fn staged_bytes(&self) -> usize {
        0
    }
}

/// The way into a sink.
pub struct SinkOutput<W> {
    label: OperatorLabel,
    writer: W,
    records: u64,
}

impl<W> SinkOutput<W> {
    /// An output into the `writer` of a sink.
    pub fn new(label: OperatorLabel, writer: W) -> Self {
        SinkOutput { label, writer, records: 0 }
    }
}

impl<W: SinkWriter> Output<W::Item> for SinkOutput<W> {
    fn take(&mut self, batch: &mut Batch<W::Item>) -> Result<()> {
        self.records += batch.items.len() as u64;
        let written = self.label.calls(|| self.writer.write(&mut batch.items));
        batch.clear();
        written.map_err(|error| self.label.names(error))
    }

    fn watermark(&mut self, _at: Timestamp) {}

    fn idle(&mut self) {}

    fn barrier(&mut self, _barrier: Barrier) {}

    fn drain(&mut self) -> FlushStatus {
        FlushStatus::All
    }

    fn staged(&mut self) -> Option<Staged> {
        let bytes = self.writer.take_staged();
        Some(Staged { sink: self.label.name().to_string(), bytes, records: self.records })
    }

    fn staged_bytes(&self) -> usize {
        self.writer.staged_bytes()
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::id::CheckpointId;
    use steadfast_core::message::BarrierKind;

    use super::super::channel::channel;
    use super::*;

    fn batch(item: u32) -> Batch<u32> {
        Batch::from(vec![item])
    }

    /// Room that comes while batches wait belongs to them.
    #[test]
    fn a_barrier_does_not_overtake_what_waits_for_room() {
        let (sender, receiver) = channel::<u32>(1);
        let mut output = ExchangeOutput::new(Distribution::Rebalance, vec![sender]);
        output.take(&mut batch(1)).unwrap();
        output.take(&mut batch(2)).unwrap();
        assert!(matches!(receiver.take(), Some(Message::Batch(batch)) if batch.items == [1]));
        let (checkpoint, injected) = (CheckpointId(7), Timestamp(0));
        output.barrier(Barrier { checkpoint, kind: BarrierKind::Regular, injected });
        assert_eq!(output.drain(), FlushStatus::All);
        assert!(matches!(receiver.take(), Some(Message::Batch(batch)) if batch.items == [2]));
        assert!(matches!(receiver.take(), Some(Message::Barrier(_))));
    }

    /// One follows each batch: they fill neither a channel nor what waits for room in it.
    #[test]
    fn watermarks_need_no_room_and_the_last_of_them_is_enough() {
        let (sender, receiver) = channel::<u32>(1);
        let mut output = ExchangeOutput::new(Distribution::Rebalance, vec![sender]);
        for (item, at) in [(1, 10), (2, 20), (3, 30)] {
            output.take(&mut batch(item)).unwrap();
            (0..10).for_each(|more| output.watermark(Timestamp(at + more)));
        }
        for (item, at) in [(1, 19), (2, 29), (3, 39)] {
            output.drain();
            assert!(matches!(receiver.take(), Some(Message::Batch(b)) if b.items == [item]));
            assert!(matches!(receiver.take(), Some(Message::Watermark(Timestamp(a))) if a == at));
        }
        assert!(receiver.take().is_none());
        assert_eq!(output.drain(), FlushStatus::All);
    }
}
