//! A source of which no more than so many records are read at once: what happens between two polls happens
//! often in a short input.

use std::task::Waker;

use steadfast::Result;
use steadfast::source::{
    FinishedSplit, Planned, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader,
};
use steadfast::time::Timestamp;

/// See the module.
pub struct InPieces<S> {
    source: S,
    records: usize,
}

/// Reads one split of it.
pub struct Reader<R> {
    reader: R,
    records: usize,
}

impl<S> InPieces<S> {
    /// `source`, so many records at once.
    pub fn new(source: S, records: usize) -> Self {
        InPieces { source, records }
    }
}

impl<S: Source> Source for InPieces<S> {
    type Item = S::Item;
    type Split = S::Split;
    type Reader = Reader<S::Reader>;

    fn plan(&self, resumed: Resumed<S::Split>, readers: usize) -> Result<Planned<S::Split>> {
        self.source.plan(resumed, readers)
    }

    fn open(&self, split: S::Split, waker: &Waker) -> Result<Self::Reader> {
        Ok(Reader { reader: self.source.open(split, waker)?, records: self.records })
    }

    fn at_once(&self) -> usize {
        self.source.at_once()
    }

    fn remember(&self, finished: &S::Split) -> Option<FinishedSplit> {
        self.source.remember(finished)
    }

    fn total(&self) -> Option<u64> {
        self.source.total()
    }

    fn describe(&self) -> String {
        self.source.describe()
    }
}

impl<R: SplitReader> SplitReader for Reader<R> {
    type Item = R::Item;
    type Split = R::Split;

    fn poll(
        &mut self,
        limit: PollLimit,
        now: Timestamp,
        output: &mut impl SourceOutput<R::Item>,
    ) -> Result<Polled> {
        let records = limit.records.min(self.records);
        self.reader.poll(PollLimit { records, ..limit }, now, output)
    }

    fn split(&self) -> R::Split {
        self.reader.split()
    }
}
