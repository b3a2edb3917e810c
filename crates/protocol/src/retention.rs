//! Which objects nobody needs any more.
//!
//! An object may go when no retained checkpoint refers to it; the log entry of a checkpoint goes with it, those
//! of claims never do (they are what fences a process that wakes up late). It deletes nothing
//! itself.

use std::collections::{BTreeSet, VecDeque};

use steadfast_core::id::{CheckpointId, Generation};

use crate::manifest::Manifest;
use crate::names;

/// The checkpoints that are kept, oldest first, with the objects that each needs.
#[derive(Debug)]
pub struct Retained {
    limit: usize,
    checkpoints: VecDeque<(CheckpointId, BTreeSet<String>)>,
}

impl Retained {
    /// Keeps at most `limit` checkpoints, at least one.
    pub fn new(limit: usize) -> Self {
        Retained { limit: limit.max(1), checkpoints: VecDeque::new() }
    }

    /// Adds the newest checkpoint and returns the names of all objects that may be deleted now.
    pub fn add(&mut self, manifest: &Manifest) -> Vec<String> {
        let objects = manifest.objects().map(|object| object.name.clone()).collect();
        self.checkpoints.push_back((manifest.checkpoint, objects));
        let mut unreferenced = Vec::new();
        while self.checkpoints.len() > self.limit {
            let Some((id, objects)) = self.checkpoints.pop_front() else { break };
            // The log entry goes first: a checkpoint that can be found must be whole.
            unreferenced.push(names::log_entry(id.0));
            unreferenced.extend(objects.into_iter().filter(|name| !self.needs(name)));
        }
        unreferenced
    }

    fn needs(&self, name: &str) -> bool {
        self.checkpoints.iter().any(|(_, objects)| objects.contains(name))
    }

    /// Of all data objects found in the store, those that crashed processes left behind: written
    /// in an generation before `generation` and needed by no retained checkpoint.
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
