//! What holds while several processes change one target at the same time.
//!
//! A system that is busy may answer `Unavailable`: the call is then repeated, as the engine would.

use std::sync::Barrier;
use std::thread;

use steadfast_core::target::{Conditional, Marker, RejectedRows, Target};
use steadfast_core::{ErrorKind, Result};

use super::{TargetFixture, holds, identity, marker, with_rows};
use crate::rule::Rule;

const ONE_ACQUIRES: Rule =
    Rule("of many processes that expect the same marker exactly one takes over");
const ONE_APPLIES: Rule =
    Rule("of many applications that expect the same marker exactly one shows");

const PROCESSES: u64 = 6;
/// A system that is still busy after this many tries does not answer at all.
const TRIES: usize = 10_000;

/// Takes a step in every process at the same time, and says whose was taken.
fn winner<'a>(
    rule: Rule,
    targets: impl Iterator<Item = &'a mut Box<dyn Target>>,
    markers: &[Marker],
    step: impl Fn(&mut dyn Target, usize) -> Result<Conditional<()>> + Sync,
) -> usize {
    let (start, step) = (&Barrier::new(markers.len()), &step);
    let outcomes: Vec<Conditional<()>> = thread::scope(|scope| {
        let running: Vec<_> = targets
            .enumerate()
            .map(|(n, target)| {
                scope.spawn(move || {
                    start.wait();
                    patiently(rule, || step(&mut **target, n))
                })
            })
            .collect();
        running.into_iter().map(|process| rule.answered(process.join())).collect()
    });
    let winners: Vec<usize> =
        (0..outcomes.len()).filter(|&n| outcomes[n] == Conditional::Done(())).collect();
    let &[winner] = winners.as_slice() else {
        rule.broken(&format!("these were Done: {winners:?}"));
    };
    for (_, outcome) in outcomes.iter().enumerate().filter(|&(n, _)| n != winner) {
        rule.equal(outcome, &Conditional::Unexpected(Some(markers[winner])));
    }
    winner
}

/// Repeats a call until the system has an answer.
fn patiently<T>(rule: Rule, mut call: impl FnMut() -> Result<T>) -> T {
    for _ in 1..TRIES {
        match call() {
            Err(error) if error.kind() == ErrorKind::Unavailable => thread::yield_now(),
            answer => return rule.answered(answer),
        }
    }
    rule.answered(call())
}

pub(super) fn one_of_many_acquires_wins(fixture: &impl TargetFixture) {
    let mut targets: Vec<_> = (0..PROCESSES).map(|_| fixture.target(&identity())).collect();
    let mut expected = None;
    for round in 1..=10 {
        let markers: Vec<Marker> = (0..PROCESSES).map(|n| marker(round * 100 + n, 0)).collect();
        let taken = winner(ONE_ACQUIRES, targets.iter_mut(), &markers, |target, n| {
            target.acquire(expected.as_ref(), &markers[n], false)
        });
        holds(ONE_ACQUIRES, fixture, markers[taken], &[]);
        expected = Some(markers[taken]);
    }
}

pub(super) fn one_of_many_applications_wins(fixture: &impl TargetFixture) {
    let (_, mut last) = with_rows(fixture);
    let mut targets: Vec<_> = (0..PROCESSES).map(|_| fixture.target(&identity())).collect();
    let mut rows = vec![1, 2, 3];
    for round in 1..=10 {
        // As processes would be that all begin from one copy of a store.
        let markers: Vec<Marker> = (0..PROCESSES).map(|n| marker(10 + n, 5 + round)).collect();
        let brought: Vec<u64> = (0..PROCESSES).map(|n| round * 100 + n).collect();
        let chunks: Vec<_> = brought.iter().map(|&row| fixture.chunk(&[row])).collect();
        let taken = winner(ONE_APPLIES, targets.iter_mut(), &markers, |target, n| {
            let chunks = std::slice::from_ref(&chunks[n]);
            let applied = target.apply(&last, &markers[n], &chunks, RejectedRows::Fail)?;
            Ok(match applied {
                Conditional::Done(_) => Conditional::Done(()),
                Conditional::Unexpected(found) => Conditional::Unexpected(found),
            })
        });
        rows.push(brought[taken]);
        last = markers[taken];
        holds(ONE_APPLIES, fixture, last, &rows);
    }
}
