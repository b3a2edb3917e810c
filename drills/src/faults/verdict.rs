//! What is right and what is wrong about how a process takes a fault, and about what it leaves behind.

use super::case::{Case, Fault};
use crate::process::Ended;
use crate::stage::{Results, World};
use crate::verdict::{Verdict, judge_results, judge_summary};

/// What happened.
pub(super) struct Facts {
    /// It met the fault. Nothing if it hung.
    pub(super) first: Option<Ended>,
    /// It met none and was to finish.
    pub(super) second: Option<Ended>,
    /// It was to find nothing to do,
    pub(super) third: Option<Ended>,
    /// and changed what users see all the same.
    pub(super) third_changed: bool,
    pub(super) verified: Option<Ended>,
    /// Whether the database is one.
    pub(super) sound: anyhow::Result<()>,
    pub(super) results: Results,
}

/// The exit code for a setting that cannot work.
const WRONG_SETTING: i32 = 2;
/// The exit code for stored data that is damaged.
const DAMAGED: i32 = 5;
/// The exit code for what an outside system has done, among others.
const FAILURE: i32 = 1;

/// Judges a case that came to its call.
pub(super) fn judge(world: &World, case: &Case, facts: &Facts) -> Verdict {
    let mut verdict = Verdict::default();
    match &facts.first {
        None => verdict.violation("it hangs after the fault"),
        Some(ended) => judge_first(&mut verdict, world, case, ended),
    }
    judge_rest(&mut verdict, world, facts);
    verdict
}

fn judge_first(verdict: &mut Verdict, world: &World, case: &Case, ended: &Ended) {
    if ended.err.contains("panicked") {
        return verdict.violation(format!("it panics: {}", ended.in_short()));
    }
    match ended.code {
        None if case.fault.kills() => {}
        None => verdict.violation("a signal has ended it"),
        Some(_) if case.fault.kills() => verdict.violation("it outlives its death"),
        Some(0) => judge_summary(verdict, world, ended),
        Some(code) => {
            let error = ended.err.lines().find(|line| line.starts_with("error: "));
            let says = |what: &str| error.is_some_and(|line| line.contains(what));
            if is_sqlites_own(case, code) {
                verdict.excused = true;
            } else if code != FAILURE || !says("[SF04") {
                // It names a wrong cause: a process that came between, damage, a setting, the input.
                verdict.violation(format!(
                    "a fault is taken for something else: {}",
                    ended.in_short()
                ));
            } else if !names_a_place(error.unwrap_or_default()) {
                verdict.refusal(format!("it does not say where: {}", ended.in_short()));
            } else if is_waited_out(case) {
                // `docs/errors.md` says that it is waited out.
                verdict.refusal(format!("a fault that passes ends the run: {}", ended.in_short()));
            } else {
                verdict.excused = true;
            }
        }
    }
}

/// SQLite has no words for some faults: an input/output error in a read is a damaged database to it,
/// and a file that it cannot open for writing may not be written to, whatever the reason. Either ends
/// the run, and the next one goes on; `docs/errors.md` says so.
fn is_sqlites_own(case: &Case, code: i32) -> bool {
    let fails = matches!(case.fault, Fault::Fails | Fault::FailsForAWhile | Fault::FailsForGood);
    let (verb, kind) = case.verb_and_kind();
    match code {
        DAMAGED => fails && verb == "read" && kind.starts_with("sqlite"),
        WRONG_SETTING => {
            let creates = matches!(verb, "create" | "open");
            (fails || case.fault == Fault::Lost) && creates && kind.starts_with("sqlite")
        }
        _ => false,
    }
}

/// Whether the run is to go on after such a fault, by `docs/errors.md`.
fn is_waited_out(case: &Case) -> bool {
    let (verb, kind) = case.verb_and_kind();
    // A lock that cannot be let go of is held until the process ends; no local disk does that.
    case.fault != Fault::FailsForGood && kind != "input" && verb != "unlock"
}

/// Whether an error says where it happened: a path, or a part of the job by its name.
fn names_a_place(error: &str) -> bool {
    error.contains('/')
        || ["sink '", "source '", "operator '"].iter().any(|part| error.contains(part))
}

fn judge_rest(verdict: &mut Verdict, world: &World, facts: &Facts) {
    for (who, ended) in [("without faults", &facts.second), ("a third time", &facts.third)] {
        match ended {
            None => return verdict.violation(format!("{who} it hangs")),
            Some(ended) if ended.code == Some(0) => judge_summary(verdict, world, ended),
            Some(ended) => {
                verdict.violation(format!("{who}: {}", ended.in_short()));
                // What it did not finish it cannot be blamed for.
                return;
            }
        }
    }
    if facts.third.as_ref().is_some_and(Ended::finished_by_work) {
        verdict.violation("a third run finds something to do");
    }
    if facts.third_changed {
        verdict.violation("a third run changes what users see");
    }
    match &facts.verified {
        Some(ended) if ended.code == Some(0) => {}
        Some(ended) => verdict.violation(format!("verify: {}", ended.in_short())),
        None => verdict.violation("verify hangs"),
    }
    if let Err(error) = &facts.sound {
        verdict.violation(format!("the database: {error:#}"));
    }
    judge_results(verdict, world, &facts.results);
}
