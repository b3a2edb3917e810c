//! Looking at a target and making it one's own.

use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};
use steadfast_core::target::{Conditional, DeliveryGuarantee, Marker, Target, TargetState};

use super::{
    APPLIED, DONE, LOOKED, TargetFixture, apply, holds, identity, marker, strangers, with_rows,
};
use crate::rule::Rule;

const ABSENT: Rule =
    Rule("a target that nobody has written to is Absent, and looking leaves it so");
const GUARANTEED: Rule = Rule("a target with a marker promises that output shows once");
const AGAIN: Rule = Rule("a repeated acquire says Done and changes nothing");
const EXPECTED_ONLY: Rule =
    Rule("an acquire that expects another marker says which one is there and changes nothing");
const KEEPS: Rule = Rule("taking over keeps the rows");
const OVERTAKEN: Rule = Rule("a process that was overtaken can change nothing");
const SURVIVES: Rule = Rule("a marker comes back as it was, whatever its numbers");
const DESCRIBES: Rule = Rule("a target says what a reset would remove");

pub(super) fn looking_changes_nothing(fixture: &impl TargetFixture) {
    for _ in 0..3 {
        let mut target = fixture.target(&identity());
        ABSENT.equal(&ABSENT.answered(target.look()), &TargetState::Absent);
        ABSENT.equal(&ABSENT.answered(target.look()), &TargetState::Absent);
        ABSENT.nothing(&fixture.rows());
        GUARANTEED.holds(target.guarantee() != DeliveryGuarantee::AtLeastOnce, &target.guarantee());
    }
}

pub(super) fn the_first_acquire_creates(fixture: &impl TargetFixture) {
    let [mut one, mut two] = [fixture.target(&identity()), fixture.target(&identity())];
    let nobodys = EXPECTED_ONLY.answered(one.acquire(Some(&marker(1, 0)), &marker(2, 0), false));
    EXPECTED_ONLY.equal(&nobodys, &Conditional::Unexpected(None));
    EXPECTED_ONLY.equal(&LOOKED.answered(two.look()), &TargetState::Absent);
    let acquired = DONE.answered(one.acquire(None, &marker(1, 0), false));
    DONE.equal(&acquired, &Conditional::Done(()));
    holds(LOOKED, fixture, marker(1, 0), &[]);
    for target in [&mut one, &mut two] {
        let repeated = AGAIN.answered(target.acquire(None, &marker(1, 0), false));
        AGAIN.equal(&repeated, &Conditional::Done(()));
        holds(AGAIN, fixture, marker(1, 0), &[]);
    }
    DESCRIBES.holds(!DESCRIBES.answered(one.contents()).is_empty(), &"nothing");
}

pub(super) fn only_the_expected_marker_will_do(fixture: &impl TargetFixture) {
    let (mut writer, found) = with_rows(fixture);
    let mut other = fixture.target(&identity());
    let new = marker(9, 5);
    for target in [&mut writer, &mut other] {
        for (stranger, expected) in strangers(found) {
            let refused = EXPECTED_ONLY.answered(target.acquire(Some(&expected), &new, false));
            let unexpected = (stranger, Conditional::Unexpected(Some(found)));
            EXPECTED_ONLY.equal(&(stranger, refused), &unexpected);
            holds(EXPECTED_ONLY, fixture, found, &[1, 2, 3]);
        }
        for adopt in [false, true] {
            let refused = EXPECTED_ONLY.answered(target.acquire(None, &new, adopt));
            EXPECTED_ONLY.equal(&refused, &Conditional::Unexpected(Some(found)));
        }
        holds(EXPECTED_ONLY, fixture, found, &[1, 2, 3]);
    }
}

pub(super) fn whoever_was_overtaken_is_refused(fixture: &impl TargetFixture) {
    let (mut old, before) = with_rows(fixture);
    let mut new = fixture.target(&identity());
    let after = marker(7, 5);
    for _ in 0..2 {
        let acquired = KEEPS.answered(new.acquire(Some(&before), &after, false));
        KEEPS.equal(&acquired, &Conditional::Done(()));
        holds(KEEPS, fixture, after, &[1, 2, 3]);
    }
    refuses_the_old(fixture, &mut *old, before, after, &[1, 2, 3]);
    let applied = apply(fixture, &mut *new, after, marker(7, 6), &[&[4]]);
    DONE.equal(&DONE.answered(applied), &APPLIED);
    // Now the checkpoint is the one that the old process would have written.
    refuses_the_old(fixture, &mut *old, before, marker(7, 6), &[1, 2, 3, 4]);
    refuses_the_old(
        fixture,
        &mut *fixture.target(&identity()),
        before,
        marker(7, 6),
        &[1, 2, 3, 4],
    );
    // To take over once more with `adopt` leaves the sink the creator of what it created.
    let acquired = KEEPS.answered(new.acquire(Some(&marker(7, 6)), &marker(8, 6), true));
    KEEPS.equal(&acquired, &Conditional::Done(()));
    holds(KEEPS, fixture, marker(8, 6), &[1, 2, 3, 4]);
}

fn refuses_the_old(
    fixture: &impl TargetFixture,
    old: &mut dyn Target,
    before: Marker,
    now: Marker,
    rows: &[u64],
) {
    let mut next = before;
    for checkpoint in [before.checkpoint.0 + 1, before.checkpoint.0 + 7] {
        next.checkpoint = CheckpointId(checkpoint);
        let applied = OVERTAKEN.answered(apply(fixture, old, before, next, &[&[70]]));
        OVERTAKEN.equal(&applied, &Conditional::Unexpected(Some(now)));
        holds(OVERTAKEN, fixture, now, rows);
    }
    let reset = OVERTAKEN.answered(old.reset(&before, &marker(3, 0)));
    OVERTAKEN.equal(&reset, &Conditional::Unexpected(Some(now)));
    holds(OVERTAKEN, fixture, now, rows);
    for expected in [Some(&before), None] {
        let acquired = OVERTAKEN.answered(old.acquire(expected, &marker(3, 5), false));
        OVERTAKEN.equal(&acquired, &Conditional::Unexpected(Some(now)));
        holds(OVERTAKEN, fixture, now, rows);
    }
    // What made it the owner long ago is the same call again, but not the same time.
    let acquired = OVERTAKEN.answered(old.acquire(None, &marker(2, 0), false));
    OVERTAKEN.equal(&acquired, &Conditional::Unexpected(Some(now)));
    holds(OVERTAKEN, fixture, now, rows);
}

pub(super) fn a_marker_comes_back_as_it_was(fixture: &impl TargetFixture) {
    // Indexes of a log stay within 63 bits; what is drawn at random uses them all.
    let large = (1 << 62) + 1;
    let mut expected = None;
    for (lineage, generation, nonce, checkpoint) in
        [(u64::MAX, 1, u64::MAX, 1), (0, 2, 0, 0), (1 << 63, large, 1, large)]
    {
        let claim = ClaimId { generation: Generation(generation), nonce };
        let checkpoint = CheckpointId(checkpoint);
        let new = Marker { lineage: Lineage(lineage), claim, checkpoint };
        let mut target = fixture.target(&identity());
        let acquired = SURVIVES.answered(target.acquire(expected.as_ref(), &new, false));
        SURVIVES.equal(&acquired, &Conditional::Done(()));
        holds(SURVIVES, fixture, new, &[]);
        expected = Some(new);
    }
}
