//! The contract of a commit log: the one place where it is decided which checkpoint is the newest
//! and which process may commit.
//!
//! ```text
//! look    which indexes may be in use; a hint, taken without changing anything
//! claim   a new process appends its claim: whoever held the log before can append no more
//! prove   part of claim and append: the index had never been used, so the entry really is the next
//! append  the holder of the newest claim appends a checkpoint
//! ```
//!
//! The log is a sequence of entries at the indexes 1, 2, 3, …, each appended once and never changed.
//! A process appends only under the index after the last entry that it knows; it has been fenced
//! exactly if something else is there. Old entries are forgotten in ascending order. To the log,
//! entries are bytes: it knows nothing of claims, manifests or jobs.

use crate::error::Result;
use crate::id::LogIndex;

/// One sequence of entries that are appended once, conditionally, and never changed.
///
/// Calls block until the answer is known. Every call may be repeated: an `Unavailable` answer says
/// nothing about whether the call took effect, and an append that is repeated with the same bytes
/// finds its own entry.
pub trait CommitLog: Send + Sync {
    /// Which indexes may be in use, changing nothing. Others may append and forget meanwhile, so
    /// this is where to begin and nothing more.
    ///
    /// # Errors
    /// `Unavailable` if the log does not answer.
    fn look(&self) -> Result<LogRange>;

    /// The entry at `index`; `None` if there is none or it has been forgotten.
    ///
    /// # Errors
    /// `Unavailable` if the log does not answer.
    fn read(&self, index: LogIndex) -> Result<Option<Vec<u8>>>;

    /// Appends a claim at `index`. Once this says [`Appended::Done`], no earlier holder can append.
    ///
    /// # Errors
    /// `Unavailable` if it is not known whether it was appended.
    fn claim(&self, index: LogIndex, entry: &[u8]) -> Result<Appended>;

    /// Appends a checkpoint at `index`, which follows the last entry of this holder.
    ///
    /// # Errors
    /// `Unavailable` if it is not known whether it was appended.
    fn append(&self, index: LogIndex, entry: &[u8]) -> Result<Appended>;

    /// Entries before `index` are not needed any more; `index` is that of an entry that is. The log
    /// may keep some of them.
    ///
    /// # Errors
    /// `Unavailable` if the log does not answer; what has not been forgotten is later.
    fn forget_before(&self, index: LogIndex) -> Result<()>;
}

/// The indexes that may be in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRange {
    /// The first that has not been forgotten.
    pub first: LogIndex,
    /// The one after the last entry.
    pub next: LogIndex,
}

/// The outcome of an attempt to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The entry is there, now or because an earlier try of this call took effect.
    Done,
    /// Another entry has the index: here it is.
    Taken(Vec<u8>),
    /// The index was used and forgotten, perhaps by this very call or an earlier try of it: the log has
    /// gone on without this process.
    Forgotten,
}
