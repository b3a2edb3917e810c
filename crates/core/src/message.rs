//! What flows from task to task.
//!
//! The grammar of a channel, which every sender keeps and every receiver may rely on:
//!
//! ```text
//! channel  =  epoch* last
//! epoch    =  ( Batch | Watermark )*  Barrier(Regular)
//! last     =  ( Batch | Watermark )*  Barrier(Stop | End)
//! ```
//!
//! Nothing follows a `Stop` or `End` barrier. Watermarks never go back. It knows nothing of queues.

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
    /// Their place in memory, where they are so large that somebody waits for it.
    pub reservation: Option<Arc<Reservation>>,
}

impl<T> Batch<T> {
    /// An empty batch.
    pub fn new() -> Self {
        Batch { items: Vec::new(), hashes: Vec::new(), reservation: None }
    }

    /// Forgets all records and keeps the memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.hashes.clear();
        self.reservation = None;
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
