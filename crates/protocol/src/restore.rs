//! Which checkpoint to begin at: the newest intact one, by what is found in the log and the store.
//!
//! A machine that asks for one observation at a time ([`RestoreSearch::step`]) and is told what was
//! found; others may come between any two steps. It reads nothing itself and holds no store.

use steadfast_core::id::{CheckpointId, Generation, LogIndex};
use steadfast_core::{Cause, Error, ErrorKind, Result};

use crate::entry::LogEntry;
use crate::manifest::Manifest;

/// Where a process begins.
#[derive(Clone, Debug)]
pub enum RestorePoint {
    /// At the start of every source.
    Fresh,
    /// At a checkpoint.
    From {
        /// The checkpoint.
        manifest: Box<Manifest>,
        /// Newer ones that are damaged, newest first, with what is wrong.
        skipped: Vec<(CheckpointId, String)>,
    },
}

/// What the search wants to know next.
#[derive(Debug)]
pub enum RestoreStep<'a> {
    /// What is at this index of the log? Answer with [`RestoreSearch::found`].
    Read(LogIndex),
    /// Is every object of this checkpoint intact? Answer with [`RestoreSearch::verified`].
    Verify(&'a Manifest),
    /// The search is over.
    Decided(RestorePoint),
}

/// See the module.
#[derive(Debug)]
pub struct RestoreSearch {
    /// Nothing at or before it counts.
    origin: Generation,
    /// Nothing before it is in the log any more.
    first: LogIndex,
    next: Option<LogIndex>,
    checking: Option<Box<Manifest>>,
    /// What the newest readable manifest keeps beside itself, ascending; objects of others may have
    /// been deleted by whoever committed it.
    kept: Option<Vec<CheckpointId>>,
    skipped: Vec<(CheckpointId, String)>,
}

impl RestoreSearch {
    /// A search from `newest` down to `origin`, with which the history began; the log has forgotten
    /// what is before `first`.
    pub fn new(origin: Generation, newest: Option<CheckpointId>, first: LogIndex) -> Self {
        let next = newest.map(|newest| LogIndex(newest.0));
        let (checking, kept, skipped) = (None, None, Vec::new());
        RestoreSearch { origin, first, next, checking, kept, skipped }
    }

    /// What to find out next.
    ///
    /// # Errors
    /// `Damaged` if there are checkpoints but none is intact: beginning at the start would repeat
    /// output.
    pub fn step(&self) -> Result<RestoreStep<'_>> {
        if let Some(manifest) = &self.checking {
            return Ok(RestoreStep::Verify(manifest));
        }
        if let Some(index) = self.next {
            return Ok(RestoreStep::Read(index));
        }
        match self.skipped.first() {
            None => Ok(RestoreStep::Decided(RestorePoint::Fresh)),
            Some((id, problem)) => {
                let what = format!("no checkpoint is intact; the newest, {id}: {problem}");
                Err(Error::because(Cause::NO_INTACT_CHECKPOINT, what)
                    .hint("restore the store from a copy, or start from scratch with --reset (RunOptions::reset)"))
            }
        }
    }

    /// Tells what is at the index that was asked for.
    ///
    /// # Errors
    /// That of an entry that cannot be read for another reason than damage.
    pub fn found(&mut self, entry: Option<Result<LogEntry>>) -> Result<()> {
        let Some(index) = self.next.take() else { return Ok(()) };
        match entry {
            Some(Ok(LogEntry::Checkpoint(manifest)))
                if manifest.checkpoint.0 == index.0 && manifest.origin == self.origin =>
            {
                if self.kept.is_none() {
                    let older = manifest.retained.iter().filter(|id| id.0 < index.0);
                    self.kept = Some(older.copied().collect());
                }
                self.checking = Some(manifest);
            }
            // A claim among entries that cannot be read knows what is before it.
            Some(Ok(LogEntry::Claim(claim))) if self.kept.is_none() => {
                let newest = claim.newest.filter(|newest| newest.0 > self.origin.0);
                self.next = newest.map(|newest| LogIndex(newest.0));
            }
            Some(Ok(_)) => self.skip(index, "its place in the log holds something else".into()),
            Some(Err(error)) if error.kind() == ErrorKind::Damaged => {
                self.skip(index, error.message());
            }
            Some(Err(error)) => return Err(error.at(format!("log entry {index}"))),
            None => self.skip(index, "its log entry is missing".into()),
        }
        Ok(())
    }

    /// Tells whether the checkpoint that was asked for is intact.
    ///
    /// # Errors
    /// `intact`, if it is an error but not `Damaged`.
    pub fn verified(&mut self, intact: Result<()>) -> Result<RestoreOutcome> {
        let Some(manifest) = self.checking.take() else { return Ok(RestoreOutcome::GoOn) };
        match intact {
            Ok(()) => {
                let skipped = std::mem::take(&mut self.skipped);
                Ok(RestoreOutcome::Decided(RestorePoint::From { manifest, skipped }))
            }
            Err(error) if error.kind() == ErrorKind::Damaged => {
                self.skip(LogIndex(manifest.checkpoint.0), error.message());
                Ok(RestoreOutcome::GoOn)
            }
            Err(error) => Err(error.at(format!("checkpoint {}", manifest.checkpoint))),
        }
    }

    /// Notes that nothing can be restored from `index`, and goes on to the one before it.
    fn skip(&mut self, index: LogIndex, problem: String) {
        self.skipped.push((CheckpointId(index.0), problem));
        self.next = match &mut self.kept {
            Some(kept) => kept.pop().map(|id| LogIndex(id.0)),
            None => Some(LogIndex(index.0 - 1))
                .filter(|before| before.0 > self.origin.0 && *before >= self.first),
        };
    }
}

/// Whether a verified checkpoint ends the search.
#[derive(Debug)]
pub enum RestoreOutcome {
    /// It does.
    Decided(RestorePoint),
    /// It does not: ask [`RestoreSearch::step`] again.
    GoOn,
}

#[cfg(test)]
mod tests;
