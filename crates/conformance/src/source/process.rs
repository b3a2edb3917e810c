//! A process that reads a source for a while, and what a checkpoint keeps of it.

use std::fmt::Debug;

use steadfast_core::Result;
use steadfast_core::source::{
    BadRecord, FinishedSplit, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader,
};
use steadfast_core::time::Timestamp;

use super::patience::Patience;
use crate::rule::Rule;

const ENDS: Rule = Rule("a reader comes to the end of its split");
const STORED: Rule = Rule("a split can be written into a checkpoint and read from it");

pub(super) type ReaderOf<S> = <S as Source>::Reader;

/// What was handed over, as [`Debug`] prints it.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) records: Vec<String>,
    pub(super) advanced: u64,
}

impl Seen {
    /// The records in an order of their own.
    pub(super) fn sorted(&self) -> Vec<String> {
        let mut records = self.records.clone();
        records.sort_unstable();
        records
    }
}

impl<T: Debug> SourceOutput<T> for Seen {
    fn push(&mut self, item: T) -> Result<()> {
        self.records.push(format!("{item:?}"));
        Ok(())
    }

    fn reject(&mut self, _bad: BadRecord) -> Result<()> {
        Ok(())
    }

    fn advance(&mut self, amount: u64) {
        self.advanced += amount;
    }
}

/// As [`Debug`] prints them, in an order of their own.
pub(super) fn printed<T: Debug>(records: &[T]) -> Vec<String> {
    let mut printed: Vec<_> = records.iter().map(|record| format!("{record:?}")).collect();
    printed.sort_unstable();
    printed
}

/// A split as it comes out of a checkpoint.
pub(super) fn stored<S: Source>(split: &S::Split) -> S::Split {
    let json = STORED.answered(serde_json::to_string(split));
    STORED.answered(serde_json::from_str(&json))
}

/// As JSON, to compare splits.
pub(super) fn shown<S: Source>(splits: &[S::Split]) -> Vec<String> {
    splits.iter().map(|split| STORED.answered(serde_json::to_string(split))).collect()
}

/// What a process had read when it died.
pub(super) struct Stopped<S: Source> {
    pub(super) resumed: Resumed<S::Split>,
    /// Whether nothing was left.
    pub(super) is_at_end: bool,
}

/// One process.
pub(super) struct Process<'a, S> {
    pub(super) source: &'a S,
    /// So many splits are read at the same time.
    pub(super) readers: usize,
    /// So many records are asked for at a time.
    pub(super) limit: usize,
    /// Whether only a few bytes are kept of splits that have ended, if the source says which.
    pub(super) remembers: bool,
}

impl<S: Source<Item: Debug>> Process<'_, S> {
    /// Reads on from `resumed`, polling each split in turns, until so many `polls` have had records.
    pub(super) fn run(
        &self,
        resumed: Resumed<S::Split>,
        polls: usize,
        seen: &mut Seen,
    ) -> Stopped<S> {
        let planned = ENDS.answered(self.source.plan(resumed, self.readers));
        let mut finished = planned.finished;
        let (ended, waiting): (Vec<_>, Vec<_>) =
            planned.splits.into_iter().partition(|status| status.finished);
        let mut ended: Vec<S::Split> =
            ended.iter().map(|status| stored::<S>(&status.split)).collect();
        let mut waiting = waiting.into_iter().map(|status| status.split);
        let mut reading: Vec<ReaderOf<S>> = Vec::new();
        let (mut turn, mut useful, mut patience) = (0_usize, 0, Patience::default());
        while useful < polls {
            while reading.len() < self.readers
                && let Some(split) = waiting.next()
            {
                reading.push(ENDS.answered(self.source.open(split, &patience.waker())));
            }
            if reading.is_empty() {
                break;
            }
            let before = seen.records.len();
            let at = turn % reading.len();
            let answer = reading[at].poll(PollLimit::records(self.limit), Timestamp(0), seen);
            let answer = ENDS.answered(answer);
            turn = turn.wrapping_add(1);
            let records = seen.records.len() - before;
            useful += usize::from(records > 0);
            patience.polled(&answer, records, reading.len());
            if answer == Polled::End {
                self.end(stored::<S>(&reading.remove(at).split()), &mut ended, &mut finished);
            }
        }
        let begun = reading.iter().map(|reader| stored::<S>(&reader.split()));
        let left: Vec<S::Split> = begun.chain(waiting.map(|split| stored::<S>(&split))).collect();
        let is_at_end = left.is_empty();
        let splits = ended.into_iter().chain(left).collect();
        Stopped { resumed: Resumed { splits, finished }, is_at_end }
    }

    /// Reads on from `resumed` to the end.
    pub(super) fn run_to_end(
        &self,
        resumed: Resumed<S::Split>,
        seen: &mut Seen,
    ) -> Resumed<S::Split> {
        let stopped = self.run(resumed, usize::MAX, seen);
        ENDS.holds(stopped.is_at_end, &"splits that were not read");
        stopped.resumed
    }

    fn end(&self, split: S::Split, ended: &mut Vec<S::Split>, finished: &mut Vec<FinishedSplit>) {
        match self.source.remember(&split) {
            Some(bytes) if self.remembers => finished.push(bytes),
            _ => ended.push(split),
        }
    }
}
