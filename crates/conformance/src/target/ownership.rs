//! What others created, and what other sinks own.

use steadfast_core::target::{
    Conditional, Marker, PlannedStep, Target, TargetIdentity, TargetState,
};
use steadfast_core::{Error, ErrorKind};

use super::{
    APPLIED, DONE, LOOKED, ROWS, TargetFixture, apply, holds, identity, in_order, marker, named,
};
use crate::rule::Rule;

const FOREIGN: Rule = Rule("what others created is Foreign, and looking leaves it so");
const UNASKED: Rule =
    Rule("what is foreign is not taken without adopt: Configuration, and nothing has changed");
const ADOPTED: Rule = Rule(
    "what is foreign is taken with adopt, keeps its rows, and is never said to be created by the sink",
);
const CHECKED: Rule =
    Rule("what a step would refuse is refused before by a check, which changes nothing");
const NEVER_EMPTIED: Rule = Rule(
    "a reset of what was adopted removes own rows only, or nothing at all and says Configuration",
);
const CREATES: Rule = Rule("adopt makes no difference where there is nothing to adopt");
const STRANGER: Rule =
    Rule("another job or sink never owns a target, and changes nothing of its owner");

pub(super) fn what_others_created_is_not_taken_unasked(fixture: &impl TargetFixture) {
    if fixture.occupy().is_none() {
        return;
    }
    let before = fixture.rows();
    for _ in 0..2 {
        let mut target = fixture.target(&identity());
        let state = FOREIGN.answered(target.look());
        FOREIGN.holds(matches!(state, TargetState::Foreign(_)), &state);
        let refused = UNASKED.refused(target.acquire(None, &marker(1, 0), false)).kind();
        UNASKED.equal(&refused, &ErrorKind::Configuration);
        // Who was never let in is no owner, and cannot write or empty as if it were.
        unless_done(UNASKED, apply(fixture, &mut *target, marker(1, 0), marker(1, 1), &[&[70]]));
        unless_done(UNASKED, target.reset(&marker(1, 0), &marker(2, 0)));
        let state = UNASKED.answered(fixture.target(&identity()).look());
        UNASKED.holds(matches!(state, TargetState::Foreign(_)), &state);
        UNASKED.equal(&fixture.rows(), &before);
    }
}

pub(super) fn what_was_adopted_is_never_emptied(fixture: &impl TargetFixture) {
    if fixture.occupy().is_none() {
        return;
    }
    let before = fixture.rows();
    let above = before.iter().max().copied().unwrap_or_default();
    let own = [above + 1, above + 2];
    let with_own: Vec<u64> = before.iter().copied().chain(own).collect();
    let mut target = fixture.target(&identity());
    for _ in 0..2 {
        let acquired = ADOPTED.answered(target.acquire(None, &marker(1, 0), true));
        ADOPTED.equal(&acquired, &Conditional::Done(()));
        holds_adopted(ADOPTED, fixture, marker(1, 0), &before);
    }
    let applied = apply(fixture, &mut *target, marker(1, 0), marker(1, 1), &[&own]);
    ADOPTED.equal(&ADOPTED.answered(applied), &APPLIED);
    holds_adopted(ADOPTED, fixture, marker(1, 1), &with_own);
    // Taking over needs no consent any more, and makes nobody the creator.
    let mut last = marker(1, 1);
    for (claim, adopt) in [(2, false), (3, true)] {
        let acquired = fixture.target(&identity()).acquire(Some(&last), &marker(claim, 1), adopt);
        ADOPTED.equal(&ADOPTED.answered(acquired), &Conditional::Done(()));
        last = marker(claim, 1);
        holds_adopted(ADOPTED, fixture, last, &with_own);
    }
    CHECKED.answered(target.check(PlannedStep::Acquire));
    let checked = target.check(PlannedStep::Reset).map_err(|error| error.kind());
    holds_adopted(CHECKED, fixture, last, &with_own);
    let reset = target.reset(&last, &marker(4, 0));
    let refused = reset.as_ref().map(|_| ()).map_err(Error::kind);
    CHECKED.equal(&checked, &refused);
    match reset {
        Ok(reset) => {
            NEVER_EMPTIED.equal(&reset, &Conditional::Done(()));
            holds_adopted(NEVER_EMPTIED, fixture, marker(4, 0), &before);
        }
        Err(error) => {
            NEVER_EMPTIED.equal(&error.kind(), &ErrorKind::Configuration);
            holds_adopted(NEVER_EMPTIED, fixture, last, &with_own);
        }
    }
}

fn holds_adopted<F: TargetFixture>(rule: Rule, fixture: &F, marker: Marker, rows: &[u64]) {
    let state = rule.answered(fixture.target(&identity()).look());
    rule.equal(&state, &TargetState::Owned { marker, created: false });
    rule.equal(&fixture.rows(), &in_order(fixture, rows));
}

pub(super) fn adopting_nothing_creates(fixture: &impl TargetFixture) {
    let mut target = fixture.target(&identity());
    let acquired = CREATES.answered(target.acquire(None, &marker(1, 0), true));
    CREATES.equal(&acquired, &Conditional::Done(()));
    holds(CREATES, fixture, marker(1, 0), &[]);
}

/// Whose names, written one after the other, would be the same.
fn lookalikes() -> Vec<[TargetIdentity; 2]> {
    let mut pairs = vec![
        [named("job", "rows"), named("job", "other")],
        [named("job", "rows"), named("other", "rows")],
        [named("job", "rows"), named("jobr", "ows")],
        [named("rows", "job"), named("job", "rows")],
    ];
    for separator in ["-", "_", "."] {
        let [job, sink] = [format!("a{separator}b"), format!("b{separator}c")];
        pairs.push([named(&job, "c"), named("a", &sink)]);
    }
    pairs
}

pub(super) fn another_sink_is_a_stranger<F: TargetFixture>(make: &impl Fn() -> F) {
    for [owner, other] in lookalikes() {
        let fixture = make();
        let mut owned = fixture.target(&owner);
        DONE.answered(owned.acquire(None, &marker(1, 0), false));
        DONE.answered(apply(&fixture, &mut *owned, marker(1, 0), marker(1, 1), &[&[1, 2]]));
        let mut target = fixture.target(&other);
        let state = STRANGER.answered(target.look());
        let owns_nothing = matches!(state, TargetState::Absent | TargetState::Foreign(_));
        STRANGER.holds(owns_nothing, &(&other, &state));
        // It knows the owner's marker, and that does not help it.
        unless_done(STRANGER, apply(&fixture, &mut *target, marker(1, 1), marker(1, 2), &[&[70]]));
        unless_done(STRANGER, target.reset(&marker(1, 1), &marker(2, 0)));
        unless_done(STRANGER, target.acquire(Some(&marker(1, 1)), &marker(2, 1), false));
        undisturbed(&fixture, &owner, marker(1, 1), &[1, 2]);
        let acquired = target.acquire(None, &marker(2, 0), false);
        if state == TargetState::Absent {
            STRANGER.equal(&STRANGER.answered(acquired), &Conditional::Done(()));
            write_beside(&fixture, &mut *target, &owner);
        } else {
            let refused = UNASKED.refused(acquired).kind();
            UNASKED.equal(&refused, &ErrorKind::Configuration);
        }
        undisturbed(&fixture, &owner, marker(1, 1), &[1, 2]);
        let applied = apply(&fixture, &mut *owned, marker(1, 1), marker(1, 2), &[&[3]]);
        STRANGER.equal(&STRANGER.answered(applied), &APPLIED);
        undisturbed(&fixture, &owner, marker(1, 2), &[1, 2, 3]);
    }
}

/// A sink that has a place of its own in the same system writes there and empties it.
fn write_beside<F: TargetFixture>(fixture: &F, target: &mut dyn Target, owner: &TargetIdentity) {
    undisturbed(fixture, owner, marker(1, 1), &[1, 2]);
    let applied = apply(fixture, target, marker(2, 0), marker(2, 1), &[&[11]]);
    STRANGER.equal(&STRANGER.answered(applied), &APPLIED);
    undisturbed(fixture, owner, marker(1, 1), &[1, 2, 11]);
    let reset = STRANGER.answered(target.reset(&marker(2, 1), &marker(3, 0)));
    STRANGER.equal(&reset, &Conditional::Done(()));
}

/// The owner finds its marker, and a reader these rows; those of two sinks have no order.
fn undisturbed<F: TargetFixture>(
    fixture: &F,
    owner: &TargetIdentity,
    marker: Marker,
    rows: &[u64],
) {
    let state = LOOKED.answered(fixture.target(owner).look());
    STRANGER.equal(&state, &TargetState::Owned { marker, created: true });
    let mut found = fixture.rows();
    found.sort_unstable();
    ROWS.equal(&found, &rows.to_vec());
}

/// The step was refused, in whatever way.
fn unless_done<T: std::fmt::Debug>(rule: Rule, answer: steadfast_core::Result<Conditional<T>>) {
    match answer {
        Ok(Conditional::Unexpected(_)) => {}
        Ok(done) => rule.broken(&format!("a stranger's step was taken: {done:?}")),
        Err(error) => rule.equal(&error.kind(), &ErrorKind::Configuration),
    }
}
