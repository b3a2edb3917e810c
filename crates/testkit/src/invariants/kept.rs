//! What is kept: nobody deletes what a checkpoint needs that the newest one keeps; and when a job has
//! come to rest, nothing is left that none of them needs.
//!
//! After damage, what lies beside a damaged checkpoint stays, for somebody may want to look at it; so
//! nothing is said then of what is left.

use std::collections::BTreeSet;

use steadfast_core::id::{CheckpointId, LogIndex};
use steadfast_protocol::manifest::Manifest;
use steadfast_protocol::names::{DATA, LogBlock, LogLayout};

use crate::disk::DurableDisk;
use crate::observer::{Observer, Seen};

/// The name of what says that the block of a log entry is closed.
pub fn closing(entry: &str) -> String {
    let block = entry.split('/').nth(1).and_then(|block| block.parse().ok());
    LogBlock(block.unwrap_or_default()).closed()
}

/// Looks at a store on a disk without calling it.
#[derive(Clone)]
pub struct Kept {
    /// The disk.
    pub disk: DurableDisk,
    /// The folder of the store.
    pub root: &'static str,
    /// How its log is divided.
    pub layout: LogLayout,
}

impl Kept {
    pub(super) fn entry(&self, checkpoint: CheckpointId) -> String {
        self.layout.entry(LogIndex(checkpoint.0))
    }

    /// The checkpoint of this number that lies in the log.
    pub fn manifest<'a>(&self, seen: &'a Seen, checkpoint: CheckpointId) -> Option<&'a Manifest> {
        let tried = seen.tried.get(&checkpoint.0)?;
        let bytes = self.disk.read(&format!("{}/{}", self.root, self.entry(checkpoint)))?;
        tried.iter().find(|attempt| *attempt.bytes == *bytes).map(|attempt| &*attempt.manifest)
    }

    /// The newest checkpoint in the log.
    pub(super) fn newest<'a>(&self, seen: &'a Seen) -> Option<&'a Manifest> {
        let numbers = seen.tried.keys().rev();
        numbers.filter_map(|number| self.manifest(seen, CheckpointId(*number))).next()
    }

    /// What the newest checkpoint needs, and those that it keeps.
    fn needed(&self, seen: &Seen) -> BTreeSet<String> {
        let Some(newest) = self.newest(seen) else { return BTreeSet::new() };
        // A reset has made what was before it worthless.
        if newest.origin.0 < seen.newest_origin() {
            return BTreeSet::new();
        }
        // What a bad disk has made of an entry is nobody's checkpoint.
        let kept = newest.retained.iter().filter_map(|id| self.manifest(seen, *id));
        let needs = |kept: &Manifest| {
            let objects = kept.objects().map(|object| object.name.clone());
            objects.chain([self.entry(kept.checkpoint)]).collect::<Vec<_>>()
        };
        kept.flat_map(needs).collect()
    }

    /// A process is about to delete something.
    pub fn deletes(&self, observer: &Observer, name: &str, by: u16) {
        let seen = &mut *observer.seen();
        // Whoever was taken over goes on with what it had begun, and does not know of newer checkpoints.
        let is_newest = seen.attempts.last() == Some(&by);
        if let Some(open) = self.is_found_still(seen, name).filter(|_| is_newest) {
            seen.violations.push(format!("{name} is deleted by {by}, and {open} is not closed"));
        }
        // Of a store that was put back there are two histories, and one may go.
        if seen.restorations == 0 && self.needed(seen).contains(name) {
            seen.violations
                .push(format!("{name} is deleted by {by}, and a kept checkpoint needs it"));
        }
    }

    /// The name of what closes the block of the checkpoint for which an object was written, if that block is to
    /// be closed before and is not.
    fn is_found_still(&self, seen: &Seen, name: &str) -> Option<String> {
        let own = name.strip_prefix(DATA)?.rsplit('/').next()?.split('-').next()?.parse().ok()?;
        let newest = self.newest(seen).filter(|_| seen.restorations == 0 && !seen.damaged)?;
        let oldest = newest.retained.first()?;
        if newest.origin.0 < seen.newest_origin() || newest.checkpoint.0 <= own {
            return None;
        }
        // What was only kept for a while belongs to no checkpoint.
        seen.manifests.get(&own)?.objects().find(|object| object.name == name)?;
        let block = |index: u64| self.layout.block_of(LogIndex(index));
        let closed = block(own).closed();
        let is_closed = || self.disk.read(&format!("{}/{closed}", self.root)).is_some();
        (block(own).0 < block(oldest.0).0 && !is_closed()).then_some(closed)
    }

    /// The job has come to rest: what is wrong about what is there.
    pub fn at_rest(&self, seen: &Seen) -> Option<String> {
        if seen.damaged {
            return None;
        }
        let names = |folder: &str| -> Vec<String> {
            let all = self.disk.names(&format!("{}/{folder}", self.root));
            let own =
                |name: &String| Some(name.strip_prefix(self.root)?.strip_prefix('/')?.to_string());
            all.iter().filter_map(own).collect()
        };
        let (data, needed) = (names(DATA), self.needed(seen));
        if let Some(name) = data.iter().find(|name| !needed.contains(*name)) {
            return Some(format!("{name} is left, and no kept checkpoint needs it"));
        }
        if let Some(name) = self.disk.temporary(self.root) {
            return Some(format!("{name} is left half written"));
        }
        // Whoever slept may put an entry again into a block that was closed and emptied meanwhile.
        let is_by_one = |entry: &String| seen.put_by.get(entry).is_some_and(|by| by.len() == 1);
        let counted = |entry: &String| {
            is_by_one(entry)
                && seen.entries.get(entry).is_some_and(|bytes| {
                    self.disk.read(&format!("{}/{entry}", self.root)).as_ref() == Some(bytes)
                })
        };
        let is_closed =
            |entry: &String| self.disk.read(&format!("{}/{}", self.root, closing(entry))).is_some();
        if seen.power_losses > 0 {
            return None;
        }
        // What a process that slept has put into a closed block counts for nothing, and may stay.
        let mut entries = names("log/").into_iter().filter(counted);
        let left = entries.find(is_closed)?;
        Some(format!("{left} is left, and its block is closed"))
    }
}
