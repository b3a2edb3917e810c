//! What an entry of the log rests on: a checkpoint that is committed or gone on from is what was written, all of
//! it, and nobody has deleted it; it follows what its own writer has put; and a claim is behind all others.

use steadfast_core::id::{CheckpointId, ClaimId};
use steadfast_protocol::entry::LogEntry;
use steadfast_protocol::manifest::Manifest;

use super::kept::{Kept, closing};
use crate::observer::{Observer, Seen};

/// A process has found where it goes on.
pub fn goes_on(kept: &Kept, observer: &Observer, by: u16, from: Option<CheckpointId>) {
    let seen = &mut *observer.seen();
    let Some(from) = from else { return };
    // Whoever comes after it deletes what it does not need itself.
    if seen.attempts.last() != Some(&by) {
        return;
    }
    if let Some(wrong) = problem(kept, seen, from) {
        seen.violations.push(format!("process {by} goes on from checkpoint {from}, {wrong}"));
    }
    seen.count("oracle: a checkpoint gone on from held against what was put");
}

fn problem(kept: &Kept, seen: &Seen, from: CheckpointId) -> Option<String> {
    if kept.has(&kept.layout.dropped(from)) {
        return Some("which somebody has deleted".to_string());
    }
    let Some(manifest) = kept.manifest(seen, from) else {
        let is_there = kept.has(&kept.entry(from));
        return is_there.then(|| "which nobody has put like this".to_string());
    };
    let other = kept.claim_before(from).filter(|claim| *claim != manifest.claim);
    if let Some(other) = other {
        return Some(format!("which follows an entry of claim {other} and is of another"));
    }
    // A store that is put back while it is looked at has what two histories have put.
    if seen.restorations > 0 { None } else { kept.breach(manifest, |_| true) }
}

impl Kept {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    fn has(&self, name: &str) -> bool {
        self.disk.read(&self.path(name)).is_some()
    }

    /// The name of the newest entry of the log.
    pub fn newest_entry(&self) -> Option<String> {
        let newest = self.disk.names(&self.path("log/")).pop()?;
        newest.strip_prefix(self.root)?.strip_prefix('/').map(str::to_string)
    }

    /// The claim of the entry before a checkpoint, if it can be read and counts.
    fn claim_before(&self, checkpoint: CheckpointId) -> Option<ClaimId> {
        let name = self.entry(CheckpointId(checkpoint.0.checked_sub(1)?));
        let bytes = self.disk.read(&self.path(&name)).filter(|_| !self.has(&closing(&name)))?;
        match LogEntry::decode(&bytes).ok()? {
            LogEntry::Claim(claim) => Some(claim.id),
            LogEntry::Checkpoint(manifest) => Some(manifest.claim),
        }
    }

    /// A checkpoint that somebody could go on from, whatever has been damaged: one of those that the newest one
    /// keeps of which an entry can be read.
    pub fn intact(&self, seen: &Seen) -> Option<CheckpointId> {
        let newest = self.newest(seen).filter(|newest| newest.origin.0 >= seen.newest_origin())?;
        let is_intact = |id: &&CheckpointId| {
            let manifest = self.manifest(seen, **id);
            manifest.is_some_and(|manifest| self.breach(manifest, |_| true).is_none())
                && !self.has(&self.layout.dropped(**id))
                && !self.has(&closing(&self.entry(**id)))
        };
        newest.retained.iter().find(is_intact).copied()
    }

    /// Whether the place of a log entry is free, and the one before it is of another than this process.
    pub fn is_next(&self, seen: &Seen, entry: &str, process: u16) -> bool {
        let index = entry.rsplit('/').next().and_then(|index| index.parse().ok());
        let before = index.filter(|_| !self.has(entry));
        let before = before.and_then(|index| self.claim_before(CheckpointId(index)));
        let by = before.and_then(|id| seen.claims.get(&(id.generation.0, id.nonce)));
        by.is_some_and(|claim| claim.process != process)
    }

    /// Whether a checkpoint follows an entry of another claim.
    pub fn is_stray(&self, manifest: &Manifest) -> bool {
        self.claim_before(manifest.checkpoint).is_some_and(|claim| claim != manifest.claim)
    }

    /// What is not as a checkpoint says, of the objects that matter.
    fn breach(&self, manifest: &Manifest, matters: impl Fn(&str) -> bool) -> Option<String> {
        let mut objects = manifest.objects().filter(|object| matters(&object.name));
        objects.find_map(|object| {
            let name = &object.name;
            match self.disk.read(&self.path(name)) {
                None => Some(format!("and {name} is not there")),
                Some(bytes) if crc32c::crc32c(&bytes) != object.crc32c => {
                    Some(format!("and {name} is not what it says"))
                }
                Some(_) => None,
            }
        })
    }

    /// An entry has been created where `newest` was the newest one.
    pub fn appended(
        &self,
        observer: &Observer,
        name: &str,
        entry: &LogEntry,
        newest: Option<&str>,
    ) {
        let seen = &mut *observer.seen();
        if seen.restorations > 0 {
            return;
        }
        let wrong = match entry {
            LogEntry::Claim(_) => newest
                .filter(|newest| *newest > name)
                .map(|newest| format!("is claimed, and {newest} was there")),
            LogEntry::Checkpoint(_) if seen.damaged => None,
            // Whoever has come after it, before its own process heard of it, deletes what it needs no more.
            LogEntry::Checkpoint(_) if self.newest_entry().as_deref() != Some(name) => None,
            LogEntry::Checkpoint(manifest) => {
                let own = format!("/{:012}-", manifest.checkpoint.0);
                self.breach(manifest, |name| name.contains(&own))
                    .map(|what| format!("is committed, {what}"))
            }
        };
        if let Some(wrong) = wrong {
            seen.violations.push(format!("{name} {wrong}"));
        }
    }
}
