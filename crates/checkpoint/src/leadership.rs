//! Leadership of a job: claiming it, and what only the holder of the newest claim can do.
//!
//! A `Permit` to touch a target is made here and nowhere else: by a commit that took place, for the
//! output of the checkpoint that a job was restored from, or for a job that accepts repetition. It
//! knows nothing of targets.

use std::sync::Arc;

use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage, LogIndex};
use steadfast_core::log::{Appended, CommitLog};
use steadfast_core::target::Marker;
use steadfast_core::time::Timestamp;
use steadfast_core::{Cause, Error, ErrorKind, Result};
use steadfast_protocol::entry::{Claim, LogEntry};
use steadfast_protocol::manifest::{Consistency, Manifest};

mod held;

pub use held::HeldClaim;

/// Who wants to run a job.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The job's name.
    pub job: String,
    /// Host, process, and something that no other process has; for people.
    pub holder: String,
    /// A random number, drawn for this start.
    pub nonce: u64,
    /// A random number: the lineage, should the log be empty.
    pub lineage: Lineage,
    /// The time of day.
    pub at: Timestamp,
    /// How often an event may show up in the result.
    pub consistency: Consistency,
    /// Whether to forget everything that came before.
    pub reset: bool,
}

/// What the end of the log says to whoever wants to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogTail {
    /// The index after the last entry.
    pub next: LogIndex,
    /// The history; none if the log is empty.
    pub lineage: Option<Lineage>,
    /// The claim with which the history began.
    pub origin: Option<Generation>,
    /// The newest entry that is, or for all that can be read may be, a checkpoint.
    pub newest: Option<CheckpointId>,
}

/// Looks at the end of the log, changing nothing.
///
/// # Errors
/// `Unavailable` if the log does not answer; `Damaged` if no entry of its last block can be read.
pub(crate) fn look(log: &dyn CommitLog) -> Result<LogTail> {
    look_for(log, false)
}

/// As [`look`], for whoever resets the job or goes on with it. A reset needs to know where the log ends
/// and nothing else, so it gets past entries of which none can be read: it begins a new history, and
/// targets of the old one are strangers to it, which it empties only where it may adopt them.
fn look_for(log: &dyn CommitLog, reset: bool) -> Result<LogTail> {
    let mut before = None;
    loop {
        let range = log.look()?;
        if range.next > LogIndex(1) && before == Some(range) {
            // Somebody has closed all there is: a store was put back while that process ran.
            if reset {
                return Ok(LogTail { next: range.next, lineage: None, origin: None, newest: None });
            }
            let what = format!("log entry {} is missing", range.first);
            return Err(Error::because(Cause::LOG_HOLE, what).hint(
                    "restore the store from a copy, or start from scratch with --reset (RunOptions::reset), and \
                     --adopt (RunOptions::adopt) if its targets are to be emptied",
                ));
        }
        before = Some(range);
        let mut tail = LogTail { next: range.next, lineage: None, origin: None, newest: None };
        if range.next == LogIndex(1) {
            return Ok(tail);
        }
        let mut problem = None;
        let mut index = range.next.0 - 1;
        while index >= range.first.0 {
            // Forgotten since the look: the log has gone on.
            let Some(bytes) = log.read(LogIndex(index))? else { break };
            let may_be = CheckpointId(index);
            match LogEntry::decode(&bytes) {
                Ok(LogEntry::Claim(claim)) => {
                    (tail.lineage, tail.origin) = (Some(claim.lineage), Some(claim.origin));
                    tail.newest = tail.newest.or(claim.newest);
                    return Ok(tail);
                }
                // It counts for nothing: whoever put it had been overtaken before the log was put back.
                Ok(LogEntry::Checkpoint(manifest))
                    if index > range.first.0 && is_of_another(log, index - 1, manifest.claim)? => {}
                Ok(LogEntry::Checkpoint(manifest)) => {
                    (tail.lineage, tail.origin) = (Some(manifest.lineage), Some(manifest.origin));
                    tail.newest = tail.newest.or(Some(may_be));
                    return Ok(tail);
                }
                Err(error) if error.kind() == ErrorKind::Damaged => {
                    tail.newest = tail.newest.or(Some(may_be));
                    problem.get_or_insert(error.at(format!("log entry {index}")));
                }
                Err(error) => return Err(error.at(format!("log entry {index}"))),
            }
            index -= 1;
        }
        match problem {
            Some(_) if index < range.first.0 && reset => {
                return Ok(LogTail { next: range.next, lineage: None, origin: None, newest: None });
            }
            Some(error) if index < range.first.0 => {
                return Err(error.hint(
                    "no entry of the log can be read: restore the store from a copy, or start from \
                     scratch with --reset (RunOptions::reset), and --adopt (RunOptions::adopt) if its \
                     targets are to be emptied",
                ));
            }
            _ => {}
        }
    }
}

/// Whether the entry at `index` can be seen to be of another claim. A holder appends behind its own
/// entries only; so a checkpoint behind that of another was put into a log that had become another one.
fn is_of_another(log: &dyn CommitLog, index: u64, claim: ClaimId) -> Result<bool> {
    let entry = log.read(LogIndex(index))?.map(|bytes| LogEntry::decode(&bytes));
    Ok(match entry {
        Some(Ok(LogEntry::Claim(found))) => found.id != claim,
        Some(Ok(LogEntry::Checkpoint(found))) => found.claim != claim,
        // Of what is damaged or forgotten nobody can say whose it was.
        Some(Err(_)) | None => false,
    })
}

impl Candidate {
    /// As [`look`]; to a candidate that resets the job, entries that cannot be read do not matter.
    pub(crate) fn look(&self, log: &dyn CommitLog) -> Result<LogTail> {
        look_for(log, self.reset)
    }

    /// The claim that it would append behind `tail`.
    pub(crate) fn claim_after(&self, tail: &LogTail) -> Claim {
        let id = ClaimId { generation: Generation(tail.next.0), nonce: self.nonce };
        let origin = tail.origin.filter(|_| !self.reset).unwrap_or(id.generation);
        Claim {
            job: self.job.clone(),
            id,
            lineage: tail.lineage.unwrap_or(self.lineage),
            origin,
            newest: tail.newest.filter(|newest| !self.reset && newest.0 > origin.0),
            consistency: self.consistency,
            holder: self.holder.clone(),
            at: self.at,
        }
    }

    /// Claims the job. From then on no earlier holder can commit.
    ///
    /// # Errors
    /// As [`look`].
    pub(crate) fn acquire(&self, log: Arc<dyn CommitLog>) -> Result<Leadership> {
        loop {
            let tail = self.look(&*log)?;
            let claim = self.claim_after(&tail);
            let entry = LogEntry::Claim(claim.clone()).encode()?;
            if log.claim(tail.next, &entry)? == Appended::Done {
                tracing::info!(
                    name: "claim_taken",
                    generation = claim.id.generation.0,
                    holder = %claim.holder,
                    reset = self.reset,
                    "this process runs the job now"
                );
                return Ok(Leadership { log, claim });
            }
        }
    }
}

/// The newest claim, as far as its holder knows.
pub struct Leadership {
    log: Arc<dyn CommitLog>,
    claim: Claim,
}

/// The right to bring the output of one checkpoint into the targets.
#[must_use = "a committed checkpoint whose output is not applied is lost for its readers"]
pub(crate) struct Permit {
    checkpoint: CheckpointId,
    claim: ClaimId,
    lineage: Lineage,
}

impl Permit {
    /// The checkpoint whose output may be applied.
    pub(crate) fn checkpoint(&self) -> CheckpointId {
        self.checkpoint
    }

    /// The marker that a target has afterwards.
    pub(crate) fn marker(&self) -> Marker {
        Marker { lineage: self.lineage, claim: self.claim, checkpoint: self.checkpoint }
    }
}

impl Leadership {
    /// The claim.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    pub(crate) fn log(&self) -> &dyn CommitLog {
        &*self.log
    }

    /// The claim, to find out later whether it has been overtaken.
    pub fn held(&self) -> HeldClaim {
        HeldClaim::new(Arc::clone(&self.log), self.claim.clone())
    }

    fn permit(&self, checkpoint: CheckpointId) -> Permit {
        Permit { checkpoint, claim: self.claim.id, lineage: self.claim.lineage }
    }

    /// Commits a checkpoint: the one step on which everything rests.
    ///
    /// The entry before must be ours: in a store that was put back to an old copy, or that is gone, the
    /// next index may be free although this process is no leader any more. That is asked before, so that
    /// nothing is left in such a log, and after, because that may happen in between; then what was put
    /// counts for nobody.
    ///
    /// # Errors
    /// `Fenced` if another process has taken over; `Unavailable` if it is not known whether it was
    /// committed.
    pub(crate) fn commit(&self, manifest: Box<Manifest>) -> Result<Permit> {
        let checkpoint = manifest.checkpoint;
        let entry = LogEntry::Checkpoint(manifest).encode()?;
        self.confirm_entry_before(checkpoint)?;
        let by = match self.log.append(LogIndex(checkpoint.0), &entry)? {
            Appended::Done => {
                self.confirm_entry_before(checkpoint)?;
                return Ok(self.permit(checkpoint));
            }
            Appended::Forgotten => " long ago".to_string(),
            Appended::Taken(bytes) => match LogEntry::decode(&bytes) {
                Ok(LogEntry::Claim(claim)) => format!(" by {}", claim.holder),
                Ok(LogEntry::Checkpoint(other)) => format!(" by claim {}", other.claim),
                Err(_) => String::new(),
            },
        };
        Err(self.not_committed(checkpoint, &format!("has been taken over{by}")))
    }

    fn confirm_entry_before(&self, checkpoint: CheckpointId) -> Result<()> {
        let before = LogIndex(checkpoint.0 - 1);
        let why = match self.log.read(before)?.map(|bytes| LogEntry::decode(&bytes)) {
            Some(Ok(LogEntry::Claim(found))) if found.id != self.claim.id => {
                format!("has been taken over by {}", found.holder)
            }
            Some(Ok(LogEntry::Checkpoint(found))) if found.claim != self.claim.id => {
                format!("has been taken over by claim {}", found.claim)
            }
            None => format!(
                "has been taken over, or its store is another one: log entry {before}, which this \
                 process has put, is not there"
            ),
            // What was damaged since is ours as far as anybody can tell.
            Some(_) => return Ok(()),
        };
        Err(self.not_committed(checkpoint, &why))
    }

    fn not_committed(&self, checkpoint: CheckpointId, why: &str) -> Error {
        let Claim { job, id, .. } = &self.claim;
        let what =
            format!("job '{job}' {why}; checkpoint {checkpoint} of claim {id} was not committed");
        Error::because(Cause::JOB_TAKEN_OVER, what).hint(held::ONE_AT_A_TIME)
    }

    /// The right to apply output that may be repeated, before it is committed.
    pub(crate) fn permit_before_commit(&self, checkpoint: CheckpointId) -> Option<Permit> {
        let repeats = self.claim.consistency == Consistency::AtLeastOnce;
        repeats.then(|| self.permit(checkpoint))
    }

    /// The right to finish what the restored checkpoint had prepared.
    pub(crate) fn permit_restored(&self, manifest: &Manifest) -> Permit {
        self.permit(manifest.checkpoint)
    }

    /// Entries before `index` are not needed any more.
    pub(crate) fn forget_before(&self, index: LogIndex) -> Result<()> {
        self.log.forget_before(index)
    }
}

#[cfg(test)]
mod tests;
