//! Which objects nobody needs any more.
//!
//! An object may go when no retained cut refers to it; the log entry of a cut goes with it, those
//! of claims never do (they are what fences a process that wakes up late). It deletes nothing
//! itself.

use std::collections::{BTreeSet, VecDeque};

use steadfast_core::id::{CheckpointId, Epoch};

use crate::manifest::Manifest;
use crate::names;

/// The cuts that are kept, oldest first, with the objects that each needs.
#[derive(Debug)]
pub struct Retained {
    limit: usize,
    cuts: VecDeque<(CheckpointId, BTreeSet<String>)>,
}

impl Retained {
    /// Keeps at most `limit` cuts, at least one.
    pub fn new(limit: usize) -> Self {
        Retained { limit: limit.max(1), cuts: VecDeque::new() }
    }

    /// Adds the newest cut and returns the names of all objects that may be deleted now.
    pub fn add(&mut self, manifest: &Manifest) -> Vec<String> {
        let objects = manifest.objects().map(|object| object.name.clone()).collect();
        self.cuts.push_back((manifest.checkpoint, objects));
        let mut superfluous = Vec::new();
        while self.cuts.len() > self.limit {
            let Some((id, objects)) = self.cuts.pop_front() else { break };
            // The log entry goes first: a cut that can be found must be whole.
            superfluous.push(names::log_entry(id.0));
            superfluous.extend(objects.into_iter().filter(|name| !self.needs(name)));
        }
        superfluous
    }

    fn needs(&self, name: &str) -> bool {
        self.cuts.iter().any(|(_, objects)| objects.contains(name))
    }

    /// Of all data objects found in the store, those that crashed processes left behind: written
    /// in an epoch before `epoch` and needed by no retained cut.
    pub fn orphans<'a>(
        &'a self,
        found: &'a [String],
        epoch: Epoch,
    ) -> impl Iterator<Item = &'a String> {
        found.iter().filter(move |name| {
            names::data_epoch(name).is_some_and(|by| by < epoch) && !self.needs(name)
        })
    }
}
