//! Whether a claim is still the newest: the one place that says that a leader has been overtaken.
//!
//! Whoever takes over deletes what only its predecessor needed, so an overtaken process finds objects
//! missing, targets changed and entries gone. What that means is decided here, from the log alone.

use std::sync::Arc;

use steadfast_core::id::{Generation, LogIndex};
use steadfast_core::log::{CommitLog, LogRange};
use steadfast_core::{Cause, Error, ErrorKind, Result};
use steadfast_protocol::entry::{Claim, LogEntry};
use tracing::Span;

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
    /// Nobody, or another process: why.
    Overtaken(String),
}

impl HeldClaim {
    pub(super) fn new(log: Arc<dyn CommitLog>, claim: Claim) -> Self {
        HeldClaim { log, claim }
    }

    /// The generation of the process that holds it.
    pub fn generation(&self) -> Generation {
        self.claim.id.generation
    }

    /// What each line of a log carries while the job is run under this claim. Its level is that of errors, so
    /// that it is there whatever is left out.
    pub fn span(&self) -> Span {
        tracing::error_span!("run", job = %self.claim.job, generation = self.claim.id.generation.0)
    }

    /// What an error means: if the claim has been overtaken, it is that.
    pub fn explain(&self, error: Error) -> Error {
        let _run = self.span().entered();
        let error = self.explained(error);
        if error.kind() == ErrorKind::Fenced {
            tracing::warn!(name: "taken_over", error = %error.message(), "another process runs the job now");
        }
        error
    }

    fn explained(&self, error: Error) -> Error {
        let is = |error: &Error, kind| error.kind() == kind;
        if error.kind() == ErrorKind::Fenced {
            return error;
        }
        match self.standing() {
            Ok(Standing::Overtaken(why)) => self.overtaken(&why).caused_by(error),
            // What is missing may have been needed by a predecessor only: nothing is lost before the log has said
            // so.
            Err(away) if is(&away, ErrorKind::Unavailable) && is(&error, ErrorKind::Damaged) => {
                away.caused_by(error)
            }
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
            Standing::Overtaken(why) => Err(self.overtaken(&why)),
        }
    }

    fn overtaken(&self, why: &str) -> Error {
        let what = format!("job '{}' {why}", self.claim.job);
        Error::because(Cause::JOB_TAKEN_OVER, what).hint(ONE_AT_A_TIME)
    }

    fn standing(&self) -> Result<Standing> {
        for _ in 0..MOST_LOOKS {
            if let Some(standing) = self.standing_now()? {
                return Ok(standing);
            }
        }
        // Entries are forgotten behind later ones only, and this process appends none while it asks.
        Ok(taken_over("another process, which goes on faster than it can be seen"))
    }

    /// What the log says from its end back to the newest entry that can be read, the claim itself at last;
    /// `None` if one was forgotten since the look: others have gone on from it. One that cannot be read may
    /// be anybody's, so the one before is asked.
    fn standing_now(&self) -> Result<Option<Standing>> {
        let own = self.claim.id;
        let LogRange { first, next: end } = self.log.look()?;
        if end.0 <= own.generation.0 {
            let why = format!(
                "is not held by this process any more: log entry {}, its claim, is gone; was an old copy of \
                 the store put back?",
                own.generation
            );
            return Ok(Some(Standing::Overtaken(why)));
        }
        // The claim lies in a block that was closed behind newer entries, and none of those is there.
        if first >= end {
            let what = format!("log entry {first} is missing");
            return Err(Error::because(Cause::LOG_HOLE, what).hint("restore the store from a copy"));
        }
        let mut problem = None;
        for index in (first.0.max(own.generation.0)..end.0).rev() {
            let Some(bytes) = self.log.read(LogIndex(index))? else { return Ok(None) };
            let (id, by) = match LogEntry::decode(&bytes) {
                Ok(LogEntry::Claim(claim)) => (claim.id, claim.holder),
                Ok(LogEntry::Checkpoint(manifest)) => {
                    (manifest.claim, format!("claim {}", manifest.claim))
                }
                // This process writes what it can read.
                Err(error) if error.kind() == ErrorKind::Configuration => {
                    return Ok(Some(taken_over("a process of another release")));
                }
                // What was damaged since is ours as far as anybody can tell.
                Err(_) if index == own.generation.0 => break,
                Err(error) => {
                    problem.get_or_insert(error.at(format!("log entry {index}")));
                    continue;
                }
            };
            // Nothing before an entry of ours is anybody else's.
            if id == own {
                break;
            }
            // Nor is anything behind our claim, unless others have gone on from an old copy of the store.
            return Ok(Some(taken_over(&by)));
        }
        problem.map_or(Ok(Some(Standing::Ours)), Err)
    }
}

fn taken_over(by: &str) -> Standing {
    Standing::Overtaken(format!("has been taken over by {by}"))
}
