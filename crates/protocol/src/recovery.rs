//! Where to begin: the newest intact cut, and what each target still has to be given.
//!
//! It decides from what was found; it reads neither store nor targets.

use steadfast_core::id::CheckpointId;
use steadfast_core::sink::TargetPromise;
use steadfast_core::{Error, ErrorKind, Result};

use crate::log::{LogView, Permit};
use crate::manifest::{Consistency, Manifest};

/// Where a process begins.
#[derive(Debug)]
pub enum Start {
    /// At the beginning of every source.
    Fresh {
        /// Whether the job was begun anew: what its sinks wrote before must go.
        anew: bool,
    },
    /// At a cut.
    From {
        /// The cut.
        manifest: Box<Manifest>,
        /// Newer cuts that are damaged, newest first, with what is wrong.
        skipped: Vec<(CheckpointId, String)>,
    },
}

/// Picks the newest cut that `check` finds intact.
///
/// # Errors
/// `Damaged` if there are cuts but none is intact: beginning at the start would repeat output.
/// Whatever `check` returns, if it is not `Damaged`.
pub fn decide(view: &LogView, mut check: impl FnMut(&Manifest) -> Result<()>) -> Result<Start> {
    let mut skipped = Vec::new();
    for (id, cut) in view.cuts_that_count() {
        let problem = match cut {
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
        None => Ok(Start::Fresh { anew: view.begun_anew().is_some() }),
        Some((id, problem)) => {
            let what = format!("no checkpoint is intact; the newest, {id}: {problem}");
            Err(Error::damaged(what)
                .hint("restore the store from a copy, or begin anew with --restart"))
        }
    }
}

/// What must be done with a target before the job may go on.
#[derive(Debug)]
pub enum CatchUp {
    /// Nothing: it holds exactly what the cut says.
    Nothing,
    /// The output of the cut has to be applied (again).
    Apply(Permit),
    /// What it holds belongs to a job that was begun anew.
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
    pub promise: TargetPromise,
}

/// Compares a target's marker with the cut that the job begins at.
///
/// # Errors
/// `Damaged` if the target holds less than the cut says it must, or output of a later cut that
/// cannot be repeated; `Configuration` if store and target do not belong together.
pub fn catch_up(start: &Start, view: TargetView<'_>, consistency: Consistency) -> Result<CatchUp> {
    let TargetView { sink, applied, promise } = view;
    let (manifest, output) = match start {
        Start::Fresh { anew: true } => return Ok(CatchUp::Reset),
        // A process that dies between applying and committing leaves a marker without a cut.
        Start::Fresh { .. } if consistency == Consistency::AtLeastOnce => {
            return Ok(CatchUp::Nothing);
        }
        Start::Fresh { anew: false } => return fresh_target(sink, applied),
        Start::From { manifest, .. } => match manifest.outputs.get(sink) {
            // The sink is new in this job.
            None => return Ok(CatchUp::Nothing),
            Some(output) => (manifest, output),
        },
    };
    if consistency != Consistency::ExactlyOnce || manifest.consistency != consistency {
        return Ok(CatchUp::Nothing);
    }
    let cut = manifest.checkpoint;
    let has_output = !output.parts.is_empty();
    let complete = if has_output { Some(cut) } else { output.before };
    if promise == TargetPromise::AtLeastOnce {
        return Ok(if has_output {
            CatchUp::Apply(Permit::recovered(manifest))
        } else {
            CatchUp::Nothing
        });
    }
    if applied == complete {
        Ok(CatchUp::Nothing)
    } else if has_output && applied == output.before {
        Ok(CatchUp::Apply(Permit::recovered(manifest)))
    } else if applied > complete {
        ahead(sink, cut, promise)
    } else {
        let show = |id: Option<CheckpointId>| id.map_or("none".to_string(), |id| id.to_string());
        let what = format!(
            "the target has output up to checkpoint {}, but checkpoint {cut} builds on output up to {}",
            show(applied),
            show(output.before)
        );
        Err(Error::damaged(what)
            .at(format!("sink '{sink}'"))
            .hint("it was replaced or restored from a copy; begin anew with --restart"))
    }
}

fn fresh_target(sink: &str, applied: Option<CheckpointId>) -> Result<CatchUp> {
    let Some(applied) = applied else { return Ok(CatchUp::Nothing) };
    let what = format!(
        "the target holds output of this job up to checkpoint {applied}, but the store has no checkpoint"
    );
    Err(Error::configuration(what)
        .at(format!("sink '{sink}'"))
        .hint("give the --checkpoints that belong to it, or begin anew with --restart"))
}

fn ahead(sink: &str, cut: CheckpointId, promise: TargetPromise) -> Result<CatchUp> {
    if promise == TargetPromise::UpsertOnce {
        return Ok(CatchUp::Nothing);
    }
    let what = format!(
        "the target already shows output of a checkpoint after {cut}, which is the newest intact one; \
         going on would append it twice"
    );
    Err(Error::damaged(what)
        .at(format!("sink '{sink}'"))
        .hint("restore the store from a copy, or begin anew with --restart"))
}

#[cfg(test)]
mod tests;
