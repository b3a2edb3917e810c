//! What flows from task to task.
//!
//! The grammar of a channel, which every sender keeps and every receiver may rely on:
//!
//! ```text
//! channel  =  epoch* last
//! epoch    =  ( Batch | Watermark | Idle )*  Barrier(Regular)
//! last     =  ( Batch | Watermark | Idle )*  Barrier(Stop | End)
//! ```
//!
//! Nothing follows a `Stop` or `End` barrier. Watermarks never go back. Behind an `Idle` a
//! batch may come before the next watermark: until that, the channel holds nobody back. It knows nothing of queues.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::budget::Reservation;
use crate::id::CheckpointId;
use crate::key::KeyHash;
use crate::time::Timestamp;

/// One message on a channel.
#[derive(Debug)]
pub enum Message<T> {
    /// Records, in the order in which the sender produced them.
    Batch(Batch<T>),
    /// No record older than this will follow on this channel.
    Watermark(Timestamp),
    /// Nothing is expected on this channel for now: until its next watermark it holds nobody back.
    Idle,
    /// The border between two epochs.
    Barrier(Barrier),
}

/// Records that travel together.
#[derive(Debug)]
pub struct Batch<T> {
    /// The records.
    pub items: Vec<T>,
    /// The hash of each record's key, in the same order; empty where records have no key.
    pub hashes: Vec<KeyHash>,
    /// The event time of each record, in the same order; empty where records have none.
    times: Vec<Timestamp>,
    /// Their place in memory, where they are so large that somebody waits for it.
    pub reservation: Option<Arc<Reservation>>,
}

impl<T> Batch<T> {
    /// An empty batch.
    pub fn new() -> Self {
        let (items, hashes, times) = (Vec::new(), Vec::new(), Vec::new());
        Batch { items, hashes, times, reservation: None }
    }

    /// Adds a record with its event time, which is [`Timestamp::UNTIMED`] if it has none.
    #[inline]
    pub fn push(&mut self, item: T, at: Timestamp) {
        if at != Timestamp::UNTIMED || !self.times.is_empty() {
            if self.times.len() < self.items.len() {
                self.fill_times();
            }
            self.times.push(at);
        }
        self.items.push(item);
    }

    /// Says of the records that have no time that they have none.
    #[cold]
    fn fill_times(&mut self) {
        self.times.resize(self.items.len(), Timestamp::UNTIMED);
    }

    /// The event time of record `index`.
    #[inline]
    pub fn time(&self, index: usize) -> Timestamp {
        self.times.get(index).copied().unwrap_or(Timestamp::UNTIMED)
    }

    /// The event times in the order of the records; empty where records have none.
    pub fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// Takes all records out, each with its event time.
    #[inline]
    pub fn drain(&mut self) -> impl Iterator<Item = (T, Timestamp)> {
        self.hashes.clear();
        let mut times = self.times.drain(..);
        let timed = move |item| (item, times.next().unwrap_or(Timestamp::UNTIMED));
        self.items.drain(..).map(timed)
    }

    /// Moves all records of `other` behind those of this batch; their hashes are not kept. Each batch keeps
    /// its own memory: one that goes back to its sender goes back to the processor that knows it.
    pub fn append(&mut self, other: &mut Batch<T>) {
        self.hashes.clear();
        if !self.times.is_empty() || !other.times.is_empty() {
            self.fill_times();
            other.fill_times();
            self.times.append(&mut other.times);
        }
        self.items.append(&mut other.items);
        other.clear();
    }

    /// As [`Batch::append`], but an empty batch takes the memory of `other` for its own: for batches that
    /// stay with one task.
    pub fn take_over(&mut self, other: &mut Batch<T>) {
        if self.items.is_empty() {
            self.clear();
            std::mem::swap(&mut self.items, &mut other.items);
            std::mem::swap(&mut self.times, &mut other.times);
            other.clear();
        } else {
            self.append(other);
        }
    }

    /// Moves the records for which `keep` says so by their number behind those of `to`, and forgets the
    /// others.
    pub fn move_some(&mut self, to: &mut Batch<T>, keep: impl Fn(usize) -> bool) {
        to.hashes.clear();
        for (number, (item, at)) in self.drain().enumerate() {
            if keep(number) {
                to.push(item, at);
            }
        }
        self.clear();
    }

    /// A copy of the records and their times.
    pub fn copied(&self, copy: fn(&[T]) -> Vec<T>) -> Batch<T> {
        Batch { items: copy(&self.items), times: self.times.clone(), ..Batch::new() }
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Forgets all records and keeps the memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.hashes.clear();
        self.times.clear();
        self.reservation = None;
    }
}

impl<T> From<Vec<T>> for Batch<T> {
    /// Records without event times.
    fn from(items: Vec<T>) -> Self {
        Batch { items, ..Batch::new() }
    }
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The border between two epochs: everything before it belongs to the checkpoint `checkpoint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// The checkpoint that this barrier draws.
    pub checkpoint: CheckpointId,
    /// What follows it.
    pub kind: BarrierKind,
    /// When it was injected at the sources.
    pub injected: Timestamp,
}

/// What follows a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarrierKind {
    /// The next epoch.
    Regular,
    /// Nothing for now: the job stops here and can go on from this checkpoint later.
    Stop,
    /// Nothing: all sources are at their end, and results that wait for it are due.
    End,
}

impl BarrierKind {
    /// Whether nothing follows.
    pub fn is_last(self) -> bool {
        self != BarrierKind::Regular
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_times_of_its_records() {
        let mut batch = Batch::new();
        batch.push('a', Timestamp(7));
        batch.push('b', Timestamp(5));
        let mut copy = batch.copied(<[char]>::to_vec);
        let records: Vec<_> = copy.drain().collect();
        assert_eq!(records, [('a', Timestamp(7)), ('b', Timestamp(5))]);
    }
}
