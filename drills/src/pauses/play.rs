//! Plays one case.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::case::{Action, Case};
use super::verdict::{Facts, judge};
use crate::campaign::Played;
use crate::job::{Call, Setup, Start};
use crate::ledger;
use crate::process::{Ended, in_short, told};
use crate::recording::Noted;
use crate::stage::{Actor, DEADLINE, Manner, Seen, Stage, World};
use crate::verdict::Verdict;

/// A second process that has not ended by then waits for the first.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Which calls a process makes that begins like this and that nobody holds.
pub(super) fn record(world: &World, setup: Setup, start: &Start) -> Result<Vec<Noted>> {
    let (stage, second) = set(world, setup, start, None)?;
    let mut first = stage.begin("first", Manner { anew: start.is_anew(), ..Manner::default() })?;
    let ended = first.process.wait(DEADLINE)?.context("a run without pauses hangs")?;
    drop(second);
    anyhow::ensure!(ended.code == Some(0), "{setup}/{start}: {}", ended.in_short());
    first.rein.noted()
}

/// The stage as it is when the first process begins, with the second where it was there before.
/// That is held once more at `onward`.
fn set<'w>(
    world: &'w World,
    setup: Setup,
    start: &Start,
    onward: Option<&Call>,
) -> Result<(Stage<'w>, Option<Actor>)> {
    let stage = Stage::before(world, setup, start)?;
    let Some(call) = start.beside() else { return Ok((stage, None)) };
    let held_at: Vec<_> = [call].into_iter().chain(onward).collect();
    let mut second = stage.begin("second", Manner::held_at(&held_at))?;
    anyhow::ensure!(second.comes_to_its_call()?, "the second process never comes to {call}");
    Ok((stage, Some(second)))
}

/// Plays `case`.
pub(super) fn play(world: &World, case: &Case) -> Result<Played> {
    let onward = match &case.action {
        Action::Onward(call) => Some(call),
        _ => None,
    };
    let (stage, before) = set(world, case.setup, &case.start, onward)?;
    let held_at: &[_] = &[&case.at];
    let anew = case.start.is_anew();
    let mut first = stage.begin("first", Manner { anew, ..Manner::held_at(held_at) })?;
    if !first.comes_to_its_call()? {
        let verdict = Verdict { not_reached: true, ..Verdict::default() };
        return Ok(Played { verdict, trace: vec!["the first never came to its call".into()] });
    }
    let mut trace = vec![format!("the first is held at {}", case.at)];
    let contents_before = match case.action {
        Action::Stranger => Some(stage.contents(Seen::All)?),
        _ => None,
    };
    let mut second = enter(&stage, &case.action, before)?;
    let mut ended = interfere(case, &mut second)?;
    // Where a writer is held, the first goes on with its targets.
    let stands_still = ["main:", "committer:"].iter().any(|thread| case.at.starts_with(thread));
    let refused_in_order = match (&ended, &contents_before) {
        (Some(ended), Some(before)) if ended.is_refusal() && stands_still => {
            Some(*before == stage.contents(Seen::All)? && !stage.elsewhere().exists())
        }
        _ => None,
    };
    let adopted = match (&ended, &case.action) {
        (Some(ended), Action::StrangerAdopts) if ended.finished_by_work() => {
            Some(stage.contents(Seen::Visible)?)
        }
        _ => None,
    };
    let is_held_again = onward.is_some() && second.rein.has_reached(2);
    let waited = ended.is_none() && !is_held_again;
    let in_silence = waited && is_waited_out(case) && second.process.said().is_empty();
    trace.push(match &ended {
        Some(ended) => format!("the second ends: {}", ended.in_short()),
        None if is_held_again => "the second goes on and is held again".to_string(),
        None => "the second does not end while the first is held".to_string(),
    });
    first.rein.release(1)?;
    let first_ended = first.process.wait(DEADLINE)?;
    trace.push(format!("the first goes on and ends: {}", in_short(first_ended.as_ref())));
    if ended.is_none() {
        second.rein.release(2)?;
        ended = second.process.wait(DEADLINE)?;
        trace.push(format!("then the second: {}", in_short(ended.as_ref())));
    }
    let first_did = first.rein.noted()?;
    if first_ended.is_none() {
        first.process.kill()?;
    }
    if ended.is_none() {
        second.process.kill()?;
    }
    let last = stage.begin_free("last", Manner::default())?.process.wait(DEADLINE)?;
    trace.push(format!("an undisturbed run: {}", in_short(last.as_ref())));
    let kept_adopted = match &adopted {
        Some(adopted) => Some(*adopted == stage.contents(Seen::Visible)?),
        None => None,
    };
    let stranger_won =
        case.action.is_of_stranger() && ended.as_ref().is_some_and(Ended::finished_by_work);
    let strangers_last = match stranger_won {
        true => {
            let manner = Manner { elsewhere: true, ..Manner::default() };
            let last = stage.begin_free("strangers-last", manner)?.process.wait(DEADLINE)?;
            trace.push(format!("one of the stranger's: {}", in_short(last.as_ref())));
            last
        }
        false => None,
    };
    // What an adopting stranger found stays: it is not part of what it has to answer for.
    let owned = |folder: &Path| match stranger_won {
        true => ledger::parts_of_owner(folder),
        false => ledger::parts_in(folder),
    };
    let facts = Facts {
        stranger_won,
        refused_in_order,
        kept_adopted,
        strangers_last,
        first: first_ended,
        first_did,
        second: ended,
        waited,
        is_held_again,
        in_silence,
        last,
        verified: stage.verify()?,
        results: stage.results(owned),
    };
    let verdict = judge(world, case, &facts);
    tell(&mut trace, &facts, &stage)?;
    Ok(Played { verdict, trace })
}

/// The second process comes, or was there and is let go. It reads at the shim's pace even where it
/// is not held: how many cuts it makes would differ from one playing to the next otherwise.
fn enter(stage: &Stage<'_>, action: &Action, before: Option<Actor>) -> Result<Actor> {
    let plain = Manner::default();
    let anew = Manner { anew: true, ..plain };
    match action {
        Action::Takeover => stage.begin("second", plain),
        Action::Anew => stage.begin("second", anew),
        Action::Stranger => stage.begin("second", Manner { elsewhere: true, ..plain }),
        Action::StrangerAdopts => {
            stage.begin("second", Manner { elsewhere: true, adopts: true, ..plain })
        }
        Action::Killed(call) => stage.begin("second", Manner::held_at(&[call])),
        Action::KilledAnew(call) => {
            stage.begin("second", Manner { anew: true, ..Manner::held_at(&[call]) })
        }
        Action::Continue | Action::Onward(_) => {
            let second = before.context("the second process was not there before")?;
            second.rein.release(1)?;
            Ok(second)
        }
    }
}

/// Lets the second do what it can while the first is held. Nothing if it waits for the first.
fn interfere(case: &Case, second: &mut Actor) -> Result<Option<Ended>> {
    if let Action::Killed(_) | Action::KilledAnew(_) = case.action {
        let rein = &second.rein;
        let ended = second.process.wait_or(PATIENCE, || rein.has_reached(1))?;
        return match ended {
            Some(ended) => Ok(Some(ended)),
            None => second.process.kill().map(Some),
        };
    }
    if let Action::Onward(_) = case.action {
        let rein = &second.rein;
        return second.process.wait_or(PATIENCE, || rein.has_reached(2));
    }
    second.process.wait(if is_waited_out(case) { DEADLINE } else { PATIENCE })
}

/// Whether the second may wait for as long as it likes, to see what it says in the end. That takes
/// long and is the same for all calls of a kind, so one of each does.
fn is_waited_out(case: &Case) -> bool {
    case.action == Action::Takeover && case.start == Start::Fresh && case.at.ends_with(":1")
}

/// What helps to understand a case: what was said in full, what the first did, what is there.
fn tell(trace: &mut Vec<String>, facts: &Facts, stage: &Stage<'_>) -> Result<()> {
    let mut say = |who: &str, ended: Option<&Ended>| trace.extend(told(who, ended));
    say("the first", facts.first.as_ref());
    say("the second", facts.second.as_ref());
    say("the last", facts.last.as_ref());
    say("the stranger's last", facts.strangers_last.as_ref());
    say("verify", facts.verified.as_ref());
    let job = stage.job();
    let job = job.to_str().unwrap_or_default();
    let did = |noted: &&Noted| noted.what == "held" || noted.changes_names();
    for Noted { what, call, path, .. } in facts.first_did.iter().filter(did) {
        trace.push(format!("  the first: {what} {call} {}", path.trim_start_matches(job)));
    }
    trace.extend(stage.listing()?.into_iter().map(|name| format!("  there is {name}")));
    Ok(())
}
