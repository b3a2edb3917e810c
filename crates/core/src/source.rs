//! The contract of a source: splits that can be read in parallel and resumed at a position.
//!
//! A split is a value that says what to read and how far it has been read; it is all that a checkpoint
//! keeps of a source. A source knows nothing of tasks, barriers or what becomes of its records.

use std::task::Waker;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::Result;
use crate::time::Timestamp;

/// Where records come from.
pub trait Source: Send + Sync + 'static {
    /// What it yields.
    type Item: Send + 'static;
    /// A part of the input together with the position up to which it has been read.
    type Split: Serialize + DeserializeOwned + Clone + Send + 'static;
    /// Reads one split.
    type Reader: SplitReader<Item = Self::Item, Split = Self::Split> + 'static;

    /// Every split there is: those in `resumed` (as the last checkpoint left them, finished ones
    /// included) and whatever has come since. `readers` is how many tasks will share them.
    ///
    /// # Errors
    /// `Unavailable` if the input cannot be looked at, `Configuration` if it is not the input that
    /// `resumed` speaks of.
    fn splits(
        &self,
        resumed: Vec<Self::Split>,
        readers: usize,
    ) -> Result<Vec<SplitStatus<Self::Split>>>;

    /// Opens a split at its position. Whoever has said [`Polled::Idle`] wakes `waker` when there is
    /// something to read.
    ///
    /// # Errors
    /// As [`Source::splits`].
    fn open(&self, split: Self::Split, waker: &Waker) -> Result<Self::Reader>;

    /// How much there is to read in all, in the unit that [`SourceOutput::advance`] counts in; `None` if
    /// there is no end.
    fn total(&self) -> Option<u64>;

    /// Where the input comes from, for people: `payments.jsonl and 3 more files`.
    fn describe(&self) -> String;
}

/// A split, and whether anything is left in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitStatus<S> {
    /// The split with its position.
    pub split: S,
    /// Whether it has been read to its end.
    pub finished: bool,
    /// How much of it has been read already, in the unit of [`Source::total`].
    pub done: u64,
}

/// Reads one split.
pub trait SplitReader: Send {
    /// What it yields.
    type Item;
    /// The type of the split.
    type Split;

    /// Hands records to `output`, about as many as `limit` says, and at least one if there is one. It must not block for longer than a read
    /// of a local file takes.
    ///
    /// # Errors
    /// `Unavailable` if the input cannot be read, and whatever `output` returns.
    fn poll(
        &mut self,
        limit: PollLimit,
        now: Timestamp,
        output: &mut impl SourceOutput<Self::Item>,
    ) -> Result<Polled>;

    /// The split with its position just after the last record that was handed over.
    fn split(&self) -> Self::Split;
}

/// About how much one poll hands over: no more than one of them says, but for the last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollLimit {
    /// So many records.
    pub records: usize,
    /// So many bytes of input.
    pub bytes: usize,
}

impl PollLimit {
    /// So many records, of whatever size.
    pub fn records(records: usize) -> Self {
        PollLimit { records, bytes: usize::MAX }
    }
}

/// What came of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// There may be more right now.
    More,
    /// Nothing for now: ask again when the reader's waker was woken, or at the given time.
    Idle(Option<Timestamp>),
    /// This split has been read to its end.
    End,
}

/// Where a reader puts what it has read.
pub trait SourceOutput<T> {
    /// Takes a record.
    ///
    /// # Errors
    /// Whatever the operators behind it return.
    fn push(&mut self, item: T) -> Result<()>;

    /// Takes something that is not a record; what becomes of it is the job's policy.
    ///
    /// # Errors
    /// `BadInput` if the policy is to fail.
    fn reject(&mut self, bad: BadRecord) -> Result<()>;

    /// Counts `amount` more of the input as read, in the unit of [`Source::total`].
    fn advance(&mut self, amount: u64);

    /// Says that the records of this poll take about so much memory, in bytes: where that is much, others
    /// wait. A source of small records need not say it.
    fn weigh(&mut self, _bytes: usize) {}

    /// Whether records are only looked at: they are read again later.
    fn looks_ahead(&self) -> bool {
        false
    }
}

/// Something in the input that is not a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// Its bytes as they stand in the input.
    pub raw: Vec<u8>,
    /// The file, table or partition.
    pub place: String,
    /// The position within it: for a file, the byte at which the record begins.
    pub offset: u64,
    /// The line, from 1, where counting it was worth it.
    pub line: Option<u64>,
    /// Why it is not a record.
    pub reason: String,
}

/// What to do with input that is not a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadInput {
    /// Stop with an error that names the place.
    #[default]
    Fail,
    /// Write it to the source's dead letters, which commit with the checkpoint, and go on.
    DeadLetter,
    /// Count it and go on.
    Skip,
}
