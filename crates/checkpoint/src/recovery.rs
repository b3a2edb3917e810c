//! Taking over a job: look, claim, read, decide, finish what was committed, take the targets over,
//! collect.
//!
//! Looking changes nothing, so that a mistyped command fences nobody. Each later step may be cut off
//! or come between those of another process; each is conditional, and decided from what was observed
//! last. When this returns, no earlier process can commit, and the targets show exactly what the
//! checkpoint says.

use std::collections::BTreeSet;
use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::id::CheckpointId;
use steadfast_core::log::CommitLog;
use steadfast_core::store::Store;
use steadfast_protocol::entry::Claim;
use steadfast_protocol::fit::{self, Differences, JobShape};
use steadfast_protocol::manifest::Manifest;
use steadfast_protocol::names::LogLayout;
use steadfast_protocol::restore::RestorePoint;
use steadfast_protocol::retention::Retained;
use steadfast_protocol::sink_recovery::{Permissions, Successor};

use crate::leadership::{Candidate, Leadership};
use crate::shown::Shown;
use crate::targets::Targets;
use settling::{Settled, Settling, decide_about};

mod collecting;
mod intact;
mod looking;
mod settling;

pub use intact::{Contents, verify};
pub use looking::Preview;

/// What the job says about the checkpoint that it would begin at, beside its shape: whether its
/// sources can go on from there.
pub(crate) type CheckSources<'a> = &'a dyn Fn(Option<&Manifest>) -> Result<()>;

/// Everything that taking over needs to know.
pub struct Recovery<'a> {
    /// Who takes over.
    pub candidate: Candidate,
    /// How the log lies in the store.
    pub layout: LogLayout,
    /// How many checkpoints to keep.
    pub retain: usize,
    /// What the job has.
    pub shape: &'a JobShape,
    /// What the user says about differences between job and checkpoint.
    pub differences: &'a Differences,
    /// Whether targets that others created may be taken over.
    pub adopt: bool,
    /// Whether the job's sources can go on.
    pub check_sources: CheckSources<'a>,
}

/// A job that has been taken over.
pub struct Recovered {
    /// The right to commit.
    pub leadership: Leadership,
    /// The targets, all of them ours.
    pub targets: Targets,
    /// The checkpoint to begin at.
    pub restored: Option<Manifest>,
    /// Newer checkpoints that are damaged, with what is wrong.
    pub skipped: Vec<(CheckpointId, String)>,
    /// The checkpoints that are kept.
    pub retained: Retained,
    /// State files of the checkpoint to begin at that have been read already.
    pub contents: Contents,
    /// Rows of its output that targets refused for good, and set aside.
    pub rejected_rows: u64,
    /// Sinks that were emptied although nobody asked for that in this run, with what they held: they
    /// had been left out when the job was reset.
    pub emptied: Vec<(String, String)>,
}

/// What is known of a job once it has been taken over.
struct Taken {
    restored: Option<Manifest>,
    skipped: Vec<(CheckpointId, String)>,
    retained: Retained,
    contents: Contents,
    settled: Settled,
}

impl Recovery<'_> {
    /// Takes over.
    ///
    /// # Errors
    /// `Damaged` if no checkpoint is intact or a target lost what it had; `Configuration` if job,
    /// store and targets do not belong together; `Unavailable` if one of them does not answer; `Fenced`
    /// if another process has claimed the job meanwhile, whatever was seen of what it did.
    pub fn run(
        &self,
        store: &Arc<dyn Store>,
        log: Arc<dyn CommitLog>,
        mut targets: Targets,
    ) -> Result<Recovered> {
        let candidate = tracing::error_span!("candidate", job = %self.candidate.job).entered();
        let looked_at = self.look(&*log, &mut targets)?;
        let leadership = self.candidate.acquire(log)?;
        drop(candidate);
        let _run = leadership.held().span().entered();
        let taken = self.take_over(looked_at, &leadership, store, &mut targets);
        let Taken { restored, skipped, retained, contents, settled } =
            taken.map_err(|error| leadership.held().explain(error))?;
        let Settled { rejected_rows, emptied, .. } = settled;
        Ok(Recovered {
            leadership,
            targets,
            restored,
            skipped,
            retained,
            contents,
            rejected_rows,
            emptied,
        })
    }

    /// Everything after the claim.
    fn take_over(
        &self,
        looked_at: Option<CheckpointId>,
        leadership: &Leadership,
        store: &Arc<dyn Store>,
        targets: &mut Targets,
    ) -> Result<Taken> {
        let (point, contents) = self.decide(leadership, &**store)?;
        // What is forgotten now is needed until the next commit: this process may die before it.
        let original = match &point {
            RestorePoint::Fresh => None,
            RestorePoint::From { manifest, .. } => Some((**manifest).clone()),
        };
        if let Some(original) = &original {
            self.tell_nowhere(original);
        }
        let point = self.adapted(point)?;
        let (restored, skipped) = match &point {
            RestorePoint::Fresh => (None, Vec::new()),
            RestorePoint::From { manifest, skipped } => {
                (Some((**manifest).clone()), skipped.clone())
            }
        };
        tell_decision(restored.as_ref(), &skipped);
        // Others may have committed since the look, or what was looked at is damaged.
        if restored.as_ref().map(|manifest| manifest.checkpoint) != looked_at {
            self.check(restored.as_ref())?;
        }
        let settled = self.settle(leadership, (original.as_ref(), &point), store, targets)?;
        let kept = collecting::read_kept(leadership, original.as_ref())?;
        let retained = Retained::new(self.retain, &kept);
        // Where something is damaged, somebody may want to look at what is left of it.
        if skipped.is_empty() {
            collecting::collect(leadership, &**store, &retained, &kept)?;
        }
        Ok(Taken { restored, skipped, retained, contents, settled })
    }

    /// Brings every target to what the checkpoint says, and makes it ours. `original` is what was
    /// committed, `point` what of it fits the job.
    fn settle(
        &self,
        leadership: &Leadership,
        (original, point): (Option<&Manifest>, &RestorePoint),
        store: &Arc<dyn Store>,
        targets: &mut Targets,
    ) -> Result<Settled> {
        let shown = Shown::new(Arc::clone(store), self.layout);
        let is_shown = original.map_or(Ok(false), |manifest| shown.contains(manifest))?;
        let permissions = self.permissions();
        let successor = self.successor(leadership.claim(), point, &permissions, is_shown);
        let settling = Settling { leadership, store: &**store, successor };
        let mut settled = Settled::default();
        // What one target refuses is said before another is changed: that could not be taken back.
        for sink in targets.sinks() {
            decide_about(&settling.successor, &sink, &targets.look(&sink)?, leadership.log())?;
        }
        for sink in targets.sinks() {
            settling.settle(&sink, targets, &mut settled)?;
        }
        // A sink that this run leaves out, and the next has again, has shown nothing of it.
        let is_repeated = |manifest: &&Manifest| {
            let mut all = manifest.outputs.iter().filter(|(_, output)| output.is_unmarked_output());
            all.all(|(sink, _)| settled.repeated.contains(sink))
        };
        if let Some(manifest) = original.filter(is_repeated)
            && !settled.repeated.is_empty()
        {
            shown.note(manifest.checkpoint, manifest.claim)?;
        }
        Ok(settled)
    }

    fn permissions(&self) -> Permissions {
        Permissions { adopt: self.adopt, new: self.differences.new.clone() }
    }

    fn successor<'a>(
        &self,
        claim: &'a Claim,
        restore: &'a RestorePoint,
        permissions: &'a Permissions,
        shown: bool,
    ) -> Successor<'a> {
        Successor { claim, restore, reset: self.candidate.reset, permissions, shown }
    }

    fn adapted(&self, mut point: RestorePoint) -> Result<RestorePoint> {
        if let RestorePoint::From { manifest, .. } = &mut point {
            fit::adapt(manifest, self.shape, self.differences)?;
        }
        Ok(point)
    }

    fn tell_nowhere(&self, manifest: &Manifest) {
        if let Some((nowhere, held)) = fit::nowhere(manifest, self.shape, self.differences) {
            let listed = |names: BTreeSet<&str>| Vec::from_iter(names).join(", ");
            tracing::warn!(
                name: "nothing_to_forget",
                names = %listed(nowhere),
                held = %listed(held),
                "what is to be forgotten (--forget) is neither in the checkpoint nor in the job"
            );
        }
    }

    fn check(&self, manifest: Option<&Manifest>) -> Result<()> {
        if let Some(manifest) = manifest {
            fit::check(manifest, self.shape, self.differences)?;
        }
        (self.check_sources)(manifest)
    }
}

fn tell_decision(restored: Option<&Manifest>, skipped: &[(CheckpointId, String)]) {
    for (checkpoint, reason) in skipped {
        tracing::warn!(
            name: "checkpoint_skipped",
            checkpoint = checkpoint.0,
            reason = %reason,
            "a damaged checkpoint is skipped"
        );
    }
    let what = match restored {
        Some(_) => "the job goes on from a checkpoint",
        None => "the job begins at the start of its input",
    };
    tracing::info!(
        name: "recovery_decided",
        checkpoint = restored.map(|manifest| manifest.checkpoint.0),
        bytes = restored.map(Manifest::total_bytes),
        skipped = skipped.len() as u64,
        "{what}"
    );
}

#[cfg(test)]
mod tests;
