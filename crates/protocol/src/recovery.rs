//! Where to begin: the newest intact checkpoint, and what each target still has to be given.
//!
//! It decides from what was found; it reads neither store nor targets.

use steadfast_core::id::CheckpointId;
use steadfast_core::sink::DeliveryGuarantee;
use steadfast_core::{Error, ErrorKind, Result};

use crate::log::{LogView, Permit};
use crate::manifest::{Consistency, Manifest};

/// Where a process begins.
#[derive(Debug)]
pub enum Start {
    /// At the beginning of every source.
    Fresh {
        /// Whether the job was reset: what its sinks wrote before must go.
        reset: bool,
    },
    /// At a checkpoint.
    From {
        /// The checkpoint.
        manifest: Box<Manifest>,
        /// Newer checkpoints that are damaged, newest first, with what is wrong.
        skipped: Vec<(CheckpointId, String)>,
    },
}

/// Picks the newest checkpoint that `check` finds intact.
///
/// # Errors
/// `Damaged` if there are checkpoints but none is intact: beginning at the start would repeat output.
/// Whatever `check` returns, if it is not `Damaged`.
pub fn decide(view: &LogView, mut check: impl FnMut(&Manifest) -> Result<()>) -> Result<Start> {
    let mut skipped = Vec::new();
    for (id, checkpoint) in view.live_checkpoints() {
        let problem = match checkpoint {
            Ok(manifest) => match check(manifest) {
                Ok(()) => return Ok(Start::From { manifest: Box::new(manifest.clone()), skipped }),
                Err(error) if error.kind() == ErrorKind::Damaged => error.to_string(),
                Err(error) => return Err(error.at(format!("checkpoint {id}"))),
            },
            Err(error) if error.kind() == ErrorKind::Damaged => error.to_string(),
            Err(error) => {
                return Err(
                    Error::new(error.kind(), error.to_string()).at(format!("checkpoint {id}"))
                );
            }
        };
        skipped.push((id, problem));
    }
    match skipped.first() {
        None => Ok(Start::Fresh { reset: view.last_reset().is_some() }),
        Some((id, problem)) => {
            let what = format!("no checkpoint is intact; the newest, {id}: {problem}");
            Err(Error::damaged(what)
                .hint("restore the store from a copy, or start from scratch with --reset"))
        }
    }
}

/// What must be done with a target before the job may go on.
#[derive(Debug)]
pub enum SinkRecovery {
    /// Nothing: it holds exactly what the checkpoint says.
    Nothing,
    /// The output of the checkpoint has to be applied (again).
    Apply(Permit),
    /// What it holds belongs to a job that was reset.
    Reset,
}

/// What is known of a target at the start.
#[derive(Clone, Copy, Debug)]
pub struct TargetView<'a> {
    /// The sink's name.
    pub sink: &'a str,
    /// Its marker.
    pub applied: Option<CheckpointId>,
    /// What it promises.
    pub guarantee: DeliveryGuarantee,
}

/// Compares a target's marker with the checkpoint that the job begins at.
///
/// # Errors
/// `Damaged` if the target holds less than the checkpoint says it must, or output of a later checkpoint that
/// cannot be repeated; `Configuration` if store and target do not belong together.
pub fn catch_up(
    start: &Start,
    view: TargetView<'_>,
    consistency: Consistency,
) -> Result<SinkRecovery> {
    let TargetView { sink, applied, guarantee } = view;
    let (manifest, output) = match start {
        Start::Fresh { reset: true } => return Ok(SinkRecovery::Reset),
        // A process that dies between applying and committing leaves a marker without a checkpoint.
        Start::Fresh { .. } if consistency == Consistency::AtLeastOnce => {
            return Ok(SinkRecovery::Nothing);
        }
        Start::Fresh { reset: false } => return fresh_target(sink, applied),
        Start::From { manifest, .. } => match manifest.outputs.get(sink) {
            // The sink is new in this job.
            None => return Ok(SinkRecovery::Nothing),
            Some(output) => (manifest, output),
        },
    };
    if consistency != Consistency::ExactlyOnce || manifest.consistency != consistency {
        return Ok(SinkRecovery::Nothing);
    }
    let checkpoint = manifest.checkpoint;
    let has_output = !output.chunks.is_empty();
    let complete = if has_output { Some(checkpoint) } else { output.before };
    if guarantee == DeliveryGuarantee::AtLeastOnce {
        return Ok(if has_output {
            SinkRecovery::Apply(Permit::recovered(manifest))
        } else {
            SinkRecovery::Nothing
        });
    }
    if applied == complete {
        Ok(SinkRecovery::Nothing)
    } else if has_output && applied == output.before {
        Ok(SinkRecovery::Apply(Permit::recovered(manifest)))
    } else if applied > complete {
        ahead(sink, checkpoint, guarantee)
    } else {
        let show = |id: Option<CheckpointId>| id.map_or("none".to_string(), |id| id.to_string());
        let what = format!(
            "the target has output up to checkpoint {}, but checkpoint {checkpoint} builds on output up to {}",
            show(applied),
            show(output.before)
        );
        Err(Error::damaged(what)
            .at(format!("sink '{sink}'"))
            .hint("it was replaced or restored from a copy; start from scratch with --reset"))
    }
}

fn fresh_target(sink: &str, applied: Option<CheckpointId>) -> Result<SinkRecovery> {
    let Some(applied) = applied else { return Ok(SinkRecovery::Nothing) };
    let what = format!(
        "the target holds output of this job up to checkpoint {applied}, but the store has no checkpoint"
    );
    Err(Error::configuration(what)
        .at(format!("sink '{sink}'"))
        .hint("give the --checkpoints that belong to it, or start from scratch with --reset"))
}

fn ahead(
    sink: &str,
    checkpoint: CheckpointId,
    guarantee: DeliveryGuarantee,
) -> Result<SinkRecovery> {
    if guarantee == DeliveryGuarantee::UpsertOnce {
        return Ok(SinkRecovery::Nothing);
    }
    let what = format!(
        "the target already shows output of a checkpoint after {checkpoint}, which is the newest intact one; \
         going on would append it twice"
    );
    Err(Error::damaged(what)
        .at(format!("sink '{sink}'"))
        .hint("restore the store from a copy, or start from scratch with --reset"))
}

#[cfg(test)]
mod tests;
