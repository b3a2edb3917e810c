//! A history of a job: rounds of several processes each, what befalls disk and database between them,
//! and a last process that nobody disturbs.
//!
//! How a process lives, and whether it may end as it did, is not known here.

use std::sync::Arc;

use steadfast_checkpoint::limits::Limits;

use crate::baton::{Baton, Ending, Fate};
use crate::coverage;
use crate::fault_injector::{FaultInjector, Round, Theme};
use crate::input::{EXTRA, Topology, UNMARKED};
use crate::input_files::Growth;
use crate::observer::SeenProcess;
use crate::oracle::Oracle;
use crate::table::Table;
use crate::topologies::folders;

use super::damage::Damage;
use super::life::{Character, End, Life};
use super::process::World;
use super::scenario::{Scenario, TraceLine};
use super::somebody::Deed;

/// See the module.
pub(super) struct Run {
    pub(super) world: World,
    pub(super) oracle: Arc<Oracle>,
    pub(super) random: fastrand::Rng,
    pub(super) character: Character,
    pub(super) damage: Damage,
    pub(super) growth: Growth,
    pub(super) trace: Vec<TraceLine>,
    pub(super) lives: Vec<Life>,
    /// What happens to most processes, if anything does.
    pub(super) theme: Option<Theme>,
}

impl Run {
    pub(super) fn note(&mut self, note: String) {
        self.trace.push(TraceLine::Note(note));
    }

    pub(super) fn run(&mut self) -> Option<String> {
        if self.character.foreign && !self.scenario().topology.has_folders() {
            for sink in self.scenario().topology.sinks() {
                self.world.database.tables().insert((*sink).into(), Table::default());
            }
        }
        for _ in 0..self.random.usize(1..=3) {
            let count = self.random.usize(1..=4);
            self.grow(false);
            let lives: Vec<Life> = (0..count).map(|_| self.draw_life()).collect();
            if let Some(violation) = self.round(lives, false) {
                return Some(violation);
            }
            self.between_rounds();
            if let Some(violation) = self.try_worse_input() {
                return Some(violation);
            }
            if let Some(violation) = self.try_other_job() {
                return Some(violation);
            }
            if let Some(violation) = self.look_into_folders() {
                return Some(violation);
            }
        }
        self.finish()
    }

    pub(super) fn scenario(&self) -> Scenario {
        self.world.scenario
    }

    pub(super) fn draw_life(&mut self) -> Life {
        let level = self.scenario().consistency;
        let can_have_extra = self.character.sinks_change;
        Life::draw(&mut self.random, &self.character, level, can_have_extra)
    }

    /// Input comes; in the end all of it.
    fn grow(&mut self, is_all: bool) {
        self.growth = self.grown(is_all);
        let Some(files) = &self.world.files else { return };
        files.put(&self.growth, &self.world.disk);
    }

    /// What is there once input has come; in the end all of it.
    pub(super) fn grown(&mut self, is_all: bool) -> Growth {
        let mut growth = self.growth.clone();
        let Some(files) = &self.world.files else { return growth };
        match is_all {
            true => files.complete(&mut growth),
            false => {
                let halves = files.grow(&mut growth, &mut self.random);
                let what = "input: a file ends within what is no record";
                *self.world.observer.seen().counts.entry(what.into()).or_default() += halves;
            }
        }
        growth
    }

    /// What befalls disk and database while nobody is alive.
    fn between_rounds(&mut self) {
        // Where somebody has died it may have been for that.
        let rarely = if self.lives.last().is_some_and(|life| life.end.is_none()) { 2 } else { 3 };
        if self.character.weak_power && self.random.u8(..4) != 0 || self.random.u8(..rarely) == 0 {
            self.note("power fails".to_string());
            self.world.observer.count("power loss");
            self.world.observer.seen().power_losses += 1;
            self.world.disk.lose_power(&mut self.random, self.character.weak_power);
        }
        if self.character.damage && self.random.bool() {
            let random = &mut self.random;
            if let Some(what) = self.damage.strike(
                random,
                &self.world.kept(),
                &self.world.database,
                &self.world.observer,
            ) {
                self.note(format!("damage: {what}"));
                self.world
                    .observer
                    .count(format!("damage: {}", what.split(':').next().unwrap_or_default()));
            }
        }
        if self.random.bool() {
            self.damage.copy(&self.world.disk, &self.world.database);
        }
    }

    /// A last process that nobody disturbs, and another one that finds nothing to do.
    fn finish(&mut self) -> Option<String> {
        let mut life = self.draw_life().willing(self.character.foreign);
        self.grow(true);
        let mut again = Life { nonce: self.random.u64(..), ..life.clone() };
        if let Some(violation) = self.round(vec![life.clone()], true) {
            return Some(violation);
        }
        let mut refused = self.last_refusal();
        if refused.is_some() && self.damage.can_be_reset() && !self.character.foreign {
            self.note("starting from scratch".to_string());
            (life.reset, life.adopt) = (true, true);
            // Where a store was put back, a target may know claims that are still to come.
            for _ in 0..5 {
                if let Some(violation) = self.round(vec![life.clone()], true) {
                    return Some(violation);
                }
                refused = self.last_refusal();
                if !refused.as_ref().is_some_and(|refusal| refusal.contains("SF05")) {
                    break;
                }
            }
            // A store that was put back beside a process that closes blocks may have a hole in those.
            let restorations = self.world.observer.seen().restorations;
            let has_hole = |refusal: &String| {
                let of_blocks = refusal.contains("of the log is closed, and");
                let of_entries = refusal.contains("is gone, and what came after it is there");
                of_blocks || of_entries && restorations > 0
            };
            if let Some(refusal) = refused.as_ref().filter(|refusal| !has_hole(refusal)) {
                return Some(format!("a reset does not help: {refusal}"));
            }
            self.world.observer.count("end: right after a reset");
        }
        if let Some(refusal) = refused {
            self.world.observer.count("end: refused");
            return (!self.is_damaged()).then(|| format!("the last process is refused: {refusal}"));
        }
        if !self.newest_manifest().is_some_and(|newest| newest.is_finished()) {
            return Some("the last process has ended, and the job is not finished".to_string());
        }
        // It has deleted what it does not need itself, and does not leave it to the next.
        if let Some(left) = self.world.kept().at_rest(&self.world.observer.seen()) {
            return Some(format!("when the job has ended, {left}"));
        }
        (again.reset, again.adopt) = (false, self.character.foreign);
        let shown = self.shown_unmarked();
        if let Some(violation) = self.round(vec![again], true) {
            return Some(violation);
        }
        if self.shown_unmarked() != shown {
            return Some("a finished job shows its last output again".to_string());
        }
        if let Some(refusal) = self.last_refusal() {
            self.world.observer.count("end: refused");
            return (!self.is_damaged()).then(|| format!("a finished job is refused: {refusal}"));
        }
        self.world.observer.count("end: right");
        let at_rest = || self.world.kept().at_rest(&self.world.observer.seen());
        self.look_into_folders().or_else(|| self.look()).or_else(at_rest)
    }

    /// Whether sources of a process are held as soon as anything waits for its target, so that it can be told
    /// from outside. What files hold is noted some time after it was read.
    fn holds_sources(&self, life: &Life) -> bool {
        let usual = Limits::default();
        let topology = self.scenario().topology;
        life.limits.unapplied_bytes == 0
            && life.limits.early_output_bytes == usual.early_output_bytes
            && self.world.files.is_none()
            && !topology.has_folders()
    }

    /// How many rows were shown where there is no marker.
    fn shown_unmarked(&self) -> usize {
        let tables = self.world.database.tables();
        tables.get(UNMARKED).map_or(0, |table| table.appended.len())
    }

    /// Runs several processes at once, until each has ended.
    pub(super) fn round(&mut self, lives: Vec<Life>, is_calm: bool) -> Option<String> {
        let base = self.lives.len() as u16;
        let deed = if is_calm { None } else { self.draw_deed(lives.len() == 1) };
        for life in &lives {
            let own = self.scenario().topology.sinks().iter().copied();
            let unmarked = self.scenario().has_unmarked().then_some(UNMARKED);
            let sinks = own.chain(life.extra.then_some(EXTRA)).chain(unmarked).collect();
            self.world.observer.seen().processes.push(SeenProcess {
                tiny_blocks: life.limits.state.block_bytes == 1,
                retained: life.retained,
                holds_sources: self.holds_sources(life),
                state_limits: life.limits.state.clone(),
                records_due: life.records,
                tasks_of_broadcast: (self.scenario().topology == Topology::Broadcast)
                    .then_some(life.parallelism),
                ..SeenProcess::new(life.level, sinks)
            });
        }
        let injector = FaultInjector::new(
            self.random.fork(),
            self.world.observer.clone(),
            base,
            &Round {
                resets: lives.iter().map(|life| life.reset).collect(),
                has_person: deed.is_some(),
                has_folders: self.scenario().topology.has_folders(),
                kept: self.world.kept(),
                theme: self.theme,
                is_first: base == 0,
                puts_back: matches!(deed, Some(Deed::OldStore(..))),
                is_calm,
            },
        );
        let mut baton = Baton::new(injector);
        for (number, life) in (base..).zip(&lives) {
            let (world, life) = (self.world.clone(), life.clone());
            baton.add(format!("process {number}"), move |handle| world.live(handle, number, &life));
        }
        let cuts = matches!(deed, Some(Deed::CutsFile(..)));
        if let Some(Deed::GrowsFiles([.., growth])) = &deed {
            self.growth = growth.clone();
        }
        let grows = matches!(deed, Some(Deed::GrowsFiles(..)));
        if let Some(deed) = deed {
            let world = self.world.clone();
            baton.add("somebody", move |handle| world.interfere(&handle, deed));
        }
        let run = baton.run();
        if let Some(files) = self.world.files.as_ref().filter(|_| cuts || grows) {
            files.put(&self.growth, &self.world.disk);
        }
        self.world.disk.bring_folder();
        folders::take_strangers(&self.world.disk);
        for (process, _) in run.died.iter().enumerate().filter(|(_, died)| **died) {
            let own = || run.trace.iter().filter(move |step| step.process == process);
            if own().next().is_some() {
                self.world.observer.count(coverage::death(coverage::deaths::place(own())));
            }
        }
        let has_changed = |process: usize| {
            let mut own = run.trace.iter().filter(|step| step.process == process);
            own.any(|step| step.call.kind.changes_a_target() && step.fate == Fate::Effect)
        };
        let changed: Vec<bool> = (0..lives.len()).map(has_changed).collect();
        self.trace.extend(run.trace.into_iter().map(|step| TraceLine::Call(base, step)));
        let attempts = self.world.observer.seen().attempts.clone();
        let mut violation = None;
        for ((number, mut life), (ending, died)) in
            (base..).zip(lives).zip(run.endings.into_iter().zip(run.died))
        {
            let end = match ending {
                Ending::Returned(end) if !died => end,
                Ending::Panicked(panic) => {
                    violation = violation.or(Some(format!("process {number} panicked: {panic}")));
                    continue;
                }
                _ => {
                    self.note(format!("process {number} died"));
                    self.world.observer.count("process: died");
                    self.lives.push(life);
                    continue;
                }
            };
            self.note(format!("process {number} {life:?}: {end:?}"));
            life.end = Some(end.clone());
            self.world.observer.seen().processes[usize::from(number)].finished =
                matches!(end, End::Finished | End::Stopped);
            self.lives.push(life);
            let calmly = (is_calm, changed[usize::from(number - base)]);
            violation = violation
                .or_else(|| self.judge(number, &end, &attempts))
                .or_else(|| self.judge_refusal(number, &end, calmly));
        }
        let breach = self.world.disk.breach();
        let seen = &mut *self.world.observer.seen();
        seen.processes.iter_mut().for_each(|own| own.may_find_strangers = false);
        seen.violations.first().cloned().or(violation).or(breach)
    }
}
