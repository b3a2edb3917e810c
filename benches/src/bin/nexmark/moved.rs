//! A source that hands over the records of a vector by value, and so can be read only once.
//!
//! It notes when the first record is asked for.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Instant;

use steadfast::source::{PollLimit, Polled, Source, SourceOutput, SplitReader, SplitStatus};
use steadfast::time::Timestamp;
use steadfast::{Error, Result};

/// See the module.
pub struct Moved<T> {
    splits: Arc<[Mutex<std::vec::IntoIter<T>>]>,
    total: u64,
    began: Arc<OnceLock<Instant>>,
}

impl<T> Moved<T> {
    /// A source of these splits.
    pub fn new(splits: Vec<Vec<T>>) -> Self {
        let total = splits.iter().map(|records| records.len() as u64).sum();
        let splits = splits.into_iter().map(|records| Mutex::new(records.into_iter()));
        Moved { splits: splits.collect(), total, began: Arc::default() }
    }

    /// When the first record was asked for, once it was.
    pub fn began(&self) -> Arc<OnceLock<Instant>> {
        Arc::clone(&self.began)
    }
}

impl<T: Clone + Send + 'static> Source for Moved<T> {
    type Item = T;
    type Split = usize;
    type Reader = MovedReader<T>;

    fn splits(&self, resumed: Vec<usize>, _readers: usize) -> Result<Vec<SplitStatus<usize>>> {
        if !resumed.is_empty() {
            return Err(Error::configuration("records that were moved cannot be read again"));
        }
        let status = |split| SplitStatus { split, finished: false, done: 0 };
        Ok((0..self.splits.len()).map(status).collect())
    }

    fn open(&self, split: usize, _waker: &Waker) -> Result<MovedReader<T>> {
        let (splits, began) = (Arc::clone(&self.splits), self.began());
        Ok(MovedReader { splits, split, began, records: None })
    }

    fn total(&self) -> Option<u64> {
        Some(self.total)
    }

    fn describe(&self) -> String {
        format!("{} records in memory", self.total)
    }
}

/// Reads one split.
pub struct MovedReader<T> {
    splits: Arc<[Mutex<std::vec::IntoIter<T>>]>,
    split: usize,
    began: Arc<OnceLock<Instant>>,
    /// Taken from the source by the first poll that does not only look.
    records: Option<std::vec::IntoIter<T>>,
}

impl<T: Clone + Send> SplitReader for MovedReader<T> {
    type Item = T;
    type Split = usize;

    fn poll(
        &mut self,
        limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<T>,
    ) -> Result<Polled> {
        if output.looks_ahead() {
            let records = self.splits[self.split].lock().unwrap_or_else(PoisonError::into_inner);
            records
                .as_slice()
                .iter()
                .take(limit.records)
                .try_for_each(|r| output.push(r.clone()))?;
            return Ok(Polled::End);
        }
        let records = self.records.get_or_insert_with(|| {
            self.began.get_or_init(Instant::now);
            let mut records =
                self.splits[self.split].lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut records)
        });
        let before = records.len();
        records.take(limit.records).try_for_each(|record| output.push(record))?;
        output.advance((before - records.len()) as u64);
        Ok(if records.len() == 0 { Polled::End } else { Polled::More })
    }

    fn split(&self) -> usize {
        self.split
    }
}

/// The memory of the vector itself is left to the end of the process, as by the loop: giving it back in one
/// piece would fall into the measured time of some queries and not of others.
impl<T> Drop for MovedReader<T> {
    fn drop(&mut self) {
        std::mem::forget(self.records.take());
    }
}
