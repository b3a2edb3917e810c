//! Appending and claiming, one call after the other, with nothing forgotten.

use steadfast_core::id::LogIndex;
use steadfast_core::log::{Appended, CommitLog, LogRange};

use super::{APPENDED, CommitLogFixture, append_all, entry, looks};
use crate::rule::Rule;

const EMPTY: Rule = Rule("an empty log looks as first 1 and next 1, and looking changes nothing");
const READ: Rule = Rule("read gives the entry that was appended, and none where there is none");
const TAKEN: Rule = Rule("an append at an index that another entry has says Taken with that entry");
const REPEATED: Rule = Rule("a repeated append with the same bytes finds its own entry: Done");
const OVERTAKEN: Rule = Rule("a holder that was overtaken can append no more");

/// Past the third border between blocks of 256.
const ENTRIES: u64 = 780;

pub(super) fn an_empty_log_looks_empty(fixture: &impl CommitLogFixture) {
    for _ in 0..2 {
        let log = fixture.commit_log();
        let empty = LogRange { first: LogIndex(1), next: LogIndex(1) };
        EMPTY.equal(&EMPTY.answered(log.look()), &empty);
        for index in [1, 2, 256, 257] {
            READ.equal(&READ.answered(log.read(LogIndex(index))), &None);
        }
        APPENDED.answered(log.forget_before(LogIndex(1)));
    }
    append_all(&*fixture.commit_log(), [1], "first");
    looks(&*fixture.commit_log(), 1, 2);
}

pub(super) fn entries_stand_where_they_were_appended(fixture: &impl CommitLogFixture) {
    let [log, other] = [fixture.commit_log(), fixture.commit_log()];
    for index in 1..=ENTRIES {
        append_all(&*log, [index], "one");
        let border = matches!(index % 256, 254..=255 | 0..=2);
        if border {
            looks(&*log, 1, index + 1);
            looks(&*other, 1, index + 1);
            looks(&*fixture.commit_log(), 1, index + 1);
            READ.equal(&READ.answered(other.read(LogIndex(index + 1))), &None);
        }
    }
    let fresh = fixture.commit_log();
    for index in 1..=ENTRIES {
        READ.equal(&READ.answered(fresh.read(LogIndex(index))), &Some(entry(index, "one")));
    }
    // Bytes are bytes: any of them, none of them, and more than a page of them.
    let odd = [(0..=255).collect(), Vec::new(), vec![7; 1_000_000]];
    for (index, bytes) in (ENTRIES + 1..).zip(odd) {
        let appended = APPENDED.answered(other.append(LogIndex(index), &bytes));
        APPENDED.equal(&appended, &Appended::Done);
        READ.equal(&READ.answered(log.read(LogIndex(index))), &Some(bytes));
    }
}

pub(super) fn a_taken_index_gives_the_winners_entry(fixture: &impl CommitLogFixture) {
    let [one, two] = [fixture.commit_log(), fixture.commit_log()];
    append_all(&*one, 1..=20, "one");
    for log in [&one, &two, &fixture.commit_log()] {
        for index in 1..=20 {
            let taken = Appended::Taken(entry(index, "one"));
            let bytes = entry(index, "two");
            TAKEN.equal(&TAKEN.answered(log.append(LogIndex(index), &bytes)), &taken);
            TAKEN.equal(&TAKEN.answered(log.claim(LogIndex(index), &bytes)), &taken);
            TAKEN.equal(&READ.answered(log.read(LogIndex(index))), &Some(entry(index, "one")));
        }
        looks(&**log, 1, 21);
    }
}

pub(super) fn a_repeated_append_finds_its_own_entry(fixture: &impl CommitLogFixture) {
    let [log, other] = [fixture.commit_log(), fixture.commit_log()];
    for index in 1..=10 {
        // The handle that repeats may be another one: the first may have lost its connection.
        for handle in [&log, &log, &other, &log] {
            append_repeatedly(&**handle, index);
        }
        looks(&*other, 1, index + 1);
    }
    append_repeatedly(&*log, 1);
    looks(&*log, 1, 11);
}

fn append_repeatedly(log: &dyn CommitLog, index: u64) {
    let bytes = entry(index, "one");
    let answer = match index % 2 {
        0 => log.append(LogIndex(index), &bytes),
        _ => log.claim(LogIndex(index), &bytes),
    };
    REPEATED.equal(&REPEATED.answered(answer), &Appended::Done);
    REPEATED.equal(&READ.answered(log.read(LogIndex(index))), &Some(bytes));
}

pub(super) fn an_overtaken_holder_is_refused(fixture: &impl CommitLogFixture) {
    // The next holder comes before, at and after a border between blocks.
    for (round, last) in [(1, 3), (2, 250), (3, 255), (4, 511), (5, 768)] {
        let [old, new] = [fixture.commit_log(), fixture.commit_log()];
        let next = OVERTAKEN.answered(old.look()).next.0;
        append_all(&*old, next..=last, "old");
        let claim = format!("claim {round}").into_bytes();
        looks(&*new, 1, last + 1);
        let claimed = APPENDED.answered(new.claim(LogIndex(last + 1), &claim));
        APPENDED.equal(&claimed, &Appended::Done);
        for handle in [&old, &fixture.commit_log()] {
            let refused = handle.append(LogIndex(last + 1), &entry(last + 1, "old"));
            OVERTAKEN.equal(&OVERTAKEN.answered(refused), &Appended::Taken(claim.clone()));
        }
        append_all(&*new, last + 2..=last + 3, "new");
        let refused = old.append(LogIndex(last + 1), &entry(last + 1, "old"));
        OVERTAKEN.equal(&OVERTAKEN.answered(refused), &Appended::Taken(claim));
        looks(&*old, 1, last + 4);
    }
}
