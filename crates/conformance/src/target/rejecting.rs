//! Rows that the outside system refuses for good.

use steadfast_core::ErrorKind;
use steadfast_core::target::{Applied, Conditional, Marker, RejectedRows, Target};

use super::{APPLIED, TargetFixture, holds, marker, with_rows};
use crate::rule::Rule;

const FAILS: Rule =
    Rule("a refused row fails the application as Rejected, and nothing has changed");
const SET_ASIDE: Rule = Rule("a refused row is set aside and counted, and the rest is applied");
const REPEATED: Rule =
    Rule("a repeated application counts the refused rows of its own checkpoint, or none");
const CONDITION: Rule = Rule("refused rows are set aside only if the marker is the expected one");

pub(super) fn a_rejected_row_fails_all_of_it(fixture: &impl TargetFixture) {
    let Some(poison) = fixture.poison() else { return };
    let (mut target, last) = with_rows(fixture);
    let chunks = [fixture.chunk(&[4]), poison, fixture.chunk(&[5])];
    for _ in 0..2 {
        let answer = target.apply(&last, &marker(2, 6), &chunks, RejectedRows::Fail);
        let kind = FAILS.refused(answer).kind();
        FAILS.equal(&kind, &ErrorKind::Rejected);
        holds(FAILS, fixture, last, &[1, 2, 3]);
    }
    // Whoever has corrected the target or the policy applies the same checkpoint.
    let corrected = [fixture.chunk(&[4]), fixture.chunk(&[5])];
    let applied = target.apply(&last, &marker(2, 6), &corrected, RejectedRows::Fail);
    FAILS.equal(&FAILS.answered(applied), &APPLIED);
    holds(FAILS, fixture, marker(2, 6), &[1, 2, 3, 4, 5]);
}

pub(super) fn a_rejected_row_is_set_aside(fixture: &impl TargetFixture) {
    let Some(poison) = fixture.poison() else { return };
    let poisoned = || poison.clone();
    let (mut target, last) = with_rows(fixture);
    let chunks = [fixture.chunk(&[4]), poisoned(), fixture.chunk(&[5])];
    let stale = target.apply(&marker(1, 5), &marker(1, 6), &chunks, RejectedRows::SetAside);
    CONDITION.equal(&CONDITION.answered(stale), &Conditional::Unexpected(Some(last)));
    holds(CONDITION, fixture, last, &[1, 2, 3]);
    let new = marker(2, 6);
    let applied = SET_ASIDE.answered(target.apply(&last, &new, &chunks, RejectedRows::SetAside));
    SET_ASIDE.equal(&applied, &Conditional::Done(Applied { rejected: 1 }));
    holds(SET_ASIDE, fixture, new, &[1, 2, 3, 4, 5]);
    repeats(&mut *target, &new, &chunks);
    holds(SET_ASIDE, fixture, new, &[1, 2, 3, 4, 5]);
    // What an earlier checkpoint had refused is counted with that one.
    let (next, more) = (marker(2, 7), [fixture.chunk(&[6]), poisoned()]);
    let applied = target.apply(&new, &next, &more, RejectedRows::SetAside);
    SET_ASIDE.equal(&SET_ASIDE.answered(applied), &Conditional::Done(Applied { rejected: 1 }));
    repeats(&mut *target, &next, &more);
    let clean = [fixture.chunk(&[7])];
    let applied = target.apply(&next, &marker(2, 8), &clean, RejectedRows::SetAside);
    SET_ASIDE.equal(&SET_ASIDE.answered(applied), &APPLIED);
    holds(SET_ASIDE, fixture, marker(2, 8), &[1, 2, 3, 4, 5, 6, 7]);
}

/// Whether a repeated call still knows how many rows were refused is up to the system; it knows of one
/// at most, because its checkpoint has no more.
fn repeats(target: &mut dyn Target, at: &Marker, chunks: &[Vec<u8>]) {
    let repeated = target.apply(at, at, &chunks, RejectedRows::SetAside);
    let repeated = REPEATED.answered(repeated);
    let is_right = matches!(repeated, Conditional::Done(Applied { rejected: 0 | 1 }));
    REPEATED.holds(is_right, &repeated);
}
