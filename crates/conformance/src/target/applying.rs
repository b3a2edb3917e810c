//! Bringing chunks into a target.

use steadfast_core::target::{Conditional, RejectedRows, TargetState};

use super::{
    APPLIED, DONE, LOOKED, ROWS, TargetFixture, apply, holds, identity, marker, strangers,
    with_rows,
};
use crate::rule::Rule;

const TOGETHER: Rule = Rule("an application brings the rows and makes its marker the marker");
const ONCE: Rule = Rule("a repeated application says Done, and its rows show once");
const STALE: Rule =
    Rule("an application that expects another marker says which one is there and changes nothing");
const NOWHERE: Rule = Rule("nothing is applied to a target that was not acquired");
const IN_ORDER: Rule = Rule("all chunks are applied, in their order");
const NOTHING: Rule = Rule("an application of nothing moves the marker");

pub(super) fn rows_and_marker_move_together(fixture: &impl TargetFixture) {
    let mut target = fixture.target(&identity());
    let early = NOWHERE.answered(apply(fixture, &mut *target, marker(1, 0), marker(1, 1), &[&[9]]));
    NOWHERE.equal(&early, &Conditional::Unexpected(None));
    NOWHERE.equal(&LOOKED.answered(target.look()), &TargetState::Absent);
    NOWHERE.nothing(&fixture.rows());
    DONE.answered(target.acquire(None, &marker(1, 0), false));
    let mut rows = Vec::new();
    // Numbers of checkpoints ascend, and some are skipped.
    for (old, new) in [(0, 1), (1, 2), (2, 5), (5, 1000), (1000, 1001)] {
        rows.extend([new * 10, new * 10 + 1]);
        let applied = apply(
            fixture,
            &mut *target,
            marker(1, old),
            marker(1, new),
            &[&rows[rows.len() - 2..]],
        );
        TOGETHER.equal(&TOGETHER.answered(applied), &APPLIED);
        holds(TOGETHER, fixture, marker(1, new), &rows);
    }
}

pub(super) fn a_repeated_apply_shows_once(fixture: &impl TargetFixture) {
    let (mut writer, last) = with_rows(fixture);
    let mut other = fixture.target(&identity());
    for target in [&mut writer, &mut other] {
        let chunks: &[&[u64]] = &[&[1, 2], &[3]];
        let applied = ONCE.answered(apply(fixture, &mut **target, marker(2, 0), last, chunks));
        ONCE.equal(&applied, &APPLIED);
        holds(ONCE, fixture, last, &[1, 2, 3]);
    }
    // And it is still possible to go on, through either handle.
    let applied = ONCE.answered(apply(fixture, &mut *other, last, marker(2, 6), &[&[4]]));
    ONCE.equal(&applied, &APPLIED);
    let applied = ONCE.answered(apply(fixture, &mut *writer, marker(2, 6), marker(2, 7), &[&[5]]));
    ONCE.equal(&applied, &APPLIED);
    holds(ONCE, fixture, marker(2, 7), &[1, 2, 3, 4, 5]);
    // A call that was overtaken by later ones of its own process is not the last call again.
    let late = apply(fixture, &mut *writer, marker(2, 0), marker(2, 5), &[&[1, 2], &[3]]);
    STALE.equal(&STALE.answered(late), &Conditional::Unexpected(Some(marker(2, 7))));
    holds(ONCE, fixture, marker(2, 7), &[1, 2, 3, 4, 5]);
}

pub(super) fn a_stale_apply_changes_nothing(fixture: &impl TargetFixture) {
    let (mut writer, found) = with_rows(fixture);
    let mut other = fixture.target(&identity());
    for target in [&mut writer, &mut other] {
        for (stranger, expected) in strangers(found) {
            // Each would go on to the next checkpoint, and to the one that is there already.
            for checkpoint in [found.checkpoint.0 + 2, found.checkpoint.0] {
                let mut new = expected;
                new.checkpoint.0 = checkpoint;
                if new == found || new == expected {
                    continue;
                }
                let refused =
                    STALE.answered(apply(fixture, &mut **target, expected, new, &[&[70], &[71]]));
                let unexpected = (stranger, Conditional::Unexpected(Some(found)));
                STALE.equal(&(stranger, refused), &unexpected);
                holds(STALE, fixture, found, &[1, 2, 3]);
            }
        }
    }
}

pub(super) fn chunks_are_applied_in_order(fixture: &impl TargetFixture) {
    let (mut target, last) = with_rows(fixture);
    let numbers: Vec<u64> = (100..1100).collect();
    // Of different lengths, so that an order by length or by name would show.
    let mut chunks: Vec<&[u64]> = Vec::new();
    let mut rest = numbers.as_slice();
    for length in (1..=30).rev().cycle() {
        let (chunk, others) = rest.split_at(usize::min(length, rest.len()));
        chunks.push(chunk);
        rest = others;
        if rest.is_empty() {
            break;
        }
    }
    let applied = IN_ORDER.answered(apply(fixture, &mut *target, last, marker(2, 6), &chunks));
    IN_ORDER.equal(&applied, &APPLIED);
    let mut rows = vec![1, 2, 3];
    rows.extend(&numbers);
    holds(IN_ORDER, fixture, marker(2, 6), &rows);
    let applied = apply(fixture, &mut *target, marker(2, 6), marker(2, 7), &[&[5000], &[4000]]);
    IN_ORDER.equal(&IN_ORDER.answered(applied), &APPLIED);
    rows.extend([5000, 4000]);
    holds(IN_ORDER, fixture, marker(2, 7), &rows);
}

pub(super) fn there_may_be_nothing_to_apply(fixture: &impl TargetFixture) {
    let (mut target, mut last) = with_rows(fixture);
    let of_no_rows = fixture.chunk(&[]);
    let empty: [&[Vec<u8>]; 4] = [
        &[],
        &[Vec::new()],
        std::slice::from_ref(&of_no_rows),
        &[Vec::new(), of_no_rows.clone(), Vec::new()],
    ];
    for chunks in empty {
        let mut new = last;
        new.checkpoint.0 += 1;
        for _ in 0..2 {
            let applied = target.apply(&last, &new, &chunks, RejectedRows::Fail);
            NOTHING.equal(&NOTHING.answered(applied), &APPLIED);
            holds(NOTHING, fixture, new, &[1, 2, 3]);
        }
        last = new;
    }
    let mut new = last;
    new.checkpoint.0 += 1;
    let between = [Vec::new(), fixture.chunk(&[4]), of_no_rows, fixture.chunk(&[5])];
    let applied = ROWS.answered(target.apply(&last, &new, &between, RejectedRows::Fail));
    ROWS.equal(&applied, &APPLIED);
    holds(ROWS, fixture, new, &[1, 2, 3, 4, 5]);
}
