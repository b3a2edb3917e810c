//! The little that holds for a target without a marker, such as a terminal.

use steadfast_core::target::{Conditional, DeliveryGuarantee, RejectedRows, TargetState};

use super::{APPLIED, TargetFixture, apply, identity, marker};
use crate::rule::Rule;

const STAYS_SO: Rule = Rule("a target without a marker stays one, whatever is done to it");
const HONEST: Rule = Rule("a target without a marker promises output at least once and no more");
const SHOWS: Rule = Rule("what is applied to a target without a marker shows, in order");
const WILLING: Rule = Rule("a target without a marker can be taken over by everybody");

pub(super) fn output_shows_up_and_nothing_is_promised(fixture: &impl TargetFixture) {
    let mut target = fixture.target(&identity());
    HONEST.equal(&target.guarantee(), &DeliveryGuarantee::AtLeastOnce);
    STAYS_SO.equal(&STAYS_SO.answered(target.look()), &TargetState::Unmarked);
    STAYS_SO.nothing(&fixture.rows());
    let acquired = WILLING.answered(target.acquire(None, &marker(1, 0), false));
    WILLING.equal(&acquired, &Conditional::Done(()));
    let applied = apply(fixture, &mut *target, marker(1, 0), marker(1, 1), &[&[2, 1], &[3]]);
    SHOWS.equal(&SHOWS.answered(applied), &APPLIED);
    SHOWS.equal(&fixture.rows(), &vec![2, 1, 3]);
    let chunks = [Vec::new(), fixture.chunk(&[]), fixture.chunk(&[4])];
    let applied = target.apply(&marker(1, 1), &marker(1, 2), &chunks, RejectedRows::Fail);
    SHOWS.equal(&SHOWS.answered(applied), &APPLIED);
    SHOWS.equal(&fixture.rows(), &vec![2, 1, 3, 4]);
    let acquired =
        WILLING.answered(fixture.target(&identity()).acquire(None, &marker(2, 0), false));
    WILLING.equal(&acquired, &Conditional::Done(()));
    STAYS_SO.equal(&STAYS_SO.answered(target.look()), &TargetState::Unmarked);
    STAYS_SO.equal(&fixture.rows(), &vec![2, 1, 3, 4]);
}
