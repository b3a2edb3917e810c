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
use steadfast_core::{Error, ErrorKind, Result};
use steadfast_protocol::entry::{Claim, LogEntry};
use steadfast_protocol::manifest::{Consistency, Manifest};

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
pub struct LogTail {
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
pub fn look(log: &dyn CommitLog) -> Result<LogTail> {
    let mut before = None;
    loop {
        let range = log.look()?;
        if range.next > LogIndex(1) && before == Some(range) {
            let what = format!("log entry {} is missing", range.first);
            return Err(Error::damaged(what).hint("restore the store from a copy"));
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
            Some(error) if index < range.first.0 => {
                return Err(error.hint(
                    "no entry of the log can be read: restore the store from a copy, or give the job \
                     another place for its checkpoints",
                ));
            }
            _ => {}
        }
    }
}

impl Candidate {
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
            let tail = look(&*log)?;
            let claim = self.claim_after(&tail);
            let entry = LogEntry::Claim(claim.clone()).encode()?;
            if log.claim(tail.next, &entry)? == Appended::Done {
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

/// How often the end of the log is looked for again because others have gone on meanwhile.
const MOST_LOOKS: usize = 100;

const ONE_AT_A_TIME: &str = "one process at a time runs a job; stop one of them";

/// A claim that was the newest once, and the log that tells whether it still is.
#[derive(Clone)]
pub struct HeldClaim {
    log: Arc<dyn CommitLog>,
    claim: Claim,
}

impl HeldClaim {
    /// What an error means. Whoever takes over deletes what only its predecessor needed, so an
    /// overtaken process finds objects missing: the error is then that it was overtaken.
    pub fn explain(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Fenced {
            return error;
        }
        match self.successor() {
            Ok(Some(by)) => self.overtaken(&by).caused_by(error),
            _ => error,
        }
    }

    /// That nobody has claimed the job since.
    ///
    /// # Errors
    /// `Fenced` if somebody has; `Unavailable` if the log does not answer.
    pub(crate) fn confirm(&self) -> Result<()> {
        match self.successor()? {
            None => Ok(()),
            Some(by) => Err(self.overtaken(&by)),
        }
    }

    fn overtaken(&self, by: &str) -> Error {
        let what = format!("job '{}' has been taken over by {by}", self.claim.job);
        Error::fenced(what).hint(ONE_AT_A_TIME)
    }

    /// Who has written the newest entry of the log, if it is a later claim or belongs to one.
    fn successor(&self) -> Result<Option<String>> {
        let mut newest = None;
        for _ in 0..MOST_LOOKS {
            let index = LogIndex(self.log.look()?.next.0 - 1);
            if index.0 <= self.claim.id.generation.0 {
                return Ok(None);
            }
            newest = self.log.read(index)?;
            if newest.is_some() {
                break;
            }
            // Forgotten since the look: others have gone on from it.
        }
        let Some(bytes) = newest else { return Ok(None) };
        Ok(match LogEntry::decode(&bytes)? {
            LogEntry::Claim(claim) => {
                (claim.id.generation > self.claim.id.generation).then_some(claim.holder)
            }
            LogEntry::Checkpoint(manifest) => (manifest.claim.generation
                > self.claim.id.generation)
                .then(|| format!("claim {}", manifest.claim)),
        })
    }
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
        HeldClaim { log: Arc::clone(&self.log), claim: self.claim.clone() }
    }

    fn permit(&self, checkpoint: CheckpointId) -> Permit {
        Permit { checkpoint, claim: self.claim.id, lineage: self.claim.lineage }
    }

    /// Commits a checkpoint: the one step on which everything rests.
    ///
    /// # Errors
    /// `Fenced` if another process has taken over; `Unavailable` if it is not known whether it was
    /// committed.
    pub(crate) fn commit(&self, manifest: Box<Manifest>) -> Result<Permit> {
        let checkpoint = manifest.checkpoint;
        let entry = LogEntry::Checkpoint(manifest).encode()?;
        let by = match self.log.append(LogIndex(checkpoint.0), &entry)? {
            Appended::Done => return Ok(self.permit(checkpoint)),
            Appended::Forgotten => " long ago".to_string(),
            Appended::Taken(bytes) => match LogEntry::decode(&bytes) {
                Ok(LogEntry::Claim(claim)) => format!(" by {}", claim.holder),
                Ok(LogEntry::Checkpoint(other)) => format!(" by claim {}", other.claim),
                Err(_) => String::new(),
            },
        };
        let Claim { job, id, .. } = &self.claim;
        let what = format!(
            "job '{job}' has been taken over{by}; checkpoint {checkpoint} of claim {id} was not committed"
        );
        Err(Error::fenced(what).hint(ONE_AT_A_TIME))
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
mod tests {
    use super::*;
    use crate::object_log::ObjectLog;
    use crate::store::MemoryStore;

    #[test]
    fn whoever_was_overtaken_says_so_and_nobody_else() {
        let store = Arc::new(MemoryStore::new());
        let claim = |nonce| {
            let candidate = Candidate {
                job: "job".to_string(),
                holder: format!("process {nonce}"),
                nonce,
                lineage: Lineage(nonce),
                at: Timestamp(0),
                consistency: Consistency::ExactlyOnce,
                reset: false,
            };
            candidate.acquire(Arc::new(ObjectLog::new(Arc::clone(&store) as _))).unwrap()
        };
        let missing = || Error::damaged("object x is missing");
        let first = claim(1);
        assert_eq!(first.held().explain(missing()).kind(), ErrorKind::Damaged);
        let second = claim(2);
        let error = first.held().explain(missing());
        assert_eq!(error.kind(), ErrorKind::Fenced);
        let text = error.to_string();
        assert!(text.contains("by process 2") && text.contains("object x is missing"), "{text}");
        assert_eq!(second.held().explain(missing()).kind(), ErrorKind::Damaged);
    }
}
