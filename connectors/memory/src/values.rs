//! A source of given values: ranges of one vector, each read from its first index to its last.
//!
//! It knows nothing of time.

use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;

use serde::{Deserialize, Serialize};
use steadfast_core::source::{
    Planned, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};

/// Yields each of the given values once, in their order within a split.
///
/// ```
/// use steadfast_core::source::{Resumed, Source};
/// use steadfast_memory::Values;
///
/// let source = Values::new(vec!["a", "b", "c"]).splits(2);
/// assert_eq!(source.total(), Some(3));
/// assert_eq!(source.plan(Resumed::default(), 2)?.splits.len(), 2);
/// # Ok::<(), steadfast_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Values<T> {
    values: Arc<[T]>,
    /// Where each split ends; the first begins at 0.
    ends: Arc<[usize]>,
}

impl<T> Values<T> {
    /// A source of `values` in one split.
    pub fn new(values: impl Into<Arc<[T]>>) -> Self {
        let values = values.into();
        let ends = [values.len()].into();
        Values { values, ends }
    }

    /// A source of values that are divided already.
    ///
    /// ```
    /// use steadfast_core::source::{Resumed, Source};
    /// use steadfast_memory::Values;
    ///
    /// let source = Values::in_splits([vec!["a", "b"], vec![], vec!["c"]]);
    /// assert_eq!(source.plan(Resumed::default(), 2)?.splits.len(), 3);
    /// # Ok::<(), steadfast_core::Error>(())
    /// ```
    pub fn in_splits(splits: impl IntoIterator<Item = Vec<T>>) -> Self {
        let (mut values, mut ends) = (Vec::new(), Vec::new());
        for mut split in splits {
            values.append(&mut split);
            ends.push(values.len());
        }
        Values { values: values.into(), ends: ends.into() }
    }

    /// Divides the values into `count` ranges that can be read in parallel; at least one. Their sizes
    /// differ by at most one.
    #[must_use]
    pub fn splits(mut self, count: usize) -> Self {
        let count = count.max(1);
        let (each, more) = (self.values.len() / count, self.values.len() % count);
        self.ends = (1..=count).map(|index| index * each + index.min(more)).collect();
        self
    }

    /// The indexes of a split.
    fn range(&self, index: usize) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[index]
    }
}

/// A range of indexes and how far it has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValuesSplit {
    /// The first index.
    pub start: usize,
    /// The index after the last.
    pub end: usize,
    /// The index that is read next.
    pub next: usize,
}

impl<T: Clone + Send + Sync + 'static> Source for Values<T> {
    type Item = T;
    type Split = ValuesSplit;
    type Reader = ValuesReader<T>;

    fn plan(
        &self,
        Resumed { splits: resumed, .. }: Resumed<ValuesSplit>,
        _readers: usize,
    ) -> Result<Planned<ValuesSplit>> {
        let whole = |range: Range<usize>| {
            let Range { start, end } = range;
            ValuesSplit { start, end, next: start }
        };
        let mut splits: Vec<_> =
            (0..self.ends.len()).map(|index| whole(self.range(index))).collect();
        if !resumed.is_empty() {
            let mut ranges: Vec<_> = resumed.iter().map(|split| split.start..split.end).collect();
            ranges.sort_by_key(|range| (range.start, range.end));
            let mut expected: Vec<_> = splits.iter().map(|split| split.start..split.end).collect();
            expected.sort_by_key(|range| (range.start, range.end));
            let inside = |split: &ValuesSplit| (split.start..=split.end).contains(&split.next);
            if ranges != expected || !resumed.iter().all(inside) {
                let what = "the job was started with other values or another number of splits";
                return Err(Error::configuration(what).at(self.describe()));
            }
            splits = resumed;
        }
        let status = |split: ValuesSplit| SplitStatus {
            finished: split.next == split.end,
            done: (split.next - split.start) as u64,
            split,
        };
        Ok(Planned::new(splits.into_iter().map(status).collect()))
    }

    fn open(&self, split: ValuesSplit, _waker: &Waker) -> Result<ValuesReader<T>> {
        if split.next > split.end || split.end > self.values.len() {
            let what = format!("{split:?} lies outside of the values");
            return Err(Error::configuration(what).at(self.describe()));
        }
        Ok(ValuesReader { values: Arc::clone(&self.values), split })
    }

    fn total(&self) -> Option<u64> {
        Some(self.values.len() as u64)
    }

    fn describe(&self) -> String {
        format!("{} values in memory", self.values.len())
    }
}

/// Reads one range of the values.
#[derive(Debug)]
pub struct ValuesReader<T> {
    values: Arc<[T]>,
    split: ValuesSplit,
}

impl<T: Clone + Send + Sync> SplitReader for ValuesReader<T> {
    type Item = T;
    type Split = ValuesSplit;

    fn poll(
        &mut self,
        limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<T>,
    ) -> Result<Polled> {
        let end = self.split.end.min(self.split.next.saturating_add(limit.records));
        while self.split.next < end {
            // Counted first: the position lies after every value that was handed over, whatever
            // comes of it.
            self.split.next += 1;
            output.push(self.values[self.split.next - 1].clone())?;
            output.advance(1);
        }
        Ok(if self.split.next == self.split.end { Polled::End } else { Polled::More })
    }

    fn split(&self) -> ValuesSplit {
        self.split.clone()
    }
}
