//! The committer: appends checkpoints to the log and brings their output into the targets.
//!
//! It holds leadership and targets while a job runs, and nobody else does. Calls block; they are made
//! in the order in which the coordinator asked for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadfast_core::id::{CheckpointId, TaskId};
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::store::Store;
use steadfast_core::{Error, ErrorKind, Result};
use steadfast_protocol::manifest::{Manifest, StagedOutput};
use steadfast_protocol::names::LogLayout;
use steadfast_protocol::retention::Unreferenced;
use tracing::Span;

use crate::backlog::Backlog;
use crate::leadership::{Leadership, Permit};
use crate::mailbox::Mailbox;
use crate::retry::Waiting;
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
    backlog: Arc<Backlog>,
    waiting: BTreeMap<CheckpointId, ByTask>,
    /// For checkpoints that are committed and whose output is not applied yet.
    permits: BTreeMap<CheckpointId, Permit>,
    /// The newest checkpoint whose output is applied: where that comes before the commit, the permit
    /// of the commit is not needed any more.
    applied: Option<CheckpointId>,
    shown: Shown,
    /// The last checkpoint of the job, if a target without a marker gets output of it: no later one
    /// will say that it was applied.
    last: Option<CheckpointId>,
    /// Whether the last checkpoint is committed: what is left to do is to delete.
    is_over: bool,
    ending: Option<Ending>,
}

/// What becomes of deletions once all else is done: nobody needs them for the job to be finished.
struct Ending {
    waiting: Arc<dyn Waiting>,
    on_leftover: OnLeftover,
}

/// Is told why not everything could be deleted at the end of a job. The next start does it.
pub type OnLeftover = Box<dyn FnMut(Error) + Send>;

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
        backlog: Arc<Backlog>,
    ) -> Self {
        let shown = Shown::new(Arc::clone(&store), layout);
        Committer {
            store,
            leadership,
            targets,
            inbox,
            coordinator,
            backlog,
            waiting: BTreeMap::new(),
            permits: BTreeMap::new(),
            applied: None,
            shown,
            last: None,
            is_over: false,
            ending: None,
        }
    }

    /// The same; what cannot be deleted at the end of the job is told instead of being waited for by
    /// `waiting`, and does not fail.
    #[must_use]
    pub fn leaving(self, waiting: Arc<dyn Waiting>, on_leftover: OnLeftover) -> Self {
        Committer { ending: Some(Ending { waiting, on_leftover }), ..self }
    }

    fn commit(&mut self, manifest: Box<Manifest>) -> Result<()> {
        let _checkpoint = of(manifest.checkpoint).entered();
        let is_last = manifest.kind.is_last();
        let repeats = manifest.outputs.values().any(StagedOutput::is_unmarked_output);
        let permit = self.leadership.commit(manifest)?;
        let checkpoint = permit.checkpoint();
        self.last = (is_last && repeats).then_some(checkpoint);
        self.is_over = is_last;
        if self.applied < Some(checkpoint) {
            self.permits.insert(checkpoint, permit);
        }
        self.coordinator.send(ToCoordinator::Committed(checkpoint));
        Ok(())
    }

    fn apply(&mut self, checkpoint: CheckpointId) -> Result<()> {
        let _checkpoint = of(checkpoint).entered();
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
        self.backlog.applied(checkpoint);
        self.applied = Some(checkpoint);
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

    /// The same after the last checkpoint, when the job is finished whether it succeeds or not.
    fn discard_at_the_end(&mut self, unreferenced: Unreferenced) -> Result<()> {
        if let Some(ending) = &self.ending {
            ending.waiting.hurry();
        }
        match (self.discard(unreferenced), &mut self.ending) {
            (Err(error), Some(ending))
                if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Configuration) =>
            {
                (ending.on_leftover)(error);
                Ok(())
            }
            (discarded, _) => discarded,
        }
    }
}

/// What is told of calls to store and targets meanwhile names the checkpoint.
fn of(checkpoint: CheckpointId) -> Span {
    tracing::error_span!("checkpoint", checkpoint = checkpoint.0)
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
            Some(ToCommitter::Discard(unreferenced)) if self.is_over => {
                self.discard_at_the_end(unreferenced)?;
            }
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
