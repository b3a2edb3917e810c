//! Rows that the outside system refuses for good.

use steadfast_core::ErrorKind;
use steadfast_core::target::{Applied, Conditional, RejectedRows};

use super::{APPLIED, TargetFixture, holds, marker, with_rows};
use crate::rule::Rule;

const FAILS: Rule =
    Rule("a refused row fails the application as Rejected, and nothing has changed");
const SET_ASIDE: Rule = Rule("a refused row is set aside and counted, and the rest is applied");
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
    let (mut target, last) = with_rows(fixture);
    let chunks = [fixture.chunk(&[4]), poison, fixture.chunk(&[5])];
    let stale = target.apply(&marker(1, 5), &marker(1, 6), &chunks, RejectedRows::SetAside);
    CONDITION.equal(&CONDITION.answered(stale), &Conditional::Unexpected(Some(last)));
    holds(CONDITION, fixture, last, &[1, 2, 3]);
    let new = marker(2, 6);
    let applied = SET_ASIDE.answered(target.apply(&last, &new, &chunks, RejectedRows::SetAside));
    SET_ASIDE.equal(&applied, &Conditional::Done(Applied { rejected: 1 }));
    holds(SET_ASIDE, fixture, new, &[1, 2, 3, 4, 5]);
    // Whether a repeated call still knows how many they were is up to the system.
    let repeated = SET_ASIDE.answered(target.apply(&last, &new, &chunks, RejectedRows::SetAside));
    SET_ASIDE.holds(matches!(repeated, Conditional::Done(_)), &repeated);
    holds(SET_ASIDE, fixture, new, &[1, 2, 3, 4, 5]);
    let clean = [fixture.chunk(&[6])];
    let applied = target.apply(&new, &marker(2, 7), &clean, RejectedRows::SetAside);
    SET_ASIDE.equal(&SET_ASIDE.answered(applied), &APPLIED);
    holds(SET_ASIDE, fixture, marker(2, 7), &[1, 2, 3, 4, 5, 6]);
}
