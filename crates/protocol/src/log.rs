//! The commit log: one sequence of numbered entries, each a claim or a checkpoint.
//!
//! Every entry is created by a conditional put under the number after the last one. A process
//! that takes over appends a claim; from then on the process before it, which wants the same
//! number for its next checkpoint, finds it taken and knows that it is fenced. No lease and no clock is
//! involved, and there is no moment at which two processes can commit.
//!
//! Claims are never deleted: a process that slept for a year still runs into the claim that
//! ended its generation.
//!
//! This module decides; it does not perform the puts.

use steadfast_core::id::{CheckpointId, Generation};
use steadfast_core::store::Put;
use steadfast_core::{Error, Result};

use crate::manifest::{Consistency, LogEntry, Manifest};

/// The right to bring a checkpoint's output into the targets. Only this crate can make one: from a
/// confirmed commit, from recovery of a committed checkpoint, or for a job that accepts repetition.
#[derive(Debug)]
#[must_use = "a committed checkpoint whose output is not applied is lost for its readers"]
pub struct Permit {
    checkpoint: CheckpointId,
}

impl Permit {
    /// The checkpoint whose output may be applied.
    pub fn checkpoint(&self) -> CheckpointId {
        self.checkpoint
    }

    pub(crate) fn before_commit(
        checkpoint: CheckpointId,
        consistency: Consistency,
    ) -> Option<Self> {
        (consistency == Consistency::AtLeastOnce).then_some(Permit { checkpoint })
    }

    pub(crate) fn recovered(manifest: &Manifest) -> Self {
        Permit { checkpoint: manifest.checkpoint }
    }
}

/// A commit that has taken place.
#[derive(Debug)]
pub struct Committed {
    checkpoint: CheckpointId,
}

impl Committed {
    /// The checkpoint that was committed.
    pub fn checkpoint(&self) -> CheckpointId {
        self.checkpoint
    }

    pub(crate) fn permit(&self) -> Permit {
        Permit { checkpoint: self.checkpoint }
    }
}

/// What became of an append, given the store's answer. `found` must hold the bytes under that
/// number if the answer was that something is there already.
///
/// The entry counts as appended if the bytes found are our own: the put had happened, only its
/// answer was lost.
pub fn was_appended(put: Put, written: &[u8], found: Option<&[u8]>) -> bool {
    match put {
        Put::Created => true,
        Put::AlreadyExists => found == Some(written),
    }
}

/// Confirms the commit of a checkpoint, or says who has taken over.
///
/// # Errors
/// `Fenced` if another entry has the number.
pub fn confirm(
    manifest: &Manifest,
    put: Put,
    written: &[u8],
    found: Option<&[u8]>,
) -> Result<Committed> {
    if was_appended(put, written, found) {
        return Ok(Committed { checkpoint: manifest.checkpoint });
    }
    let by = match found.map(LogEntry::decode) {
        Some(Ok(LogEntry::Claim(claim))) => format!(" by {}", claim.holder),
        Some(Ok(LogEntry::Checkpoint(checkpoint))) => {
            format!(" by the holder of generation {}", checkpoint.generation)
        }
        Some(Err(_)) | None => String::new(),
    };
    let what = format!(
        "job '{}' has been taken over{by}; checkpoint {} of generation {} was not committed",
        manifest.job, manifest.checkpoint, manifest.generation
    );
    Err(Error::fenced(what).hint("one process at a time runs a job; stop one of them"))
}

/// What the log holds, oldest first.
#[derive(Debug, Default)]
pub struct LogView {
    entries: Vec<(u64, Result<LogEntry>)>,
}

impl LogView {
    /// From the entries found, with their numbers.
    pub fn new(mut entries: Vec<(u64, Result<LogEntry>)>) -> Self {
        entries.sort_by_key(|(number, _)| *number);
        LogView { entries }
    }

    /// The number that the next entry must have.
    pub fn next_number(&self) -> u64 {
        self.entries.last().map_or(1, |(number, _)| number + 1)
    }

    /// Every checkpoint, newest first, with the damage where one cannot be read.
    pub fn checkpoints(&self) -> impl Iterator<Item = (CheckpointId, Result<&Manifest, &Error>)> {
        self.entries.iter().rev().filter_map(|(number, entry)| match entry {
            Ok(LogEntry::Checkpoint(manifest)) => Some((CheckpointId(*number), Ok(&**manifest))),
            Ok(LogEntry::Claim(_)) => None,
            Err(error) => Some((CheckpointId(*number), Err(error))),
        })
    }

    /// The checkpoints that count: those after the last claim that began the job reset.
    pub fn live_checkpoints(
        &self,
    ) -> impl Iterator<Item = (CheckpointId, Result<&Manifest, &Error>)> {
        let reset = self.last_reset();
        self.checkpoints().take_while(move |(id, _)| reset.is_none_or(|reset| id.0 > reset))
    }

    /// The number of the last claim that began the job reset.
    pub fn last_reset(&self) -> Option<u64> {
        let is_anew = |entry: &Result<LogEntry>| matches!(entry, Ok(LogEntry::Claim(c)) if c.reset);
        self.entries.iter().rev().find(|(_, entry)| is_anew(entry)).map(|(number, _)| *number)
    }

    /// The newest claim.
    pub fn generation(&self) -> Option<Generation> {
        let is_claim = |entry: &Result<LogEntry>| matches!(entry, Ok(LogEntry::Claim(_)));
        self.entries.iter().rev().find(|(_, entry)| is_claim(entry)).map(|(n, _)| Generation(*n))
    }
}
