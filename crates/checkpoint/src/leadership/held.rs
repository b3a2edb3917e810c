//! Whether a claim is still the newest: the one place that says that a leader has been overtaken.
//!
//! Whoever takes over deletes what only its predecessor needed, so an overtaken process finds objects
//! missing, targets changed and entries gone. What that means is decided here, from the log alone.

use std::sync::Arc;

use steadfast_core::id::LogIndex;
use steadfast_core::log::CommitLog;
use steadfast_core::{Error, ErrorKind, Result};
use steadfast_protocol::entry::{Claim, LogEntry};

/// How often the end of the log is looked for again because it was forgotten meanwhile.
const MOST_LOOKS: usize = 100;

pub(super) const ONE_AT_A_TIME: &str = "one process at a time runs a job; stop one of them";

/// A claim that was the newest once, and the log that tells whether it still is.
#[derive(Clone)]
pub struct HeldClaim {
    log: Arc<dyn CommitLog>,
    claim: Claim,
}

/// Who may append.
enum Standing {
    /// The holder of this claim.
    Ours,
    /// Another process: who.
    Overtaken(String),
}

impl HeldClaim {
    pub(super) fn new(log: Arc<dyn CommitLog>, claim: Claim) -> Self {
        HeldClaim { log, claim }
    }

    /// What an error means: if the claim has been overtaken, it is that.
    pub fn explain(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Fenced {
            return error;
        }
        match self.standing() {
            Ok(Standing::Overtaken(by)) => self.overtaken(&by).caused_by(error),
            // Nothing else is known than the error itself.
            Ok(Standing::Ours) | Err(_) => error,
        }
    }

    /// That nobody has claimed the job since.
    ///
    /// # Errors
    /// `Fenced` if somebody has; `Unavailable` or `Damaged` if the log does not tell.
    pub(crate) fn confirm(&self) -> Result<()> {
        match self.standing()? {
            Standing::Ours => Ok(()),
            Standing::Overtaken(by) => Err(self.overtaken(&by)),
        }
    }

    fn overtaken(&self, by: &str) -> Error {
        let what = format!("job '{}' has been taken over by {by}", self.claim.job);
        Error::fenced(what).hint(ONE_AT_A_TIME)
    }

    fn standing(&self) -> Result<Standing> {
        for _ in 0..MOST_LOOKS {
            if let Some(standing) = self.standing_now()? {
                return Ok(standing);
            }
        }
        // Entries are forgotten behind later ones only, and this process appends none while it asks.
        Ok(Standing::Overtaken("another process, which goes on faster than it can be seen".into()))
    }

    /// What the entries after the claim say, newest first; `None` if one was forgotten since the look:
    /// others have gone on from it. One that cannot be read may be anybody's, so the next is asked.
    fn standing_now(&self) -> Result<Option<Standing>> {
        let own = self.claim.id.generation;
        let mut problem = None;
        for index in (own.0 + 1..self.log.look()?.next.0).rev() {
            let Some(bytes) = self.log.read(LogIndex(index))? else { return Ok(None) };
            let by = match LogEntry::decode(&bytes) {
                Ok(LogEntry::Claim(claim)) => (claim.id.generation, claim.holder),
                Ok(LogEntry::Checkpoint(manifest)) => {
                    (manifest.generation(), format!("claim {}", manifest.claim))
                }
                // This process writes what it can read.
                Err(error) if error.kind() == ErrorKind::Configuration => {
                    let by = "a process of another release".to_string();
                    return Ok(Some(Standing::Overtaken(by)));
                }
                Err(error) => {
                    problem.get_or_insert(error.at(format!("log entry {index}")));
                    continue;
                }
            };
            match by {
                (generation, by) if generation > own => {
                    return Ok(Some(Standing::Overtaken(by)));
                }
                // Nothing before an entry of ours is anybody else's.
                _ => break,
            }
        }
        problem.map_or(Ok(Some(Standing::Ours)), Err)
    }
}
