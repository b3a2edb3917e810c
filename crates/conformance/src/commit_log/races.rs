//! What holds while several handles append at the same time.
//!
//! The threads wait for each other at a barrier and nowhere else; how they interleave is up to the
//! machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::thread;

use steadfast_core::Result;
use steadfast_core::id::LogIndex;
use steadfast_core::log::{Appended, CommitLog};

use super::{CommitLogFixture, entry, looks};
use crate::rule::Rule;

const ONE_WINS: Rule = Rule("of many appends at one index exactly one is Done");
const WINNER_SEEN: Rule = Rule("whoever lost an index gets the entry of the winner");
const NOTHING_LOST: Rule = Rule("every entry that was Done has an index of its own, without a gap");

const WRITERS: usize = 6;
const ROUNDS: u64 = 20;

pub(super) fn one_of_many_appends_wins(fixture: &impl CommitLogFixture) {
    one_of_many_wins(fixture, |log, index, entry| log.append(index, entry));
}

pub(super) fn one_of_many_claims_wins(fixture: &impl CommitLogFixture) {
    one_of_many_wins(fixture, |log, index, entry| log.claim(index, entry));
}

type Append = fn(&dyn CommitLog, LogIndex, &[u8]) -> Result<Appended>;

fn one_of_many_wins(fixture: &impl CommitLogFixture, append: Append) {
    let writers: Vec<String> = (0..WRITERS).map(|n| format!("writer {n}")).collect();
    let handles: Vec<_> = writers.iter().map(|_| fixture.commit_log()).collect();
    for index in 1..=ROUNDS {
        let start = &Barrier::new(WRITERS);
        let outcomes: Vec<Appended> = thread::scope(|scope| {
            let running: Vec<_> = writers
                .iter()
                .zip(&handles)
                .map(|(writer, log)| {
                    scope.spawn(move || {
                        start.wait();
                        let appended = append(&**log, LogIndex(index), &entry(index, writer));
                        ONE_WINS.answered(appended)
                    })
                })
                .collect();
            running.into_iter().map(|writer| ONE_WINS.answered(writer.join())).collect()
        });
        let winners: Vec<usize> = (0..WRITERS).filter(|&n| outcomes[n] == Appended::Done).collect();
        let &[winner] = winners.as_slice() else {
            ONE_WINS.broken(&format!("at {index} these were Done: {winners:?}"));
        };
        let bytes = entry(index, &writers[winner]);
        for (_, outcome) in outcomes.iter().enumerate().filter(|&(n, _)| n != winner) {
            WINNER_SEEN.equal(outcome, &Appended::Taken(bytes.clone()));
        }
        let found = WINNER_SEEN.answered(fixture.commit_log().read(LogIndex(index)));
        WINNER_SEEN.equal(&found, &Some(bytes));
    }
    looks(&*fixture.commit_log(), 1, ROUNDS + 1);
}

pub(super) fn claims_and_forgetting_at_the_same_time_lose_nothing(fixture: &impl CommitLogFixture) {
    const CLAIMS: usize = 40;
    let start = &Barrier::new(WRITERS + 1);
    let (mut claimed, mut given_up) = (BTreeMap::new(), BTreeSet::new());
    thread::scope(|scope| {
        let running: Vec<_> = (0..WRITERS)
            .map(|n| {
                let log = fixture.commit_log();
                scope.spawn(move || {
                    start.wait();
                    (0..CLAIMS).map(|round| claim_somewhere(&*log, n, round)).collect::<Vec<_>>()
                })
            })
            .collect();
        let log = fixture.commit_log();
        scope.spawn(move || {
            start.wait();
            for _ in 0..CLAIMS * 2 {
                let next = NOTHING_LOST.answered(log.look()).next.0;
                let kept = LogIndex(next.saturating_sub(3).max(1));
                NOTHING_LOST.answered(log.forget_before(kept));
            }
        });
        for claim in running.into_iter().flat_map(|w| NOTHING_LOST.answered(w.join())) {
            let other = claimed.insert(claim.index, claim.bytes);
            NOTHING_LOST.holds(other.is_none(), &format!("two claims at {}", claim.index));
            given_up.extend(claim.given_up);
        }
    });
    NOTHING_LOST.equal(&claimed.len(), &(WRITERS * CLAIMS));
    let log = fixture.commit_log();
    let last = NOTHING_LOST.answered(log.look()).next.0 - 1;
    // A claim that took effect may be answered `Forgotten` if the log has gone on meanwhile.
    let hole = (1..=last).find(|index| !claimed.contains_key(index) && !given_up.contains(index));
    NOTHING_LOST.nothing(&hole.into_iter().collect::<Vec<_>>());
    looks(&*log, last, last + 1);
    for (index, bytes) in claimed {
        let found = NOTHING_LOST.answered(log.read(LogIndex(index)));
        let right = found.as_ref() == Some(&bytes) || (found.is_none() && index < last);
        NOTHING_LOST.holds(right, &(index, found));
    }
}

/// Where a claim was made in the end.
struct Claimed {
    index: u64,
    bytes: Vec<u8>,
    /// Where it was tried before, and the answer was `Forgotten`.
    given_up: Vec<u64>,
}

/// Claims as a process does that takes over: from where the log looks to end, to where it ends.
fn claim_somewhere(log: &dyn CommitLog, writer: usize, round: usize) -> Claimed {
    let bytes = format!("claim {round} by {writer}").into_bytes();
    let mut index = NOTHING_LOST.answered(log.look()).next;
    let mut given_up = Vec::new();
    loop {
        match NOTHING_LOST.answered(log.claim(index, &bytes)) {
            Appended::Done => return Claimed { index: index.0, bytes, given_up },
            Appended::Taken(_) => index = LogIndex(index.0 + 1),
            Appended::Forgotten => {
                given_up.push(index.0);
                index = NOTHING_LOST.answered(log.look()).next;
            }
        }
    }
}
