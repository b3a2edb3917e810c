//! Emptying what the sink created.

use steadfast_core::target::{Conditional, TargetState};

use super::{APPLIED, LOOKED, TargetFixture, apply, holds, identity, marker, strangers, with_rows};
use crate::rule::Rule;

const EMPTIES: Rule = Rule("a reset empties what the sink created and makes its marker the marker");
const GOES_ON: Rule = Rule("what was emptied can be written to again, the same rows included");
const STALE: Rule =
    Rule("a reset that expects another marker says which one is there and changes nothing");
const LOSES_NOTHING: Rule =
    Rule("a repeated reset removes nothing that was written after the first");
const NOWHERE: Rule = Rule("a reset of what is not there creates nothing");

pub(super) fn a_reset_empties_what_was_created(fixture: &impl TargetFixture) {
    let mut target = fixture.target(&identity());
    let nobodys = NOWHERE.answered(target.reset(&marker(1, 0), &marker(2, 0)));
    NOWHERE.equal(&nobodys, &Conditional::Unexpected(None));
    NOWHERE.equal(&LOOKED.answered(target.look()), &TargetState::Absent);
    let (mut old, mut last) = with_rows(fixture);
    for claim in [6, 7, 8] {
        let mut target = fixture.target(&identity());
        let new = marker(claim, 0);
        let reset = EMPTIES.answered(target.reset(&last, &new));
        EMPTIES.equal(&reset, &Conditional::Done(()));
        holds(EMPTIES, fixture, new, &[]);
        // The one that was emptied under its feet is a stranger.
        let late = apply(fixture, &mut *old, marker(2, 5), marker(2, 6), &[&[70]]);
        EMPTIES.equal(&EMPTIES.answered(late), &Conditional::Unexpected(Some(new)));
        last = marker(claim, 5);
        let applied = GOES_ON.answered(apply(fixture, &mut *target, new, last, &[&[1, 2], &[9]]));
        GOES_ON.equal(&applied, &APPLIED);
        holds(GOES_ON, fixture, last, &[1, 2, 9]);
    }
}

pub(super) fn a_stale_reset_changes_nothing(fixture: &impl TargetFixture) {
    let (mut writer, found) = with_rows(fixture);
    let mut other = fixture.target(&identity());
    for target in [&mut writer, &mut other] {
        for (stranger, expected) in strangers(found) {
            let refused = STALE.answered(target.reset(&expected, &marker(9, 0)));
            let unexpected = (stranger, Conditional::Unexpected(Some(found)));
            STALE.equal(&(stranger, refused), &unexpected);
            holds(STALE, fixture, found, &[1, 2, 3]);
        }
    }
}

pub(super) fn a_repeated_reset_loses_nothing(fixture: &impl TargetFixture) {
    let (mut target, found) = with_rows(fixture);
    let new = marker(4, 0);
    for _ in 0..2 {
        let reset = LOSES_NOTHING.answered(target.reset(&found, &new));
        LOSES_NOTHING.equal(&reset, &Conditional::Done(()));
        holds(LOSES_NOTHING, fixture, new, &[]);
    }
    // The answer was lost; meanwhile the same claim goes on, and then another.
    let mut other = fixture.target(&identity());
    let own = marker(4, 1);
    LOSES_NOTHING.answered(apply(fixture, &mut *other, new, own, &[&[21]]));
    let repeated = LOSES_NOTHING.answered(target.reset(&found, &new));
    LOSES_NOTHING.equal(&repeated, &Conditional::Unexpected(Some(own)));
    holds(LOSES_NOTHING, fixture, own, &[21]);
    let theirs = marker(5, 1);
    LOSES_NOTHING.answered(other.acquire(Some(&own), &theirs, false));
    let repeated = LOSES_NOTHING.answered(target.reset(&found, &new));
    LOSES_NOTHING.equal(&repeated, &Conditional::Unexpected(Some(theirs)));
    holds(LOSES_NOTHING, fixture, theirs, &[21]);
    let later = marker(5, 2);
    LOSES_NOTHING.answered(apply(fixture, &mut *other, theirs, later, &[&[22]]));
    for expected in [found, new, own] {
        let repeated = LOSES_NOTHING.answered(target.reset(&expected, &new));
        LOSES_NOTHING.equal(&repeated, &Conditional::Unexpected(Some(later)));
        holds(LOSES_NOTHING, fixture, later, &[21, 22]);
    }
}
