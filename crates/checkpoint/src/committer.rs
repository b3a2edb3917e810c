//! The committer: appends checkpoints to the log and brings their output into the targets.
//!
//! It holds leadership and targets while a job runs, and nobody else does. Calls block; they are made
//! in the order in which the coordinator asked for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadfast_core::id::{CheckpointId, TaskId};
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::store::Store;
use steadfast_core::{Error, Result};
use steadfast_protocol::manifest::{Manifest, StagedOutput};
use steadfast_protocol::names::LogLayout;
use steadfast_protocol::retention::Unreferenced;

use crate::leadership::{Leadership, Permit};
use crate::mailbox::Mailbox;
use crate::shown::Shown;
use crate::snapshot::{OutputChunk, ToCommitter, ToCoordinator};
use crate::staged::StagedChunks;
use crate::targets::{Outputs, Targets};

/// See the module.
pub struct Committer {
    store: Arc<dyn Store>,
    leadership: Leadership,
    targets: Targets,
    inbox: Mailbox<ToCommitter>,
    coordinator: Mailbox<ToCoordinator>,
    waiting: BTreeMap<CheckpointId, ByTask>,
    /// For checkpoints that are committed and whose output is not applied yet.
    permits: BTreeMap<CheckpointId, Permit>,
    shown: Shown,
    /// The last checkpoint of the job, if a target without a marker gets output of it: no later one
    /// will say that it was applied.
    last: Option<CheckpointId>,
}

/// The output of a checkpoint: by sink, then by task, so that the order is always the same.
type ByTask = BTreeMap<String, BTreeMap<TaskId, Vec<OutputChunk>>>;

impl Committer {
    /// A committer for one generation of a job; `layout` is how the log lies in the store.
    pub fn new(
        store: Arc<dyn Store>,
        layout: LogLayout,
        leadership: Leadership,
        targets: Targets,
        inbox: Mailbox<ToCommitter>,
        coordinator: Mailbox<ToCoordinator>,
    ) -> Self {
        let (waiting, permits, last) = (BTreeMap::new(), BTreeMap::new(), None);
        let shown = Shown::new(Arc::clone(&store), layout);
        Committer { store, leadership, targets, inbox, coordinator, waiting, permits, shown, last }
    }

    fn commit(&mut self, manifest: Box<Manifest>) -> Result<()> {
        let is_last = manifest.kind.is_last();
        let repeats = manifest.outputs.values().any(StagedOutput::is_unmarked_output);
        let permit = self.leadership.commit(manifest)?;
        let checkpoint = permit.checkpoint();
        self.last = (is_last && repeats).then_some(checkpoint);
        self.permits.insert(checkpoint, permit);
        self.coordinator.send(ToCoordinator::Committed(checkpoint));
        Ok(())
    }

    fn apply(&mut self, checkpoint: CheckpointId) -> Result<()> {
        let permit = self.permits.remove(&checkpoint);
        let permit = permit.or_else(|| self.leadership.permit_before_commit(checkpoint));
        let too_early = || format!("checkpoint {checkpoint} is to be applied before its commit");
        let permit = permit.ok_or_else(|| Error::internal(too_early()))?;
        let mut outputs = BTreeMap::new();
        for (sink, by_task) in self.waiting.remove(&checkpoint).unwrap_or_default() {
            let chunks = by_task.into_values().flatten().collect();
            outputs.insert(sink, StagedChunks { store: &*self.store, chunks });
        }
        let rejected_rows = self.targets.apply(permit, &outputs)?;
        self.delete_spilled(&outputs)?;
        if self.last == Some(checkpoint) {
            self.shown.note(checkpoint, self.leadership.claim().id)?;
        }
        self.coordinator.send(ToCoordinator::Applied { checkpoint, rejected_rows });
        Ok(())
    }

    /// Deletes what was kept in the store for want of memory, and is no part of the checkpoint. What a
    /// crash leaves of it the next process collects.
    fn delete_spilled(&self, outputs: &Outputs<'_>) -> Result<()> {
        let all = outputs.values().flat_map(|output| &output.chunks);
        let mut spilled = all.filter(|chunk| chunk.is_spilled);
        spilled.try_for_each(|chunk| self.store.delete(&chunk.object.name))
    }

    /// The log forgets first: a checkpoint that can be found must be whole.
    fn discard(&mut self, unreferenced: Unreferenced) -> Result<()> {
        let Unreferenced { objects, log_before } = unreferenced;
        self.leadership.forget_before(log_before)?;
        objects.iter().try_for_each(|name| self.store.delete(name))
    }
}

impl Machine for Committer {
    fn name(&self) -> &str {
        "committer"
    }

    fn step(&mut self, _now: Now) -> Result<Progress> {
        match self.inbox.take() {
            None => return Ok(Progress::Idle(None)),
            Some(ToCommitter::Commit(manifest)) => self.commit(manifest)?,
            Some(ToCommitter::Apply(checkpoint)) => self.apply(checkpoint)?,
            Some(ToCommitter::Discard(unreferenced)) => self.discard(unreferenced)?,
            Some(ToCommitter::Chunks { checkpoint, task, chunks }) => {
                let outputs = self.waiting.entry(checkpoint).or_default();
                for (sink, chunk) in chunks {
                    let by_task = outputs.entry(sink).or_default();
                    by_task.entry(task.clone()).or_default().push(chunk);
                }
            }
        }
        Ok(Progress::Worked)
    }
}

#[cfg(test)]
mod tests;
