//! The checkpoints of a job, for people who look at its store. It changes nothing.

use steadfast_core::id::CheckpointId;
use steadfast_core::log::CommitLog;
use steadfast_core::store::Store;
use steadfast_core::{Error, Result};
use steadfast_protocol::entry::LogEntry;
use steadfast_protocol::manifest::Manifest;
use steadfast_protocol::names::LogLayout;
use steadfast_protocol::restore::{RestoreSearch, RestoreStep};

use crate::leadership;

/// A checkpoint, or what is wrong with its log entry.
pub type HistoryEntry = (CheckpointId, Result<Manifest>);

/// The checkpoints that a job could go on from, newest first.
///
/// # Errors
/// `Unavailable` if log or store do not answer. A damaged entry is part of the answer.
pub fn read(log: &dyn CommitLog, store: &dyn Store) -> Result<Vec<HistoryEntry>> {
    let tail = leadership::look(log)?;
    let Some(origin) = tail.origin else { return Ok(Vec::new()) };
    let mut search = RestoreSearch::new(origin, tail.newest, log.look()?.first);
    let mut entries: Vec<HistoryEntry> = Vec::new();
    // The search that a job makes at its start, answered so that it never finds what it looks for.
    while let Ok(step) = search.step() {
        match step {
            RestoreStep::Read(index) => {
                let entry = log.read(index)?.map(|bytes| LogEntry::decode(&bytes));
                let id = CheckpointId(index.0);
                if let Some(Err(error)) = &entry {
                    entries.push((id, Err(error.repeated())));
                }
                search.found(entry)?;
            }
            RestoreStep::Verify(manifest) => {
                entries.push((manifest.checkpoint, Ok(manifest.clone())));
                search.verified(Err(Error::damaged("go on")))?;
            }
            RestoreStep::Decided(_) => break,
        }
    }
    let mut kept = Vec::new();
    for entry in entries {
        if store.get(&LogLayout::default().dropped(entry.0))?.is_none() {
            kept.push(entry);
        }
    }
    Ok(kept)
}
