//! Which checkpoints are kept, and which objects nobody needs any more.
//!
//! An object may go when no retained checkpoint refers to it. A checkpoint that a job was restored
//! from stays until the first one after it is committed, however few are to be kept. It deletes
//! nothing itself.

use std::collections::{BTreeSet, VecDeque};

use steadfast_core::id::{CheckpointId, Generation, LogIndex};

use crate::manifest::Manifest;
use crate::names;

/// The checkpoints that are kept, oldest first, with the objects that each needs.
#[derive(Debug)]
pub struct Retained {
    limit: usize,
    checkpoints: VecDeque<(CheckpointId, BTreeSet<String>)>,
}

/// What may go after a commit.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreferenced {
    /// The names of the objects.
    pub objects: Vec<String>,
    /// Entries of the log before this one are not needed.
    pub log_before: LogIndex,
}

impl Retained {
    /// Keeps at most `limit` checkpoints, at least one; `found` are those that are kept so far, in
    /// ascending order, the last being the one that the job goes on from.
    pub fn new<'a>(limit: usize, found: impl IntoIterator<Item = &'a Manifest>) -> Self {
        let checkpoints = found.into_iter().map(needed).collect();
        Retained { limit: limit.max(1), checkpoints }
    }

    /// The checkpoints that are kept once `newest` is committed, in ascending order.
    pub fn with(&self, newest: CheckpointId) -> Vec<CheckpointId> {
        let all = self.checkpoints.len() + 1;
        let kept = self.checkpoints.iter().map(|(id, _)| *id).chain([newest]);
        kept.skip(all.saturating_sub(self.limit)).collect()
    }

    /// Adds the newest checkpoint, which has been committed, and says what may go now, if another one is
    /// not kept any more.
    pub fn add(&mut self, manifest: &Manifest) -> Option<Unreferenced> {
        self.checkpoints.push_back(needed(manifest));
        if self.checkpoints.len() <= self.limit {
            return None;
        }
        let mut objects = Vec::new();
        while self.checkpoints.len() > self.limit {
            let Some((_, dropped)) = self.checkpoints.pop_front() else { break };
            objects.extend(dropped.into_iter().filter(|name| !self.needs(name)));
        }
        let oldest = self.checkpoints.front().map_or(0, |(id, _)| id.0);
        Some(Unreferenced { objects, log_before: LogIndex(oldest) })
    }

    fn needs(&self, name: &str) -> bool {
        self.checkpoints.iter().any(|(_, objects)| objects.contains(name))
    }

    /// Of all data objects found in the store, those that crashed processes left behind: written
    /// in a generation before `generation` and needed by no retained checkpoint.
    pub fn orphans<'a>(
        &'a self,
        found: &'a [String],
        generation: Generation,
    ) -> impl Iterator<Item = &'a String> {
        found.iter().filter(move |name| {
            names::data_generation(name).is_some_and(|by| by < generation) && !self.needs(name)
        })
    }
}

fn needed(manifest: &Manifest) -> (CheckpointId, BTreeSet<String>) {
    (manifest.checkpoint, manifest.objects().map(|object| object.name.clone()).collect())
}

#[cfg(test)]
mod tests;
