//! Brings one target after the other to what the checkpoint says, and makes it ours.
//!
//! Others can come between any two calls, so each step is conditional, and after each one the target
//! is looked at again: only what is seen then says that it is settled.

use std::collections::BTreeSet;

use steadfast_core::id::{Generation, LogIndex};
use steadfast_core::log::CommitLog;
use steadfast_core::store::Store;
use steadfast_core::target::TargetState;
use steadfast_core::{Error, Result};
use steadfast_protocol::entry::LogEntry;
use steadfast_protocol::manifest::ObjectRef;
use steadfast_protocol::restore::RestorePoint;
use steadfast_protocol::sink_recovery::{self, SinkRecovery, SinkView, Successor, Writer};

use crate::leadership::{Leadership, Permit};
use crate::snapshot::OutputChunk;
use crate::staged::StagedChunks;
use crate::targets::{Looked, Targets};

/// How often a target is looked at again because somebody else has come between: each time, another
/// process had passed this one or was passed by it.
const MOST_ROUNDS: usize = 1000;

/// Who settles, and with what.
pub(super) struct Settling<'a> {
    pub(super) leadership: &'a Leadership,
    pub(super) store: &'a dyn Store,
    pub(super) successor: Successor<'a>,
}

/// What was done beside the obvious.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Rows that were set aside.
    pub(super) rejected_rows: u64,
    /// Sinks that were emptied unasked, with what they held.
    pub(super) emptied: Vec<(String, String)>,
    /// Sinks whose targets keep no marker and have shown the output again.
    pub(super) repeated: BTreeSet<String>,
}

impl Settling<'_> {
    /// Settles one target.
    pub(super) fn settle(
        &self,
        sink: &str,
        targets: &mut Targets,
        settled: &mut Settled,
    ) -> Result<()> {
        let Settling { leadership, successor, .. } = self;
        let adopt = successor.permissions.adopt;
        for _ in 0..MOST_ROUNDS {
            let looked = targets.look(sink)?;
            let decision = decide_about(successor, sink, &looked, leadership.log())?;
            // Whoever has written to the target through this log claimed before it did. So what was
            // seen is of the past, and not of a successor, exactly if there is none yet.
            if decision != SinkRecovery::Settled {
                leadership.held().confirm()?;
            }
            match decision {
                SinkRecovery::Settled => {
                    let marker = match looked.state {
                        TargetState::Owned { marker, .. } => Some(marker),
                        _ => None,
                    };
                    return targets.settle(sink, marker);
                }
                SinkRecovery::Acquire { expected, marker } => {
                    if targets.acquire(sink, expected.as_ref(), &marker, adopt)? {
                        tracing::info!(name: "target_acquired", sink, "the target is ours");
                    }
                }
                SinkRecovery::Reset { expected, marker } => {
                    // Whoever has asked for a reset knows; elsewhere it is said afterwards.
                    let held = (!successor.reset).then(|| targets.contents(sink)).transpose()?;
                    if targets.reset(sink, &expected, &marker)? {
                        tell_reset(sink, held.as_deref());
                        settled.emptied.extend(held.map(|held| (sink.to_string(), held)));
                    }
                }
                SinkRecovery::Apply { expected, .. } => {
                    let (permit, chunks) = self.restored_output(sink)?;
                    let applied = targets.finish(&permit, sink, &expected, &chunks)?;
                    tell_finished(sink, &permit, applied);
                    settled.rejected_rows += applied.unwrap_or(0);
                }
                SinkRecovery::Repeat => {
                    let (permit, chunks) = self.restored_output(sink)?;
                    let applied = targets.finish(&permit, sink, &permit.marker(), &chunks)?;
                    // A target that refuses because of a marker has one now.
                    let Some(rejected) = applied else { continue };
                    tell_finished(sink, &permit, applied);
                    settled.rejected_rows += rejected;
                    settled.repeated.insert(sink.to_string());
                    return Ok(());
                }
                SinkRecovery::ReadClaim(_) => {
                    return Err(Error::internal("a claim that was read is asked for again"));
                }
            }
        }
        let what = format!("others change the target each time, {MOST_ROUNDS} times in a row");
        Err(Error::unavailable(what).at(format!("sink '{sink}'")))
    }

    /// What the restored checkpoint holds for a sink, held against what its manifest says.
    fn restored_output(&self, sink: &str) -> Result<(Permit, StagedChunks<'_>)> {
        let RestorePoint::From { manifest, .. } = self.successor.restore else {
            return Err(Error::internal("there is output to be applied, but no checkpoint"));
        };
        let chunks = manifest.outputs.get(sink).map_or(&[][..], |output| &output.chunks[..]);
        let chunk = |object: &ObjectRef| OutputChunk {
            object: object.clone(),
            is_spilled: false,
            bytes: None,
        };
        let chunks = chunks.iter().map(chunk).collect();
        Ok((self.leadership.permit_restored(manifest), StagedChunks { store: self.store, chunks }))
    }
}

/// `held` is what the target held, where nobody has asked for a reset in this run.
fn tell_reset(sink: &str, held: Option<&str>) {
    match held {
        Some(held) => tracing::warn!(
            name: "target_emptied",
            sink,
            held,
            "the target is emptied, because the job was reset without it"
        ),
        None => tracing::info!(name: "target_reset", sink, "the target is emptied"),
    }
}

/// What is `None` was done by another process.
fn tell_finished(sink: &str, permit: &Permit, applied: Option<u64>) {
    if let Some(rejected_rows) = applied {
        tracing::info!(
            name: "output_finished",
            sink,
            checkpoint = permit.checkpoint().0,
            rejected_rows,
            "the output of the checkpoint is in its target"
        );
    }
}

/// Decides about a target, reading the claim that its marker names where that matters.
pub(super) fn decide_about(
    successor: &Successor<'_>,
    sink: &str,
    looked: &Looked,
    log: &dyn CommitLog,
) -> Result<SinkRecovery> {
    let Looked { state, guarantee, format } = looked;
    let view = SinkView { sink, state, format, guarantee: *guarantee, writer: None };
    match sink_recovery::recover_sink(successor, view)? {
        SinkRecovery::ReadClaim(Generation(generation)) => {
            let entry = log.read(LogIndex(generation))?;
            let entry = entry.map(|bytes| LogEntry::decode(&bytes));
            let writer = match &entry {
                None => Writer::Absent,
                Some(Ok(LogEntry::Claim(claim))) => Writer::Known(claim),
                Some(Ok(LogEntry::Checkpoint(_))) => Writer::Other,
                Some(Err(_)) => Writer::Unreadable,
            };
            sink_recovery::recover_sink(successor, SinkView { writer: Some(writer), ..view })
        }
        decision => Ok(decision),
    }
}
