//! A source of computed values: record `n` is a function of `n`, at full speed or at a rate.
//!
//! It reads no clock; a reader goes by the time that each poll is given.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use serde::{Deserialize, Serialize};
use steadfast_core::source::{
    Planned, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};

type Make<T> = Arc<dyn Fn(u64) -> T + Send + Sync>;

/// Yields `make(0)`, `make(1)` and so on; for ever, unless there is a [count](Generator::count).
///
/// Of `k` splits, split `s` yields the numbers that leave the remainder `s` when divided by `k`.
///
/// ```
/// use steadfast_core::source::Source;
/// use steadfast_memory::Generator;
///
/// let squares = Generator::new(|n| n * n).count(1_000).rate(100).splits(2);
/// assert_eq!(squares.total(), Some(1_000));
/// assert_eq!(squares.describe(), "1000 generated records, 100 a second");
/// ```
pub struct Generator<T> {
    make: Make<T>,
    count: Option<u64>,
    per_second: Option<u64>,
    splits: u64,
}

impl<T> Generator<T> {
    /// A source without end, in one split. `make` must return the same for the same number in
    /// every run, or a job that resumes will not see what it saw before.
    pub fn new(make: impl Fn(u64) -> T + Send + Sync + 'static) -> Self {
        Generator { make: Arc::new(make), count: None, per_second: None, splits: 1 }
    }

    /// Ends after `count` records.
    #[must_use]
    pub fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Yields at most this many records a second over all splits; at least one. Each reader counts
    /// from the time of its first poll, and catches up if it is polled late.
    #[must_use]
    pub fn rate(mut self, per_second: u64) -> Self {
        self.per_second = Some(per_second.max(1));
        self
    }

    /// Shares the numbers among `count` splits that can be read in parallel; at least one.
    #[must_use]
    pub fn splits(mut self, count: u64) -> Self {
        self.splits = count.max(1);
        self
    }
}

/// One residue class of the numbers and how far it has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorSplit {
    /// The remainder that its numbers leave.
    pub index: u64,
    /// How many splits share the numbers.
    pub of: u64,
    /// How many of its numbers have been read.
    pub done: u64,
}

impl GeneratorSplit {
    /// The number that is read next; `None` if it would not fit 64 bits.
    fn number(&self) -> Option<u64> {
        self.done.checked_mul(self.of)?.checked_add(self.index)
    }

    fn finished(&self, count: Option<u64>) -> bool {
        self.number().is_none_or(|number| count.is_some_and(|count| number >= count))
    }
}

impl<T: Send + 'static> Source for Generator<T> {
    type Item = T;
    type Split = GeneratorSplit;
    type Reader = GeneratorReader<T>;

    fn plan(
        &self,
        Resumed { splits: resumed, .. }: Resumed<GeneratorSplit>,
        _readers: usize,
    ) -> Result<Planned<GeneratorSplit>> {
        let fresh = |index| GeneratorSplit { index, of: self.splits, done: 0 };
        let mut splits: Vec<_> = (0..self.splits).map(fresh).collect();
        if !resumed.is_empty() {
            let mut indexes: Vec<_> = resumed.iter().map(|split| (split.of, split.index)).collect();
            indexes.sort_unstable();
            if !indexes.into_iter().eq(splits.iter().map(|split| (split.of, split.index))) {
                let what = "the job was started with another number of splits";
                return Err(Error::configuration(what).at(self.describe()));
            }
            splits = resumed;
        }
        let status = |split: GeneratorSplit| SplitStatus {
            finished: split.finished(self.count),
            done: split.done,
            split,
        };
        Ok(Planned::new(splits.into_iter().map(status).collect()))
    }

    fn open(&self, split: GeneratorSplit, _waker: &Waker) -> Result<GeneratorReader<T>> {
        let (make, count) = (Arc::clone(&self.make), self.count);
        Ok(GeneratorReader { make, count, per_second: self.per_second, split, started: None })
    }

    fn at_once(&self) -> usize {
        // Without an end, all residue classes are read together.
        if self.count.is_some() { 1 } else { usize::MAX }
    }

    fn total(&self) -> Option<u64> {
        self.count
    }

    fn describe(&self) -> String {
        let count = self.count.map_or(String::new(), |count| format!("{count} "));
        let rate = self.per_second.map_or(String::new(), |rate| format!(", {rate} a second"));
        format!("{count}generated records{rate}")
    }
}

impl<T> fmt::Debug for Generator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator")
            .field("count", &self.count)
            .field("per_second", &self.per_second)
            .field("splits", &self.splits)
            .finish_non_exhaustive()
    }
}

/// Reads one split of the numbers.
pub struct GeneratorReader<T> {
    make: Make<T>,
    count: Option<u64>,
    per_second: Option<u64>,
    split: GeneratorSplit,
    /// The time of the first poll and the position then: after a resume, the records that were
    /// read before must not count as due.
    started: Option<(Timestamp, u64)>,
}

impl<T> GeneratorReader<T> {
    /// When the next record is due, in whole milliseconds rounded up; at once without a rate.
    fn due(&mut self, now: Timestamp) -> Timestamp {
        let (start, done) = *self.started.get_or_insert((now, self.split.done));
        let Some(per_second) = self.per_second else { return now };
        // Records `index`, `index + of`, ... of this run: those of other splits come in between.
        let earlier = u128::from(self.split.done - done) * u128::from(self.split.of);
        let number = earlier + u128::from(self.split.index);
        let after_ms = (number * 1000).div_ceil(u128::from(per_second));
        Timestamp(start.0.saturating_add(i64::try_from(after_ms).unwrap_or(i64::MAX)))
    }
}

impl<T> SplitReader for GeneratorReader<T> {
    type Item = T;
    type Split = GeneratorSplit;

    fn poll(
        &mut self,
        limit: PollLimit,
        now: Timestamp,
        output: &mut impl SourceOutput<T>,
    ) -> Result<Polled> {
        for _ in 0..limit.records {
            if self.split.finished(self.count) {
                return Ok(Polled::End);
            }
            let due = self.due(now);
            if due > now {
                return Ok(Polled::Idle(Some(due)));
            }
            let Some(number) = self.split.number() else { return Ok(Polled::End) };
            // Counted first: the position lies after every record that was handed over, whatever
            // comes of it.
            self.split.done += 1;
            output.push((self.make)(number))?;
            output.advance(1);
        }
        Ok(if self.split.finished(self.count) { Polled::End } else { Polled::More })
    }

    fn split(&self) -> GeneratorSplit {
        self.split.clone()
    }
}

impl<T> fmt::Debug for GeneratorReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratorReader").field("split", &self.split).finish_non_exhaustive()
    }
}
