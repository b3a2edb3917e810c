//! What holds of old entries: they may go, but their indexes are never used again.
//!
//! A log may keep what it was told to forget. So an old entry is there or is not; it is never
//! another one.

use steadfast_core::id::LogIndex;
use steadfast_core::log::{Appended, CommitLog};

use super::{APPENDED, CommitLogFixture, append_all, entry, looks};
use crate::rule::Rule;

const STAYS: Rule = Rule("entries at and after the index of forget_before stay");
const OR_NONE: Rule = Rule("an entry that is not needed any more reads as itself or as none");
const NEVER_AGAIN: Rule =
    Rule("an index that was forgotten is never used again: Forgotten or Taken");
const FORGETS: Rule = Rule("forget_before may be repeated and never goes back");

/// Many blocks of 256, and more than one level of anything.
const LONG: u64 = 2000;

/// What was appended by `one` reads as itself from `kept` on, and as itself or none before.
fn reads(log: &dyn CommitLog, indexes: impl IntoIterator<Item = u64>, kept: u64) {
    for index in indexes {
        let found = STAYS.answered(log.read(LogIndex(index)));
        let own = Some(entry(index, "one"));
        if index >= kept {
            STAYS.equal(&found, &own);
        } else {
            OR_NONE.holds(found.is_none() || found == own, &(index, found));
        }
    }
}

/// Neither a claim nor a checkpoint gets in at `index`, where `one` had its entry.
fn refuses(log: &dyn CommitLog, index: u64) {
    let bytes = entry(index, "a sleeper");
    let own = entry(index, "one");
    for answer in [log.append(LogIndex(index), &bytes), log.claim(LogIndex(index), &bytes)] {
        let answer = NEVER_AGAIN.answered(answer);
        let refused = match &answer {
            Appended::Forgotten => true,
            Appended::Taken(found) => *found == own,
            Appended::Done => false,
        };
        NEVER_AGAIN.holds(refused, &(index, answer));
    }
}

pub(super) fn what_is_needed_stays(fixture: &impl CommitLogFixture) {
    let [log, reader] = [fixture.commit_log(), fixture.commit_log()];
    let mut last = 0;
    for kept in [1, 2, 3, 10, 254, 255, 256, 257, 258, 400, 511, 512, 513, 514, 768, 769, 770] {
        let end = kept.max(last);
        append_all(&*log, last + 1..=end, "one");
        last = end;
        FORGETS.answered(log.forget_before(LogIndex(kept)));
        for handle in [&log, &reader, &fixture.commit_log()] {
            looks(&**handle, kept, last + 1);
            reads(&**handle, 1..=last, kept);
        }
        // What was forgotten is no obstacle to going on, nor to taking over.
        let fresh = fixture.commit_log();
        append_all(&*fresh, [last + 1], "one");
        last += 1;
        looks(&*reader, kept, last + 1);
    }
}

pub(super) fn forgetting_never_goes_back(fixture: &impl CommitLogFixture) {
    let [log, other] = [fixture.commit_log(), fixture.commit_log()];
    append_all(&*log, 1..=300, "one");
    for kept in [290, 290, 5, 1, 257, 256] {
        for handle in [&log, &other, &fixture.commit_log()] {
            FORGETS.answered(handle.forget_before(LogIndex(kept)));
            looks(&**handle, 290, 301);
            reads(&**handle, 1..=300, 290);
        }
    }
    (1..=300).for_each(|index| refuses(&*other, index));
    append_all(&*other, 301..=302, "one");
    reads(&*log, 1..=302, 290);
}

pub(super) fn a_forgotten_index_is_never_used_again(fixture: &impl CommitLogFixture) {
    const ENTRIES: u64 = 530;
    let log = fixture.commit_log();
    // Processes that looked at the log at some time, and slept since.
    let mut sleepers = Vec::new();
    for index in 1..=ENTRIES {
        if matches!(index, 1 | 2 | 100 | 256 | 257 | 258 | 400 | 513) {
            let sleeper = fixture.commit_log();
            looks(&*sleeper, 1, index);
            reads(&*sleeper, 1..index, 1);
            sleepers.push(sleeper);
        }
        append_all(&*log, [index], "one");
    }
    for kept in [2, 200, 257, 258, 400, 513, ENTRIES - 3, ENTRIES] {
        FORGETS.answered(log.forget_before(LogIndex(kept)));
        let fresh = fixture.commit_log();
        for index in 1..=ENTRIES {
            refuses(&*fresh, index);
        }
        looks(&*fresh, kept, ENTRIES + 1);
        reads(&*fresh, 1..=ENTRIES, kept);
    }
    for sleeper in sleepers {
        (1..=ENTRIES).for_each(|index| refuses(&*sleeper, index));
        looks(&*sleeper, ENTRIES, ENTRIES + 1);
        reads(&*sleeper, 1..=ENTRIES, ENTRIES);
    }
    // A handle that has not even looked: each index by a process of its own.
    (1..=ENTRIES).for_each(|index| refuses(&*fixture.commit_log(), index));
    append_all(&*fixture.commit_log(), [ENTRIES + 1], "one");
    looks(&*log, ENTRIES, ENTRIES + 2);
    reads(&*log, 1..=ENTRIES + 1, ENTRIES);
}

pub(super) fn a_log_forgets_as_it_goes(fixture: &impl CommitLogFixture) {
    let [mut log, sleeper] = [fixture.commit_log(), fixture.commit_log()];
    looks(&*sleeper, 1, 1);
    for index in 1..=LONG {
        append_all(&*log, [index], "one");
        let kept = index.saturating_sub(3).max(1);
        FORGETS.answered(log.forget_before(LogIndex(kept)));
        reads(&*log, kept..=index, kept);
        if index % 97 == 0 {
            // Another process takes over, and begins where its own look tells it to.
            log = fixture.commit_log();
            looks(&*log, kept, index + 1);
            reads(&*log, 1..=index, kept);
        }
    }
    let kept = LONG - 3;
    for handle in [&log, &sleeper, &fixture.commit_log()] {
        (1..=LONG).for_each(|index| refuses(&**handle, index));
        looks(&**handle, kept, LONG + 1);
        reads(&**handle, 1..=LONG, kept);
    }
    let overtaken = APPENDED.answered(log.append(LogIndex(LONG), &entry(LONG, "a sleeper")));
    NEVER_AGAIN.equal(&overtaken, &Appended::Taken(entry(LONG, "one")));
}
