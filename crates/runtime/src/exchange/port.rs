//! A port takes the records of a stage's output: an exchange hands them to the tasks of the next
//! stage, a sink stages them.
//!
//! One dynamic call per batch; nothing here happens per record but the distribution itself.

use std::collections::VecDeque;
use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::key::{KeyGroup, KeyHash, KeySpace};
use steadfast_core::message::{Barrier, Batch, Message};
use steadfast_core::sink::SinkWriter;
use steadfast_core::time::Timestamp;

use super::channel::Sender;
use crate::push::{Drained, Staged};

/// One way out of a stage.
pub trait Port<T>: Send {
    /// Takes all of `items`.
    ///
    /// # Errors
    /// Those of a sink writer.
    fn take(&mut self, items: &mut Vec<T>) -> Result<()>;
    /// Passes a watermark on.
    fn watermark(&mut self, at: Timestamp);
    /// Passes a barrier on.
    fn barrier(&mut self, barrier: Barrier);
    /// Sends what waits for room.
    fn drain(&mut self) -> Drained;
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
    },
    /// A batch to each task in turn; with a single channel, everything to it.
    Rebalance,
    /// To every task.
    Broadcast(CopyBatch<T>),
}

/// The way to the next stage.
pub struct ExchangePort<T> {
    distribution: Distribution<T>,
    lanes: Vec<Lane<T>>,
    /// The lane of each key group.
    lane_of_group: Vec<u16>,
    hashes: Vec<KeyHash>,
    turn: usize,
}

struct Lane<T> {
    sender: Sender<T>,
    waiting: VecDeque<Message<T>>,
    batch: Batch<T>,
}

impl<T> ExchangePort<T> {
    /// A port that distributes records among `senders`, one for each task of the next stage.
    pub fn new(distribution: Distribution<T>, senders: Vec<Sender<T>>) -> Self {
        let lane_of_group = match &distribution {
            Distribution::ByKey { space, .. } => {
                (0..space.groups).map(|group| space.task_of(KeyGroup(group))).collect()
            }
            _ => Vec::new(),
        };
        let lanes = senders.into_iter().map(Lane::new).collect();
        ExchangePort { distribution, lanes, lane_of_group, hashes: Vec::new(), turn: 0 }
    }
}

impl<T> Lane<T> {
    fn new(sender: Sender<T>) -> Self {
        Lane { sender, waiting: VecDeque::new(), batch: Batch::new() }
    }

    fn post(&mut self, message: Message<T>) {
        if self.waiting.is_empty() && self.sender.has_room() {
            self.sender.send(message);
        } else {
            self.waiting.push_back(message);
        }
    }

    /// Posts what has been collected, and goes on with an empty batch.
    fn post_collected(&mut self) {
        let batch = std::mem::replace(&mut self.batch, self.sender.empty_batch());
        self.post(Message::Batch(batch));
    }

    /// Posts all of `items`, leaving it empty.
    fn post_all(&mut self, items: &mut Vec<T>) {
        std::mem::swap(&mut self.batch.items, items);
        self.post_collected();
    }
}

impl<T: Send> Port<T> for ExchangePort<T> {
    fn take(&mut self, items: &mut Vec<T>) -> Result<()> {
        match &self.distribution {
            Distribution::ByKey { hash, space } => {
                if let [lane] = &mut self.lanes[..] {
                    hash(items, &mut lane.batch.hashes);
                    lane.post_all(items);
                    return Ok(());
                }
                self.hashes.clear();
                hash(items, &mut self.hashes);
                for (item, hash) in items.drain(..).zip(&self.hashes) {
                    let lane = self.lane_of_group[usize::from(space.group_of(*hash).0)];
                    let batch = &mut self.lanes[usize::from(lane)].batch;
                    batch.items.push(item);
                    batch.hashes.push(*hash);
                }
                let filled = self.lanes.iter_mut().filter(|lane| !lane.batch.items.is_empty());
                filled.for_each(Lane::post_collected);
            }
            Distribution::Rebalance => {
                self.turn = (self.turn + 1) % self.lanes.len();
                self.lanes[self.turn].post_all(items);
            }
            Distribution::Broadcast(copy) => {
                for lane in &mut self.lanes {
                    lane.post_all(&mut copy(items));
                }
                items.clear();
            }
        }
        Ok(())
    }

    fn watermark(&mut self, at: Timestamp) {
        self.lanes.iter_mut().for_each(|lane| lane.post(Message::Watermark(at)));
    }

    fn barrier(&mut self, barrier: Barrier) {
        self.lanes.iter_mut().for_each(|lane| lane.post(Message::Barrier(barrier)));
    }

    fn drain(&mut self) -> Drained {
        let (mut sent, mut waits) = (false, false);
        for lane in &mut self.lanes {
            while lane.sender.has_room()
                && let Some(message) = lane.waiting.pop_front()
            {
                lane.sender.send(message);
                sent = true;
            }
            waits |= !lane.waiting.is_empty();
        }
        match (waits, sent) {
            (false, _) => Drained::All,
            (true, true) => Drained::Some,
            (true, false) => Drained::None,
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
pub struct SinkPort<W> {
    sink: String,
    writer: W,
    records: u64,
}

impl<W> SinkPort<W> {
    /// A port into `writer`.
    pub fn new(sink: impl Into<String>, writer: W) -> Self {
        SinkPort { sink: sink.into(), writer, records: 0 }
    }
}

impl<W: SinkWriter> Port<W::Item> for SinkPort<W> {
    fn take(&mut self, items: &mut Vec<W::Item>) -> Result<()> {
        self.records += items.len() as u64;
        self.writer.write(items).map_err(|e| e.at(format!("sink '{}'", self.sink)))
    }

    fn watermark(&mut self, _at: Timestamp) {}

    fn barrier(&mut self, _barrier: Barrier) {}

    fn drain(&mut self) -> Drained {
        Drained::All
    }

    fn staged(&mut self) -> Option<Staged> {
        let bytes = self.writer.take_staged();
        Some(Staged { sink: self.sink.clone(), bytes, records: self.records })
    }

    fn staged_bytes(&self) -> usize {
        self.writer.staged_bytes()
    }
}
