//! A history of a job: rounds of several processes each, what befalls disk and database between them,
//! and a last process that nobody disturbs.
//!
//! How a process lives, and whether it may end as it did, is not known here.

use std::sync::Arc;

use crate::baton::{Baton, Ending};
use crate::coverage;
use crate::fault_injector::FaultInjector;
use crate::input::{EXTRA, Topology, UNMARKED};
use crate::input_files::Growth;
use crate::observer::SeenProcess;
use crate::oracle::Oracle;
use crate::table::Table;

use super::damage::Damage;
use super::life::{Character, End, Life};
use super::process::World;
use super::scenario::{Scenario, TraceLine};

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
}

impl Run {
    pub(super) fn note(&mut self, note: String) {
        self.trace.push(TraceLine::Note(note));
    }

    pub(super) fn run(&mut self) -> Option<String> {
        if self.character.foreign && self.scenario().topology != Topology::Folders {
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
            if let Some(violation) = self.look_into_folders() {
                return Some(violation);
            }
        }
        self.finish()
    }

    pub(super) fn scenario(&self) -> Scenario {
        self.world.scenario
    }

    fn draw_life(&mut self) -> Life {
        let level = self.scenario().consistency;
        let can_have_extra = self.character.sinks_change;
        Life::draw(&mut self.random, &self.character, level, can_have_extra)
    }

    /// Input comes; in the end all of it.
    fn grow(&mut self, is_all: bool) {
        let Some(files) = &self.world.files else { return };
        match is_all {
            true => files.complete(&mut self.growth),
            false => files.grow(&mut self.growth, &mut self.random),
        }
        files.put(&self.growth, &self.world.disk);
    }

    /// What befalls disk and database while nobody is alive.
    fn between_rounds(&mut self) {
        if self.random.u8(..3) == 0 {
            self.note("power fails".to_string());
            self.world.observer.count("power loss");
            self.world.observer.seen().power_losses += 1;
            self.world.disk.lose_power(&mut self.random);
        }
        if self.character.damage && self.random.bool() {
            let random = &mut self.random;
            if let Some(what) = self.damage.strike(
                random,
                &self.world.disk,
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
        let mut life = self.draw_life();
        (life.reset, life.adopt) = (false, self.character.foreign);
        (life.new, life.forget, life.new_state, life.forget_state) = (true, true, true, true);
        life.stops_at = None;
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

    /// How many rows were shown where there is no marker.
    fn shown_unmarked(&self) -> usize {
        let tables = self.world.database.tables();
        tables.get(UNMARKED).map_or(0, |table| table.appended.len())
    }

    /// Runs several processes at once, until each has ended.
    fn round(&mut self, lives: Vec<Life>, is_calm: bool) -> Option<String> {
        let base = self.lives.len() as u16;
        let is_put_back = !is_calm
            && self.character.damage
            && !self.character.foreign
            && self.random.u8(..6) == 0;
        let put_back = is_put_back.then(|| {
            let old = self.random.u8(..3) == 0;
            let old_store = old.then(|| self.damage.old_store(&mut self.random)).flatten();
            (old_store, self.random.u32(..20))
        });
        for life in &lives {
            let own = self.scenario().topology.sinks().iter().copied();
            let unmarked = self.scenario().has_unmarked().then_some(UNMARKED);
            let sinks = own.chain(life.extra.then_some(EXTRA)).chain(unmarked).collect();
            self.world.observer.seen().processes.push(SeenProcess {
                tiny_blocks: life.limits.state.block_bytes == 1,
                retained: life.retained,
                ..SeenProcess::new(life.level, sinks)
            });
        }
        let injector = FaultInjector::new(
            self.random.fork(),
            self.world.observer.clone(),
            base,
            (lives.len(), put_back.is_some()),
            is_calm,
        );
        let mut baton = Baton::new(injector);
        for (number, life) in (base..).zip(&lives) {
            let (world, life) = (self.world.clone(), life.clone());
            baton.add(format!("process {number}"), move |handle| world.live(handle, number, &life));
        }
        if let Some((old_store, later)) = put_back {
            let world = self.world.clone();
            baton.add("somebody", move |handle| world.put_back(&handle, old_store, later));
        }
        let run = baton.run();
        for (process, _) in run.died.iter().enumerate().filter(|(_, died)| **died) {
            let own = || run.trace.iter().filter(move |step| step.process == process);
            if own().next().is_some() {
                self.world.observer.count(coverage::death(coverage::deaths::place(own())));
            }
        }
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
            violation = violation.or_else(|| self.judge(number, &end, &attempts));
        }
        let seen = self.world.observer.seen();
        seen.violations.first().cloned().or(violation)
    }
}
