//! What one process reads.

use steadfast_core::source::{PollLimit, Polled, Resumed, Source, SplitReader};
use steadfast_core::time::Timestamp;

use super::SourceFixture;
use super::patience::Patience;
use super::process::{Process, Seen, printed};
use crate::rule::Rule;

pub(super) fn every_record_is_read_once_by_any_number_of_readers<F: SourceFixture>(fixture: &F) {
    const ONCE: Rule = Rule("every record is read once, by any number of readers");
    let expected = printed(&fixture.records());
    ONCE.holds(expected.len() >= 10, &"fewer than ten records in the fixture");
    for readers in [1, 2, 3, 8] {
        let (source, mut seen) = (fixture.source(), Seen::default());
        let process = Process { source: &source, readers, limit: 7, remembers: false };
        process.run_to_end(Resumed::default(), &mut seen);
        ONCE.equal(&seen.sorted(), &expected);
    }
}

pub(super) fn a_poll_hands_over_no_more_than_was_asked_for<F: SourceFixture>(fixture: &F) {
    const LIMIT: Rule = Rule("a poll hands over no more records than was asked for");
    let source = fixture.source();
    let planned = LIMIT.answered(source.plan(Resumed::default(), 1));
    for status in planned.splits.into_iter().filter(|status| !status.finished) {
        let mut patience = Patience::default();
        let mut reader = LIMIT.answered(source.open(status.split, &patience.waker()));
        for records in [1, 2, 3].into_iter().cycle() {
            let mut seen = Seen::default();
            let answer = reader.poll(PollLimit::records(records), Timestamp(0), &mut seen);
            LIMIT.holds(seen.records.len() <= records, &(seen.records.len(), "asked for", records));
            let answer = LIMIT.answered(answer);
            patience.polled(&answer, seen.records.len(), 1);
            if answer == Polled::End {
                break;
            }
        }
    }
}

pub(super) fn what_was_read_adds_up_to_the_total<F: SourceFixture>(fixture: &F) {
    const TOTAL: Rule = Rule("what readers say that they have read adds up to the total");
    let (source, mut seen) = (fixture.source(), Seen::default());
    let process = Process { source: &source, readers: 2, limit: 3, remembers: false };
    process.run_to_end(Resumed::default(), &mut seen);
    if let Some(total) = source.total() {
        TOTAL.equal(&seen.advanced, &total);
    }
}

pub(super) fn it_says_where_its_records_come_from<F: SourceFixture>(fixture: &F) {
    const SAYS: Rule = Rule("a source says where its records come from, in one line");
    let words = fixture.source().describe();
    SAYS.holds(!words.trim().is_empty() && !words.contains('\n'), &words);
}
