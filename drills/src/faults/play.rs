//! Plays one case.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::case::Case;
use super::verdict::{Facts, judge};
use crate::campaign::Played;
use crate::durability::{self, Entries};
use crate::job::{Setup, Start};
use crate::ledger;
use crate::process::{Ended, in_short, told};
use crate::recording::Noted;
use crate::shim::Orders;
use crate::stage::{Contents, DEADLINE, Manner, Seen, Stage, World};
use crate::verdict::Verdict;

/// What a process did that began like this and met no fault.
pub(super) struct Recorded {
    pub(super) noted: Vec<Noted>,
    /// Where the order of its steps would not survive the loss of power.
    pub(super) breaches: Vec<String>,
}

/// Records such a process.
pub(super) fn record(world: &World, setup: Setup, start: &Start) -> Result<Recorded> {
    let stage = Stage::before(world, setup, start)?;
    let kept: PathBuf = stage.notes().join("log");
    std::fs::create_dir(&kept)?;
    let orders = Orders { names_all: true, keeps_log_in: Some(&kept), ..Orders::default() };
    let manner = Manner { anew: start.is_anew(), orders, ..Manner::default() };
    let mut first = stage.begin("first", manner)?;
    let ended = first.process.wait(DEADLINE)?.context("a run without faults hangs")?;
    anyhow::ensure!(ended.code == Some(0), "{setup}/{start}: {}", ended.in_short());
    let noted = first.rein.noted()?;
    let breaches = durability::breaches(&noted, &Entries::read(&kept)?);
    let job = stage.job().display().to_string();
    let breaches = breaches.into_iter().map(|breach| breach.replace(&job, "")).collect();
    Ok(Recorded { noted, breaches })
}

/// Plays `case`.
pub(super) fn play(world: &World, case: &Case) -> Result<Played> {
    let stage = Stage::before(world, case.setup, &case.start)?;
    let orders =
        Orders { names_all: true, fault: Some((&case.at, case.fault.word())), ..Orders::default() };
    let anew = case.start.is_anew();
    let manner = Manner { anew, orders, is_impatient: true, ..Manner::default() };
    let mut first = stage.begin("first", manner)?;
    let ended = first.process.wait(DEADLINE)?;
    if ended.is_none() {
        first.process.kill()?;
    }
    let met: Vec<_> =
        first.rein.noted()?.into_iter().filter(|noted| noted.what == "fault").collect();
    if met.is_empty() {
        let verdict = Verdict { not_reached: true, ..Verdict::default() };
        return Ok(Played { verdict, trace: vec!["the process never came to its call".into()] });
    }
    let mut trace = vec![format!("the first ends: {}", in_short(ended.as_ref()))];
    let run = |who: &str| stage.begin_free(who, Manner::default())?.process.wait(DEADLINE);
    let second = run("second")?;
    trace.push(format!("without faults: {}", in_short(second.as_ref())));
    let shown = shown(&stage)?;
    let third = run("third")?;
    trace.push(format!("a third: {}", in_short(third.as_ref())));
    let facts = Facts {
        first: ended,
        second,
        third,
        third_changed: shown != self::shown(&stage)?,
        verified: stage.verify()?,
        sound: match case.setup.sink.is_database() {
            true => ledger::check_sqlite(&stage.output()),
            false => Ok(()),
        },
        results: stage.results(ledger::parts_in),
    };
    let verdict = judge(world, case, &facts);
    tell(&mut trace, &facts, &met, &stage)?;
    Ok(Played { verdict, trace })
}

/// What users see: not the markers, which say that somebody came, too.
fn shown(stage: &Stage<'_>) -> Result<Contents> {
    let mut contents = stage.contents(Seen::Visible)?;
    if let Some(database) = contents.get_mut(Path::new("database")) {
        let is_row = |line: &&str| line.starts_with("balances ");
        *database = database.lines().filter(is_row).collect::<Vec<_>>().join("\n");
    }
    Ok(contents)
}

/// What helps to understand a case: what was said in full, which calls met a fault, what is there.
fn tell(trace: &mut Vec<String>, facts: &Facts, met: &[Noted], stage: &Stage<'_>) -> Result<()> {
    let job = stage.job();
    let job = job.to_str().unwrap_or_default();
    let fault = |noted: &Noted| {
        format!("  a fault at {} {}", noted.call, noted.path.trim_start_matches(job))
    };
    trace.extend(met.iter().take(4).map(fault));
    let mut say = |who: &str, ended: Option<&Ended>| trace.extend(told(who, ended));
    say("the first", facts.first.as_ref());
    say("the second", facts.second.as_ref());
    say("the third", facts.third.as_ref());
    say("verify", facts.verified.as_ref());
    trace.extend(stage.listing()?.into_iter().map(|name| format!("  there is {name}")));
    Ok(())
}
