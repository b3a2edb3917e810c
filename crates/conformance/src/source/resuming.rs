//! What a process reads that goes on where another has stopped.

use std::task::Waker;

use steadfast_core::source::{PollLimit, Polled, Resumed, Seek, SeekTo, Source, SplitReader};
use steadfast_core::time::Timestamp;

use super::SourceFixture;
use super::patience::Patience;
use super::process::{Process, Seen, Stopped, printed, shown, stored};
use crate::rule::Rule;

/// After so many stops all must have been read: each process reads at least one record.
const MOST_STOPS: usize = 10_000;

pub(super) fn planning_changes_nothing<F: SourceFixture>(fixture: &F) {
    const SAME: Rule = Rule("a plan is the same when it is made again: a start may only look");
    let source = fixture.source();
    let plan = || {
        let planned = SAME.answered(source.plan(Resumed::default(), 3));
        let splits: Vec<_> = planned.splits.into_iter().map(|status| status.split).collect();
        shown::<F::Source>(&splits)
    };
    SAME.equal(&plan(), &plan());
}

pub(super) fn a_split_that_was_opened_and_not_read_is_where_it_was<F: SourceFixture>(fixture: &F) {
    const THERE: Rule = Rule("a split that was opened and not read loses nothing");
    let (source, mut seen) = (fixture.source(), Seen::default());
    let planned = THERE.answered(source.plan(Resumed::default(), 3));
    let opened = planned.splits.into_iter().map(|status| {
        let reader = THERE.answered(source.open(status.split, Waker::noop()));
        stored::<F::Source>(&reader.split())
    });
    let resumed = Resumed { splits: opened.collect(), finished: planned.finished };
    let process = Process { source: &source, readers: 3, limit: 5, remembers: false };
    process.run_to_end(resumed, &mut seen);
    THERE.equal(&seen.sorted(), &printed(&fixture.records()));
}

pub(super) fn a_split_is_read_in_the_same_order_again<F: SourceFixture>(fixture: &F) {
    const ORDER: Rule =
        Rule("a split holds the same records in the same order when it is read again");
    let source = fixture.source();
    let planned = ORDER.answered(source.plan(Resumed::default(), 2));
    for status in planned.splits.into_iter().filter(|status| !status.finished) {
        let read = |limit| {
            let mut seen = Seen::default();
            let mut patience = Patience::default();
            let split = status.split.clone();
            let mut reader = ORDER.answered(source.open(split, &patience.waker()));
            loop {
                let before = seen.records.len();
                let answer = reader.poll(PollLimit::records(limit), Timestamp(0), &mut seen);
                let answer = ORDER.answered(answer);
                patience.polled(&answer, seen.records.len() - before, 1);
                if answer == Polled::End {
                    return seen.records;
                }
            }
        };
        ORDER.equal(&read(1), &read(1_000));
    }
}

pub(super) fn reading_goes_on_behind_every_record<F: SourceFixture>(fixture: &F) {
    const GOES_ON: Rule =
        Rule("whatever was read when a process stopped is not read again, and all else is");
    let expected = printed(&fixture.records());
    for remembers in [false, true] {
        for polls in 0.. {
            let (first, mut seen) = (fixture.source(), Seen::default());
            let process = Process { source: &first, readers: 1, limit: 1, remembers };
            let Stopped { resumed, is_at_end } = process.run(Resumed::default(), polls, &mut seen);
            let second = fixture.source();
            let process = Process { source: &second, readers: 1, limit: 1, remembers };
            process.run_to_end(resumed, &mut seen);
            GOES_ON.equal(&seen.sorted(), &expected);
            if is_at_end {
                break;
            }
        }
    }
}

pub(super) fn reading_goes_on_with_other_numbers_of_readers<F: SourceFixture>(fixture: &F) {
    const GOES_ON: Rule =
        Rule("many stops one after the other, with other numbers of readers, lose nothing");
    let expected = printed(&fixture.records());
    for polls in [1, 2, 3, 5] {
        let (mut seen, mut resumed) = (Seen::default(), Resumed::default());
        for (readers, stops) in [1, 4, 2, 3].into_iter().cycle().zip(0..) {
            GOES_ON.holds(stops < MOST_STOPS, &"processes that come no further");
            let source = fixture.source();
            let process = Process { source: &source, readers, limit: 2, remembers: true };
            let stopped = process.run(resumed, polls, &mut seen);
            if stopped.is_at_end {
                break;
            }
            resumed = stopped.resumed;
        }
        GOES_ON.equal(&seen.sorted(), &expected);
    }
}

pub(super) fn what_has_ended_has_ended<F: SourceFixture>(fixture: &F) {
    const ENDED: Rule = Rule("a split that was read to its end is finished for the next process");
    let (source, mut seen) = (fixture.source(), Seen::default());
    let process = Process { source: &source, readers: 2, limit: 3, remembers: false };
    let resumed = process.run_to_end(Resumed::default(), &mut seen);
    let planned = ENDED.answered(fixture.source().plan(resumed, 2));
    ENDED.holds(planned.splits.iter().all(|status| status.finished), &"a split that is not");
    if let Some(total) = source.total() {
        let done = planned.splits.iter().map(|status| status.done).sum::<u64>() + planned.done;
        ENDED.equal(&done, &total);
    }
}

pub(super) fn what_is_remembered_of_splits_that_ended_is_enough<F: SourceFixture>(fixture: &F) {
    const REMEMBERED: Rule =
        Rule("what a source remembers of a finished split keeps it from being read again");
    let (source, mut seen) = (fixture.source(), Seen::default());
    let process = Process { source: &source, readers: 2, limit: 3, remembers: true };
    let resumed = process.run_to_end(Resumed::default(), &mut seen);
    let again = fixture.source();
    let process = Process { source: &again, readers: 2, limit: 3, remembers: true };
    let mut seen = Seen::default();
    process.run_to_end(resumed, &mut seen);
    REMEMBERED.nothing(&seen.records);
}

pub(super) fn from_the_beginning_everything_is_read_again<F: SourceFixture>(fixture: &F) {
    const AGAIN: Rule =
        Rule("a source that a person has read from its beginning is read as if it never was");
    for polls in [0, 3, usize::MAX] {
        let source = fixture.source();
        let process = Process { source: &source, readers: 2, limit: 3, remembers: true };
        let Stopped { resumed, .. } = process.run(Resumed::default(), polls, &mut Seen::default());
        let again = fixture.source();
        let resumed = AGAIN.answered(again.seek(resumed, &Seek::all(SeekTo::Beginning)));
        let mut seen = Seen::default();
        let process = Process { source: &again, readers: 2, limit: 3, remembers: true };
        process.run_to_end(resumed, &mut seen);
        AGAIN.equal(&seen.sorted(), &printed(&fixture.records()));
    }
}
