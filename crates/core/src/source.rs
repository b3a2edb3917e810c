//! The contract of a source: splits that can be read in parallel and resumed at a position.
//!
//! A split is a value that says what to read and how far it has been read; it is all that a checkpoint
//! keeps of a source. A source knows nothing of tasks, barriers or what becomes of its records.

use std::fmt;
use std::task::Waker;

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cause::Cause;
use crate::error::{Error, Result};
use crate::time::Timestamp;

mod seek;

pub use seek::{Seek, SeekTo};

/// Where records come from.
pub trait Source: Send + Sync + 'static {
    /// What it yields.
    type Item: Send + 'static;
    /// A part of the input together with the position up to which it has been read.
    type Split: Serialize + DeserializeOwned + Clone + Send + 'static;
    /// Reads one split.
    type Reader: SplitReader<Item = Self::Item, Split = Self::Split> + 'static;

    /// Every split there is: those in `resumed`, as the last checkpoint left them, and whatever has come
    /// since. `readers` is how many tasks will share them. It is called before anything else, and more than
    /// once where a start is only looked at. What was planned at the look is what is read, if it goes on from the
    /// same checkpoint: what has come in between is for the next start, or to be discovered.
    ///
    /// What is in `resumed` is committed: nobody will ever ask for what lies before those positions.
    ///
    /// # Errors
    /// `Unavailable` if the input cannot be looked at, `Configuration` if it is not the input that
    /// `resumed` speaks of.
    fn plan(&self, resumed: Resumed<Self::Split>, readers: usize) -> Result<Planned<Self::Split>>;

    /// Opens a split at its position. Whoever has said [`Polled::Idle`] wakes `waker` when there is
    /// something to read.
    ///
    /// # Errors
    /// As [`Source::plan`].
    fn open(&self, split: Self::Split, waker: &Waker) -> Result<Self::Reader>;

    /// Opens a split to see where in event time it begins: a few records are read, and the reader is dropped. It must
    /// change nothing for whoever opens the split to read it. Without its own method a source does as in
    /// [`Source::open`]. It is not asked of a source that is [`Replay::Impossible`].
    ///
    /// # Errors
    /// As [`Source::open`]. Then it is not known where the split begins, and whoever reads it meets the error again.
    fn look(&self, split: Self::Split) -> Result<Self::Reader> {
        self.open(split, Waker::noop())
    }

    /// Finds splits while the job runs; none if all are known from the start. It wakes `waker` when there
    /// may be new ones.
    ///
    /// # Errors
    /// `Unavailable` if the input cannot be watched.
    fn discovery(&self, _waker: &Waker) -> Result<Option<Box<dyn SplitDiscovery<Self::Split>>>> {
        Ok(None)
    }

    /// How many splits a task reads at the same time, those not counted that have nothing for now. Tasks share
    /// the splits evenly whatever this says.
    fn at_once(&self) -> usize {
        1
    }

    /// The few bytes that are kept of a split that has been read to its end, in place of the split itself;
    /// none if the split stays in every checkpoint. Worth it where there are thousands.
    fn remember(&self, _finished: &Self::Split) -> Option<FinishedSplit> {
        None
    }

    /// The positions in `splits`, all of one task, are committed: nobody will ask for what lies before them.
    /// It is not told of every checkpoint, and not of the last one of a run: that is what [`Source::plan`] is
    /// given at the next start.
    fn committed(&self, _splits: &[Self::Split]) {}

    /// What `resumed` becomes if a person has it read from another place: what [`Source::plan`] is given instead.
    /// Without its own method a source can be read from its beginning as a whole.
    ///
    /// # Errors
    /// `Configuration` if there is no such place.
    fn seek(&self, _resumed: Resumed<Self::Split>, seek: &Seek) -> Result<Resumed<Self::Split>> {
        match seek {
            Seek { split: None, to: SeekTo::Beginning } => Ok(Resumed::default()),
            _ => Err(Error::because(
                Cause::OPTION,
                "this source can only be read from its beginning, as a whole",
            )
            .at(seek.to_string())),
        }
    }

    /// What becomes of records that were read and not committed when the process dies. A job says so where they
    /// are lost, and never looks into such a source before it reads it: each split is opened once.
    fn replay(&self) -> Replay {
        Replay::FromPosition
    }

    /// How much there is to read in all, in the unit that [`SourceOutput::advance`] counts in; `None` if
    /// there is no end.
    fn total(&self) -> Option<u64>;

    /// Where the input comes from, for people: `payments.jsonl and 3 more files`.
    fn describe(&self) -> String;

    /// Which part of the input a split is, for people: `logs/app.jsonl`. As JSON without its own method.
    fn describe_split(&self, split: &Self::Split) -> String {
        serde_json::to_string(split).unwrap_or_default()
    }
}

/// Whether a source can be read again from a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is read again from the position in the newest checkpoint: no record is lost.
    FromPosition,
    /// What was read is gone, such as from a socket: records after the newest checkpoint are lost when the
    /// process dies, and what was sent while nobody listened is lost too.
    Impossible,
}

/// What the last checkpoint knows of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed<S> {
    /// Its splits at their positions, finished ones included but for those in `finished`.
    pub splits: Vec<S>,
    /// What [`Source::remember`] has said of splits that were read to their ends.
    pub finished: Vec<FinishedSplit>,
}

impl<S> Resumed<S> {
    /// A source that remembers nothing of finished splits but the splits themselves.
    pub fn new(splits: Vec<S>) -> Self {
        Resumed { splits, finished: Vec::new() }
    }
}

impl<S> Default for Resumed<S> {
    fn default() -> Self {
        Resumed::new(Vec::new())
    }
}

/// What there is to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned<S> {
    /// All splits but those in `finished`.
    pub splits: Vec<SplitStatus<S>>,
    /// What is remembered of finished splits from now on, instead of what was given.
    pub finished: Vec<FinishedSplit>,
    /// How much of the input those are, in the unit of [`Source::total`].
    pub done: u64,
}

impl<S> Planned<S> {
    /// What a source plans that remembers nothing of finished splits but the splits themselves.
    pub fn new(splits: Vec<SplitStatus<S>>) -> Self {
        Planned { splits, finished: Vec::new(), done: 0 }
    }
}

/// What is kept of a split that has been read to its end; only its source knows what the bytes mean.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FinishedSplit(pub Vec<u8>);

impl Serialize for FinishedSplit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for FinishedSplit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor).map(FinishedSplit)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
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

/// Finds splits while a job runs. One task of a source asks, on its own thread: it must not block for longer
/// than a look at a local folder takes.
pub trait SplitDiscovery<S>: Send {
    /// The splits that have been found since the last call. A split that is found but not begun by any task
    /// is in no checkpoint: after a restart it is for [`Source::plan`] to find it.
    ///
    /// # Errors
    /// `Unavailable` if the input cannot be looked at.
    fn poll(&mut self, now: Timestamp) -> Result<Discovered<S>>;
}

/// What a look has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered<S> {
    /// New splits.
    pub splits: Vec<S>,
    /// When to look again.
    pub next: NextLook,
}

/// When to look for splits again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextLook {
    /// When the waker was woken, and at this time at the latest.
    At(Timestamp),
    /// When the waker was woken.
    WhenWoken,
    /// There will never be more: the source ends when all splits have ended.
    Never,
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
