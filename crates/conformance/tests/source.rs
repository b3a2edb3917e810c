//! The source suite, on numbers in splits: as it should be, and with one mistake at a time.

mod bite;

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use serde::{Deserialize, Serialize};
use steadfast_conformance::SourceFixture;
use steadfast_core::Result;
use steadfast_core::source::{
    FinishedSplit, Planned, PollLimit, Polled, Resumed, Seek, Source, SourceOutput, SplitReader,
    SplitStatus,
};
use steadfast_core::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    LeavesTheLast,
    ReadsABorderTwice,
    MoreThanAskedFor,
    MiscountsTheTotal,
    SaysNothing,
    PlansDifferently,
    OpensOneFurther,
    PositionBeforeTheRecord,
    PositionBehindTheBatch,
    BeginsAgain,
    EndsAreForgotten,
    RemembersNothing,
    SeeksNothing,
    NeverMoves,
    NeverWakes,
    WaitsWhereOneIsAskedFor,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Split {
    next: u64,
    end: u64,
    /// What only the plan of one moment knows.
    plan: u64,
}

struct Numbers {
    mistake: Mistake,
    plans: AtomicU64,
}

const COUNT: u64 = 30;

impl Source for Numbers {
    type Item = u64;
    type Split = Split;
    type Reader = Reader;

    fn plan(&self, resumed: Resumed<Split>, _readers: usize) -> Result<Planned<Split>> {
        let mistake = self.mistake;
        let plans = self.plans.fetch_add(1, Ordering::Relaxed);
        let plan = if mistake == Mistake::PlansDifferently { plans } else { 0 };
        let overlap = u64::from(mistake == Mistake::ReadsABorderTwice);
        let fresh =
            |start: u64| Split { next: start, end: (start + 10 + overlap).min(COUNT), plan };
        let known = resumed.splits.len() + resumed.finished.len();
        let mut splits = resumed.splits;
        if known == 0 || (mistake == Mistake::RemembersNothing && !resumed.finished.is_empty()) {
            splits = (0..COUNT).step_by(10).map(fresh).collect();
        }
        if mistake == Mistake::BeginsAgain && known > 0 {
            splits
                .iter_mut()
                .filter(|split| split.next % 10 == 4)
                .for_each(|split| split.next -= 4);
        }
        let status = |split: Split| {
            let finished = split.next == split.end && mistake != Mistake::EndsAreForgotten;
            SplitStatus { split, finished, done: split.next % 10 + 10 * u64::from(finished) }
        };
        let planned = Planned::new(splits.into_iter().map(status).collect());
        let done = 10 * resumed.finished.len() as u64;
        Ok(Planned { finished: resumed.finished, done, ..planned })
    }

    fn open(&self, mut split: Split, _waker: &Waker) -> Result<Reader> {
        if self.mistake == Mistake::OpensOneFurther && split.next < split.end {
            split.next += 1;
        }
        Ok(Reader { split, mistake: self.mistake, before: split })
    }

    fn remember(&self, finished: &Split) -> Option<FinishedSplit> {
        Some(FinishedSplit(finished.end.to_string().into_bytes()))
    }

    fn seek(&self, resumed: Resumed<Split>, _seek: &Seek) -> Result<Resumed<Split>> {
        Ok(if self.mistake == Mistake::SeeksNothing { resumed } else { Resumed::default() })
    }

    fn total(&self) -> Option<u64> {
        Some(COUNT + u64::from(self.mistake == Mistake::MiscountsTheTotal))
    }

    fn describe(&self) -> String {
        if self.mistake == Mistake::SaysNothing { String::new() } else { "numbers".to_string() }
    }
}

struct Reader {
    split: Split,
    mistake: Mistake,
    before: Split,
}

impl SplitReader for Reader {
    type Item = u64;
    type Split = Split;

    fn poll(
        &mut self,
        limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<u64>,
    ) -> Result<Polled> {
        let waits = match self.mistake {
            Mistake::NeverWakes => self.split.next == 7,
            Mistake::WaitsWhereOneIsAskedFor => limit.records == 1 && self.split.next % 10 == 5,
            _ => false,
        };
        if waits {
            return Ok(Polled::Idle(None));
        }
        let more = usize::from(self.mistake == Mistake::MoreThanAskedFor);
        let last = self.split.end - u64::from(self.mistake == Mistake::LeavesTheLast);
        for _ in 0..limit.records + more {
            self.before = self.split;
            if self.split.next >= last {
                self.split.next = self.split.end;
                self.before = self.split;
                return Ok(Polled::End);
            }
            output.push(self.split.next)?;
            output.advance(1);
            if self.mistake != Mistake::NeverMoves {
                self.split.next += 1;
            }
        }
        Ok(Polled::More)
    }

    fn split(&self) -> Split {
        match self.mistake {
            Mistake::PositionBeforeTheRecord => self.before,
            Mistake::PositionBehindTheBatch if !self.split.next.is_multiple_of(10) => {
                Split { next: (self.split.next + 1).min(self.split.end), ..self.split }
            }
            _ => self.split,
        }
    }
}

struct Fixture(Mistake);

impl SourceFixture for Fixture {
    type Source = Numbers;

    fn source(&self) -> Numbers {
        Numbers { mistake: self.0, plans: AtomicU64::new(0) }
    }

    fn records(&self) -> Vec<u64> {
        (0..COUNT).collect()
    }
}

fn suite(mistake: Mistake) {
    steadfast_conformance::source(|| Fixture(mistake));
}

#[test]
fn a_right_source_passes() {
    suite(Mistake::None);
}

#[test]
fn every_mistake_is_seen() {
    let mistakes = [
        (Mistake::LeavesTheLast, "every record is read once"),
        (Mistake::ReadsABorderTwice, "every record is read once"),
        (Mistake::MoreThanAskedFor, "no more records than was asked for"),
        (Mistake::MiscountsTheTotal, "adds up to the total"),
        (Mistake::SaysNothing, "says where its records come from"),
        (Mistake::PlansDifferently, "a plan is the same"),
        (Mistake::OpensOneFurther, "every record is read once"),
        (Mistake::PositionBeforeTheRecord, "is not read again"),
        (Mistake::PositionBehindTheBatch, "is not read again"),
        (Mistake::BeginsAgain, "is not read again"),
        (Mistake::EndsAreForgotten, "is finished for the next process"),
        (Mistake::RemembersNothing, "keeps it from being read again"),
        (Mistake::SeeksNothing, "as if it never was"),
        (Mistake::NeverMoves, "a reader moves on with each record"),
        (Mistake::NeverWakes, "a reader that is idle wakes its task"),
        (Mistake::WaitsWhereOneIsAskedFor, "a reader that is idle wakes its task"),
    ];
    bite::every_mistake_is_seen(mistakes, suite);
}
