//! What is right and what is wrong about how a case ended.

use super::case::{Action, Case};
use crate::process::Ended;
use crate::recording::Noted;
use crate::stage::{Results, World};
use crate::verdict::{Verdict, judge_results, judge_summary};

/// The exit code of a process whose job was taken over.
const FENCED: i32 = 3;
/// Any other failure; a lock that is held for too long is one.
const FAILURE: i32 = 1;

/// What happened.
pub(super) struct Facts {
    pub(super) first: Option<Ended>,
    pub(super) first_did: Vec<Noted>,
    /// Nothing if it hung. One that was killed has no exit code.
    pub(super) second: Option<Ended>,
    /// The second did not end while the first was held.
    pub(super) waited: bool,
    /// It went on to its next call and was held there until the first had ended.
    pub(super) is_held_again: bool,
    /// It was given time to give up or to say something, and did neither.
    pub(super) in_silence: bool,
    /// The second has a store of its own and has written to the target from there.
    pub(super) stranger_won: bool,
    /// Whether a stranger that was refused has left all as it was; nothing if none was.
    pub(super) refused_in_order: Option<bool>,
    /// Whether what users see stayed as it was when a stranger had adopted it and had ended.
    pub(super) kept_adopted: Option<bool>,
    /// The undisturbed run with the stranger's store, if the target is the stranger's.
    pub(super) strangers_last: Option<Ended>,
    /// The undisturbed run afterwards.
    pub(super) last: Option<Ended>,
    pub(super) verified: Option<Ended>,
    pub(super) results: Results,
}

impl Facts {
    /// What the first did until it was held, and after that.
    fn first_before_and_after(&self) -> (&[Noted], &[Noted]) {
        let held = self.first_did.iter().position(|noted| noted.what == "held");
        self.first_did.split_at(held.unwrap_or(self.first_did.len()))
    }

    /// Whether it had committed a checkpoint of its own when it was held.
    fn first_had_committed(&self) -> bool {
        let (before, _) = self.first_before_and_after();
        before.iter().filter(|noted| noted.appended_to_log()).count() > 1
    }
}

/// Judges a case that came to its call.
pub(super) fn judge(world: &World, case: &Case, facts: &Facts) -> Verdict {
    let mut verdict = Verdict { excused: facts.waited, ..Verdict::default() };
    if facts.in_silence {
        verdict.violation("the second waits for the first in silence");
    }
    judge_first(&mut verdict, case, facts);
    judge_second(&mut verdict, case, facts);
    judge_both(&mut verdict, case, facts);
    judge_last(&mut verdict, world, facts);
    verdict
}

fn judge_first(verdict: &mut Verdict, case: &Case, facts: &Facts) {
    let Some(ended) = &facts.first else {
        return verdict.violation("the first hangs after its pause");
    };
    match ended.code {
        Some(0 | FENCED) => {}
        // Somebody with another store has come to own the target before the first had written to it.
        Some(_) if facts.stranger_won && ended.is_refusal() && !facts.first_had_committed() => {}
        // It came upon a lock that the second held while it was killed or worked.
        Some(FAILURE) if names_a_lock(ended) => verdict.excused = true,
        _ if case.action == Action::StrangerAdopts && facts.stranger_won => {
            verdict.violation(format!("the first, which was overtaken: {}", ended.in_short()));
        }
        _ => verdict.failed("the first", ended),
    }
}

fn judge_second(verdict: &mut Verdict, case: &Case, facts: &Facts) {
    let Some(ended) = &facts.second else {
        return verdict.violation("the second hangs though the first has gone on");
    };
    match (&case.action, ended.code) {
        // A kill has no exit code, and one that came too late is no fault.
        (Action::Killed(_) | Action::KilledAnew(_), None) | (_, Some(0)) => {}
        (Action::Continue | Action::Onward(_), Some(FENCED)) => {}
        (Action::Stranger, Some(FENCED)) => {}
        (Action::Stranger, Some(_)) if ended.is_refusal() => {}
        // The first, once released, may in turn have taken over from one that had waited.
        (_, Some(FENCED)) if facts.waited => {}
        (_, Some(FAILURE)) if names_a_lock(ended) => verdict.excused = true,
        _ => verdict.failed("the second", ended),
    }
    if facts.refused_in_order == Some(false) {
        verdict.violation("a stranger was refused and has changed something");
    }
    if facts.kept_adopted == Some(false) {
        verdict.violation("the target has changed after it was adopted and written to the end");
    }
}

/// Whether both have worked at the same time, each to its good end.
fn judge_both(verdict: &mut Verdict, case: &Case, facts: &Facts) {
    let (Some(first), Some(second)) = (&facts.first, &facts.second) else { return };
    let (before, after) = facts.first_before_and_after();
    let claimed_before = before.iter().any(Noted::appended_to_log);
    let committed_after = after.iter().any(Noted::appended_to_log);
    // Its claim and a cut at least. Its own account of it would not do: it counts only cuts that
    // are newer than those it knows, and one that does harm may be older.
    let worked = facts.first_did.iter().filter(|noted| noted.appended_to_log()).count() > 1;
    let both = first.code == Some(0) && worked && second.finished_by_work();
    let overlap = match case.action {
        // The second was there before the first began, and still there when it ended.
        Action::Onward(_) if facts.is_held_again => true,
        Action::Continue | Action::Onward(_) => claimed_before,
        // Whoever came second had no right to come.
        Action::Stranger => true,
        // They have logs of their own, and the first may have had nothing left to write to the target.
        Action::StrangerAdopts => false,
        _ => claimed_before && committed_after && !facts.waited,
    };
    if both && overlap {
        verdict.violation(
            "two processes, each in the middle of the other's work, both end with exit 0",
        );
    }
    let waited = names_a_lock(first) || names_a_lock(second);
    if case.action.is_of_stranger() && first.code != Some(0) && second.code != Some(0) && !waited {
        verdict.violation(format!(
            "of two with one target neither finishes: {}; {}",
            first.in_short(),
            second.in_short()
        ));
    }
}

fn judge_last(verdict: &mut Verdict, world: &World, facts: &Facts) {
    match (&facts.last, facts.stranger_won) {
        (None, _) => return verdict.violation("an undisturbed run hangs"),
        (Some(ended), false) if ended.code == Some(0) => judge_summary(verdict, world, ended),
        // What the target holds belongs to the other store: to say so is right.
        (Some(ended), true) if ended.is_refusal() => {}
        (Some(ended), true) => {
            verdict.violation(format!("a run over what a stranger owns: {}", ended.in_short()));
        }
        (Some(ended), false) => {
            verdict.failed("the undisturbed run", ended);
            // What it did not finish it cannot be blamed for.
            return;
        }
    }
    match &facts.strangers_last {
        Some(ended) if ended.code == Some(0) => judge_summary(verdict, world, ended),
        Some(ended) => verdict.failed("the stranger's undisturbed run", ended),
        None if facts.stranger_won => verdict.violation("the stranger's undisturbed run hangs"),
        None => {}
    }
    match &facts.verified {
        Some(ended) if ended.code == Some(0) => {}
        // A stranger may have come before there was a first checkpoint.
        _ if facts.stranger_won => {}
        Some(ended) => verdict.violation(format!("verify: {}", ended.in_short())),
        None => verdict.violation("verify hangs"),
    }
    judge_results(verdict, world, &facts.results);
}

/// It ended because somebody else held a lock for too long, and says so.
fn names_a_lock(ended: &Ended) -> bool {
    ended.err.contains("is locked") || ended.err.contains("is busy")
}
