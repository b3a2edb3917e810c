//! What must be done with a target before the job may go on, from what was found in it.
//!
//! The output of a checkpoint is dealt with as the level says under which it was *written*; what the
//! job promises from now on does not matter to what was promised before. The decision is made again
//! after each step until the target is settled, because others may come between. It reads no target.

use std::collections::BTreeSet;

use steadfast_core::id::{CheckpointId, Generation};
use steadfast_core::target::{DeliveryGuarantee, Marker, TargetState};
use steadfast_core::{Cause, Error, Result};

use crate::entry::Claim;
use crate::manifest::{Consistency, Manifest, StagedOutput};
use crate::restore::RestorePoint;

/// What is to be done with a target next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkRecovery {
    /// Nothing: it is ours, and holds exactly what the checkpoint says.
    Settled,
    /// It keeps no marker: show the output of the restored checkpoint again, if there is any.
    Repeat,
    /// Make it ours as it is.
    Acquire {
        /// The marker that was found.
        expected: Option<Marker>,
        /// The marker that it is to have.
        marker: Marker,
    },
    /// Apply the output of the restored checkpoint.
    Apply {
        /// The marker that was found.
        expected: Marker,
        /// The marker that it is to have.
        marker: Marker,
    },
    /// Remove what it holds: it belongs to what came before a reset.
    Reset {
        /// The marker that was found.
        expected: Marker,
        /// The marker that it is to have.
        marker: Marker,
    },
    /// What is said depends on the log entry of this generation: read it and ask again.
    ReadClaim(Generation),
}

/// What the user allows.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// Targets that others created, or that belong to another history, may be taken over.
    pub adopt: bool,
    /// Sinks and operators that are new in the job and begin without what came before.
    pub new: BTreeSet<String>,
}

/// The process that takes the targets over.
#[derive(Clone, Copy, Debug)]
pub struct Successor<'a> {
    /// Its claim.
    pub claim: &'a Claim,
    /// Where it begins.
    pub restore: &'a RestorePoint,
    /// Whether it was told to start from scratch.
    pub reset: bool,
    /// What it may do.
    pub permissions: &'a Permissions,
    /// Whether the restored output is known to have reached all targets. It is asked only about a
    /// target that keeps no marker.
    pub shown: bool,
}

/// What was found of one sink.
#[derive(Clone, Copy, Debug)]
pub struct SinkView<'a> {
    /// The sink's name.
    pub sink: &'a str,
    /// Its target.
    pub state: &'a TargetState,
    /// What the target takes.
    pub format: &'a str,
    /// What the target promises.
    pub guarantee: DeliveryGuarantee,
    /// The claim in the log at the generation of the target's marker; `None` if it was not read.
    pub writer: Option<Writer<'a>>,
}

/// Who is at a generation that a marker names.
#[derive(Clone, Copy, Debug)]
pub enum Writer<'a> {
    /// This claim.
    Known(&'a Claim),
    /// The log has another entry there.
    Other,
    /// The entry cannot be read.
    Unreadable,
    /// The log has no entry there any more, or not yet.
    Absent,
}

/// What the restored checkpoint holds for a sink. Nothing, if the sink is new, or had a target of
/// another kind: one that keeps a marker goes on from it, one without was never told where it is.
fn staged<'a>(
    by: &Successor<'a>,
    sink: &str,
    state: &TargetState,
) -> Option<(&'a Manifest, &'a StagedOutput)> {
    let RestorePoint::From { manifest, .. } = by.restore else { return None };
    let output = manifest.outputs.get(sink)?;
    let is_marked = *state != TargetState::Unmarked;
    (output.before.is_some() == is_marked).then_some((&**manifest, output))
}

/// Refuses what does not depend on how far the job has come, so that it can be said before anybody
/// is fenced. `format` is what the target takes.
///
/// # Errors
/// `Configuration` with the flag that would allow it; `Damaged` if output that was there is gone.
fn admit(by: &Successor<'_>, sink: &str, state: &TargetState, format: &str) -> Result<()> {
    let at = |error: Error| error.at(format!("sink '{sink}'"));
    let output = staged(by, sink, state);
    let is_new = output.is_none() && matches!(by.restore, RestorePoint::From { .. });
    if is_new && !by.permissions.new.contains(sink) {
        let what = "the sink, or its kind of target, is new in this job: it will have nothing of what \
                    came before";
        return Err(at(Error::because(Cause::NEW_SINK, what))
            .hint(format!("accept that with --new {sink} (RunOptions::new_operators), or begin again with --reset (RunOptions::reset)")));
    }
    // Asked before anything is called lost: where the user has mistyped the target, nothing is.
    if let (TargetState::Foreign(what), false) = (state, by.permissions.adopt) {
        return Err(at(Error::because(Cause::TARGET_FOREIGN, what))
            .hint("give the sink a target of its own, or use this one too with --adopt (RunOptions::adopt)"));
    }
    if let Some((manifest, output)) = output {
        match state {
            TargetState::Absent | TargetState::Foreign(_) if !is_untouched(output) => {
                return Err(at(lost(manifest, output, None)));
            }
            // Whether it got what the checkpoint holds before the other took it, nobody can tell.
            TargetState::Owned { marker, .. }
                if marker.lineage != by.claim.lineage && has_output(output) =>
            {
                return Err(at(taken_by_another(manifest, marker)));
            }
            _ => {}
        }
        let is_applied = match state {
            TargetState::Owned { marker, .. } => marker.checkpoint >= manifest.checkpoint,
            _ => false,
        };
        if !output.chunks.is_empty() && !is_applied && output.format != format {
            return Err(at(other_format(manifest, output, format)));
        }
    }
    match state {
        TargetState::Owned { marker, .. }
            if marker.lineage != by.claim.lineage && !by.permissions.adopt =>
        {
            Err(at(stranger(marker)))
        }
        _ => Ok(()),
    }
}

fn other_format(manifest: &Manifest, output: &StagedOutput, format: &str) -> Error {
    let (checkpoint, staged) = (manifest.checkpoint, &output.format);
    let what = format!(
        "checkpoint {checkpoint} holds output that may still have to be applied, as '{staged}', and \
         the target takes '{format}'"
    );
    Error::because(Cause::OTHER_FORMAT, what).hint(
        "start once with the sink as it was, so that its output is applied, and change it then; or \
         start from scratch with --reset (RunOptions::reset)",
    )
}

fn stranger(marker: &Marker) -> Error {
    let what = format!("another store of this job has written to the target ({marker})");
    Error::because(Cause::TARGET_OF_ANOTHER_STORE, what)
        .hint(
            "give the --checkpoints that belong to it; or, if those are lost, empty it with --adopt --reset \
             (RunOptions::adopt and ::reset); or take it over as it is with --adopt (RunOptions::adopt): its rows \
             stay, and what is appended from the same input is there twice then",
        )
}

fn taken_by_another(manifest: &Manifest, marker: &Marker) -> Error {
    let what = format!(
        "another store of this job has written to the target ({marker}), and checkpoint {} builds on what \
         this one had written there",
        manifest.checkpoint
    );
    Error::because(Cause::TARGET_OF_ANOTHER_STORE, what).hint(
        "give the --checkpoints that belong to it; --adopt (RunOptions::adopt) cannot help: to begin again here, start from \
         scratch with --adopt --reset (RunOptions::adopt and ::reset)",
    )
}

/// Decides about one target. The same observations give the same decision.
///
/// # Errors
/// `Configuration` with the flag that would allow it; `Fenced` if a later claim has the target; `Damaged` if the target holds less than the
/// checkpoint says it must, output of a later checkpoint that cannot be repeated, or output of a
/// later claim that the log does not know.
pub fn recover_sink(by: &Successor<'_>, view: SinkView<'_>) -> Result<SinkRecovery> {
    admit(by, view.sink, view.state, view.format)?;
    let at = |error: Error| error.at(format!("sink '{}'", view.sink));
    let output = staged(by, view.sink, view.state);
    match view.state {
        TargetState::Unmarked => Ok(match output {
            Some((_, output)) if output.is_unmarked_output() && !by.shown => SinkRecovery::Repeat,
            _ => SinkRecovery::Settled,
        }),
        TargetState::Absent | TargetState::Foreign(_) => {
            Ok(SinkRecovery::Acquire { expected: None, marker: mine(by, CheckpointId(0)) })
        }
        TargetState::Owned { marker, .. } => owned(by, &view, *marker, output).map_err(at),
    }
}

fn mine(by: &Successor<'_>, checkpoint: CheckpointId) -> Marker {
    Marker { lineage: by.claim.lineage, claim: by.claim.id, checkpoint }
}

/// Whether no output can have reached the target yet: all there is lies in the checkpoint.
fn is_untouched(output: &StagedOutput) -> bool {
    let nothing_before = output.before.is_none_or(|before| before.checkpoint.0 == 0);
    nothing_before && (!output.written || !output.chunks.is_empty())
}

/// Whether there has been output so far.
fn has_output(output: &StagedOutput) -> bool {
    output.written || output.before.is_some_and(|before| before.checkpoint.0 > 0)
}

fn owned(
    by: &Successor<'_>,
    view: &SinkView<'_>,
    marker: Marker,
    output: Option<(&Manifest, &StagedOutput)>,
) -> Result<SinkRecovery> {
    if marker.lineage != by.claim.lineage {
        return Ok(match by.reset {
            true => SinkRecovery::Reset { expected: marker, marker: mine(by, CheckpointId(0)) },
            false => move_marker(by, marker, CheckpointId(0)),
        });
    }
    let level = match level_of(by, view, &marker, output)? {
        Level::Unknown(generation) => return Ok(SinkRecovery::ReadClaim(generation)),
        Level::BeforeReset => {
            // The job has gone on since the reset, and its output is not here.
            if let Some((manifest, output)) = output {
                return Err(lost(manifest, output, None));
            }
            return Ok(SinkRecovery::Reset { expected: marker, marker: mine(by, CheckpointId(0)) });
        }
        Level::Known(level) => level,
    };
    // A claim that has only taken the target over has not written what the marker speaks of: that is
    // output of a checkpoint that was committed, under a level that nobody can tell any more.
    let has_written = marker.checkpoint.0 > marker.claim.generation.0;
    let repeats = view.guarantee == DeliveryGuarantee::UpsertOnce
        || has_written && (level == Consistency::AtLeastOnce || marker.claim == by.claim.id);
    let Some((manifest, output)) = output else {
        return match by.restore {
            RestorePoint::Fresh if marker.checkpoint.0 > 0 && !repeats => {
                Err(no_checkpoint(&marker))
            }
            // What was never committed comes again, whoever goes on from here.
            RestorePoint::Fresh => Ok(move_marker(by, marker, CheckpointId(0))),
            // It was shown after the sink came, and the job falls back to before that.
            RestorePoint::From { manifest: restored, .. }
                if marker.checkpoint > restored.checkpoint && !repeats =>
            {
                Err(ahead(restored))
            }
            // What is ahead comes again: the marker goes back, or the next look would find it ahead.
            RestorePoint::From { manifest: restored, .. } => {
                Ok(move_marker(by, marker, marker.checkpoint.min(restored.checkpoint)))
            }
        };
    };
    let before = output.before.map_or(CheckpointId(0), |before| before.checkpoint);
    let complete = if output.written { manifest.checkpoint } else { before };
    if marker.checkpoint == complete {
        Ok(move_marker(by, marker, complete))
    } else if marker.checkpoint > complete {
        if marker.checkpoint <= manifest.checkpoint {
            Err(left_out(manifest, &marker))
        } else if repeats {
            Ok(move_marker(by, marker, complete))
        } else {
            Err(ahead(manifest))
        }
    } else if marker.checkpoint == before && !output.chunks.is_empty() {
        Ok(SinkRecovery::Apply { expected: marker, marker: mine(by, complete) })
    } else if marker.checkpoint == before && manifest.consistency == Consistency::AtMostOnce {
        // It was committed, and its process died before it showed it: it never will.
        Ok(move_marker(by, marker, before))
    } else {
        Err(lost(manifest, output, Some(marker.checkpoint)))
    }
}

fn move_marker(by: &Successor<'_>, found: Marker, checkpoint: CheckpointId) -> SinkRecovery {
    let marker = mine(by, checkpoint);
    if found == marker {
        return SinkRecovery::Settled;
    }
    SinkRecovery::Acquire { expected: Some(found), marker }
}

/// What is known of the process that a marker names.
enum Level {
    /// It wrote under this level.
    Known(Consistency),
    /// It wrote before the job was reset.
    BeforeReset,
    /// The log may tell.
    Unknown(Generation),
}

fn level_of(
    by: &Successor<'_>,
    view: &SinkView<'_>,
    marker: &Marker,
    output: Option<(&Manifest, &StagedOutput)>,
) -> Result<Level> {
    if marker.claim == by.claim.id {
        return Ok(Level::Known(by.claim.consistency));
    }
    if let Some((manifest, output)) = output {
        let before = output.before.is_some_and(|before| before.claim == marker.claim);
        if marker.claim == manifest.claim || before {
            return Ok(Level::Known(manifest.consistency));
        }
    }
    let generation = marker.claim.generation;
    match view.writer {
        None => Ok(Level::Unknown(generation)),
        Some(Writer::Known(claim)) if claim.id == marker.claim => {
            if generation > by.claim.id.generation {
                let what = format!("{} has taken over the job", claim.holder);
                return Err(Error::because(Cause::JOB_TAKEN_OVER, what)
                    .hint("one process at a time runs a job; stop one of them"));
            }
            if generation < by.claim.origin {
                return Ok(Level::BeforeReset);
            }
            Ok(Level::Known(claim.consistency))
        }
        // What was before a reset is forgotten sooner or later, or cannot be read: it goes either way.
        Some(Writer::Absent | Writer::Unreadable) if generation < by.claim.origin => {
            Ok(Level::BeforeReset)
        }
        Some(_) if by.reset && by.permissions.adopt => Ok(Level::BeforeReset),
        // Nobody knows what it promised: what is complete is accepted, and what is ahead is not.
        Some(Writer::Unreadable) => Ok(Level::Known(Consistency::ExactlyOnce)),
        // The sink comes back after others have gone on without it for so long that the log has
        // forgotten its writer; it begins anew where it is, as the user has allowed.
        Some(Writer::Absent)
            if output.is_none()
                && matches!(by.restore, RestorePoint::From { .. })
                && generation < by.claim.id.generation =>
        {
            Ok(Level::Known(Consistency::AtLeastOnce))
        }
        Some(_) => Err(unknown_writer(marker)),
    }
}

fn unknown_writer(marker: &Marker) -> Error {
    let what =
        format!("the target was written by a process that the store does not know ({marker})");
    Error::because(Cause::UNKNOWN_WRITER, what).hint(
        "the store is a copy, or was restored from an older one: give the --checkpoints that belong \
         to the target, or empty it and start from scratch with --adopt --reset (RunOptions::adopt and ::reset)",
    )
}

fn no_checkpoint(marker: &Marker) -> Error {
    let what = format!(
        "the target holds output of this job up to checkpoint {}, but the store has no checkpoint",
        marker.checkpoint
    );
    Error::because(Cause::OUTPUT_AHEAD, what).hint(
        "restore the store from a copy, or start from scratch with --reset (RunOptions::reset)",
    )
}

fn left_out(manifest: &Manifest, marker: &Marker) -> Error {
    let what = format!(
        "checkpoint {} knows nothing of the output of checkpoint {} that the target holds: the job has \
         written elsewhere in between",
        manifest.checkpoint, marker.checkpoint
    );
    Error::because(Cause::OUTPUT_AHEAD, what)
        .hint("give the sink the target that it had last, or start from scratch with --reset (RunOptions::reset)")
}

fn ahead(manifest: &Manifest) -> Error {
    let what = format!(
        "the target already shows output of a checkpoint after {}, which is the newest intact one; \
         going on would append it twice",
        manifest.checkpoint
    );
    Error::because(Cause::OUTPUT_AHEAD, what).hint(
        "restore the store from a copy, or start from scratch with --reset (RunOptions::reset)",
    )
}

fn lost(manifest: &Manifest, output: &StagedOutput, found: Option<CheckpointId>) -> Error {
    let found = match found {
        Some(checkpoint) if checkpoint.0 > 0 => format!("output up to checkpoint {checkpoint}"),
        _ => "no output".to_string(),
    };
    let builds_on = match output.before.map(|before| before.checkpoint) {
        Some(checkpoint) if checkpoint.0 > 0 => format!("output up to checkpoint {checkpoint}"),
        _ => "what the job has written since it began".to_string(),
    };
    let what = format!(
        "the target has {found}, but checkpoint {} builds on {builds_on}",
        manifest.checkpoint
    );
    Error::because(Cause::OUTPUT_LOST, what).hint(
        "give the sink the target that it had; if that is gone, start from scratch with --reset (RunOptions::reset)",
    )
}

#[cfg(test)]
mod tests;
