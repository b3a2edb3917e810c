//! One simulated history of a job: rounds of several processes each, what befalls the disk between
//! them, a last process that nobody disturbs, and the check at the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use steadfast::Consistency;
use steadfast_checkpoint::store::{FileStore, RetryPolicy, RetryingStore};
use steadfast_core::ErrorKind;
use steadfast_core::disk::Disk;
use steadfast_core::fault::Faults;
use steadfast_core::id::Lineage;
use steadfast_core::store::Store;
use steadfast_core::time::Clock;
use steadfast_protocol::entry::LogEntry;
use steadfast_protocol::manifest::Manifest;
use steadfast_protocol::names::LogLayout;
use steadfast_runtime::attempt::{self, Environment};
use steadfast_runtime::executor::{Simulated, SimulatedStep};
use steadfast_runtime::job::{JobOptions, Process};

use crate::baton::{Baton, Call, CallKind, Ending, Handle, Step};
use crate::clock::SimulatedClock;
use crate::database::Database;
use crate::disk::DurableDisk;
use crate::fault_injector::{FaultInjector, Mutation};
use crate::input::{EXTRA, Input, Topology};
use crate::invariants;
use crate::observer::{Counts, Observer, SeenProcess};
use crate::oracle::Oracle;
use crate::shown::Shown;
use crate::store::{CalledStore, UnfencedStore};
use crate::table::Table;
use crate::topologies;

mod damage;
mod life;

use damage::Damage;
use life::{Character, Life};

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Decides everything else.
    pub seed: u64,
    /// The shape of the job.
    pub topology: Topology,
    /// What the job promises to begin with.
    pub consistency: Consistency,
    /// A deliberate fault.
    pub mutation: Option<Mutation>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What is wrong, if anything.
    pub violation: Option<String>,
    /// Every call that was made, and how each process ended.
    pub trace: Vec<TraceLine>,
    /// How often what took place.
    pub counts: Counts,
}

/// A line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceLine {
    /// A call; the first number is that of the round's first process.
    Call(u16, Step),
    /// Anything else.
    Note(String),
}

impl std::fmt::Display for TraceLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TraceLine::Call(base, Step { process, call, fate }) => {
                write!(f, "  {} {call}: {fate:?}", usize::from(*base) + process)
            }
            TraceLine::Note(note) => f.write_str(note),
        }
    }
}

/// No process takes so many steps; one that does hangs.
const MOST_STEPS: u64 = 300_000;
/// Where the store lies on the disk.
const STORE: &str = "/store";

/// How a process ended.
#[derive(Clone, Debug)]
enum End {
    Finished,
    /// Stopped cleanly after a last checkpoint.
    Stopped,
    /// There was nothing left to do.
    Nothing,
    Failed(ErrorKind, String),
    Hangs(&'static str),
}

/// What processes share.
#[derive(Clone)]
struct World {
    scenario: Scenario,
    input: Arc<Input>,
    clock: Arc<SimulatedClock>,
    disk: DurableDisk,
    database: Database,
    observer: Observer,
    log_block: u64,
}

struct Run {
    world: World,
    oracle: Arc<Oracle>,
    random: fastrand::Rng,
    character: Character,
    damage: Damage,
    trace: Vec<TraceLine>,
    lives: Vec<Life>,
}

/// Simulates one history of a job.
pub fn simulate(scenario: Scenario) -> Outcome {
    let mut random = fastrand::Rng::with_seed(scenario.seed);
    let input = Arc::new(Input::draw(&mut random));
    let oracle = Arc::new(Oracle::new(scenario.topology, &input));
    let observer = Observer::default();
    let unread = |source: usize| vec![Vec::new(); input.sources[source].len()];
    observer.seen().readers = [unread(0), unread(1)];
    let database = Database::new(Arc::clone(&oracle), observer.clone());
    let character = Character::draw(&mut random);
    let world = World {
        scenario,
        input,
        clock: Arc::default(),
        disk: DurableDisk::default(),
        database,
        observer,
        log_block: [2, 3, 5, 256][random.usize(..4)],
    };
    let (trace, lives, damage) = (Vec::new(), Vec::new(), Damage::default());
    let mut run = Run { world, oracle, random, character, damage, trace, lives };
    let violation = run.run();
    if let Some(violation) = &violation {
        run.note(format!("VIOLATION {violation}"));
    }
    let counts = std::mem::take(&mut run.world.observer.seen().counts);
    Outcome { violation, trace: run.trace, counts }
}

impl Run {
    fn note(&mut self, note: String) {
        self.trace.push(TraceLine::Note(note));
    }

    fn run(&mut self) -> Option<String> {
        if self.character.foreign {
            for sink in self.scenario().topology.sinks() {
                self.world.database.tables().insert((*sink).into(), Table::default());
            }
        }
        for _ in 0..self.random.usize(1..=3) {
            let count = self.random.usize(1..=4);
            let lives: Vec<Life> = (0..count).map(|_| self.draw_life()).collect();
            if let Some(violation) = self.round(lives, false) {
                return Some(violation);
            }
            self.between_rounds();
        }
        self.finish()
    }

    fn scenario(&self) -> Scenario {
        self.world.scenario
    }

    fn draw_life(&mut self) -> Life {
        let level = self.scenario().consistency;
        let can_have_extra = self.character.sinks_change;
        Life::draw(&mut self.random, &self.character, level, can_have_extra)
    }

    /// What befalls disk and database while nobody is alive.
    fn between_rounds(&mut self) {
        if self.random.u8(..3) == 0 {
            self.note("power fails".to_string());
            self.world.observer.count("power loss");
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
        (life.reset, life.adopt, life.new, life.forget) =
            (false, self.character.foreign, true, true);
        life.stops_at = None;
        let mut again = Life { ..life.clone() };
        if let Some(violation) = self.round(vec![life.clone()], true) {
            return Some(violation);
        }
        let mut refused = self.last_refusal();
        if refused.is_some() && self.damage.can_be_reset() && !self.character.foreign {
            self.note("starting from scratch".to_string());
            (life.reset, life.adopt) = (true, true);
            if let Some(violation) = self.round(vec![life.clone()], true) {
                return Some(violation);
            }
            refused = self.last_refusal();
            if let Some(refusal) = &refused {
                return Some(format!("a reset does not help: {refusal}"));
            }
            self.world.observer.count("end: right after a reset");
        }
        if let Some(refusal) = refused {
            self.world.observer.count("end: refused");
            return (!self.is_damaged()).then(|| format!("the last process is refused: {refusal}"));
        }
        (again.reset, again.adopt) = (false, self.character.foreign);
        if let Some(violation) = self.round(vec![again], true) {
            return Some(violation);
        }
        if let Some(refusal) = self.last_refusal() {
            self.world.observer.count("end: refused");
            return (!self.is_damaged()).then(|| format!("a finished job is refused: {refusal}"));
        }
        self.world.observer.count("end: right");
        self.look()
    }

    /// What lies in the store: a process may have committed it and died before that was noted.
    fn newest_manifest(&self) -> Option<Box<Manifest>> {
        let names = self.world.disk.names("/store/log/");
        let entries = names.iter().rev().filter_map(|name| {
            match LogEntry::decode(&self.world.disk.read(name)?) {
                Ok(LogEntry::Checkpoint(manifest)) => Some(manifest),
                _ => None,
            }
        });
        entries.take(1).next()
    }

    fn is_damaged(&self) -> bool {
        self.world.observer.seen().damaged
    }

    fn last_refusal(&self) -> Option<String> {
        match self.lives.last()?.end.as_ref()? {
            End::Failed(_, text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Holds what readers see at the end against the oracle.
    fn look(&self) -> Option<String> {
        let tables = self.world.database.tables();
        let seen = self.world.observer.seen();
        let forgets = self.lives.iter().enumerate().filter(|(_, life)| !life.extra);
        let forgotten = forgets.filter_map(|(number, _)| seen.claim_of(number as u16));
        let forgotten = forgotten.map(|claim| claim.rank).max().unwrap_or(0);
        let sinks = self.scenario().topology.sinks().iter().copied().chain([EXTRA]);
        let wrong = sinks.filter_map(|name| {
            let empty = Table::default();
            let table = tables.get(name).unwrap_or(&empty);
            let table = &Shown::of(&self.oracle, name, table);
            let forgotten = if name == EXTRA { forgotten } else { 0 };
            invariants::at_end(&self.oracle, &seen, name, table, forgotten)
        });
        let counters = || {
            let manifest = self.newest_manifest()?;
            let wrong = self.oracle.totals.iter().find(|(source, total)| {
                let counted = manifest.counters.get(**source).and_then(|c| c.get("records"));
                counted.copied().unwrap_or(0) != **total
            });
            wrong.map(|(source, total)| {
                format!(
                    "{source}: {total} records, but the manifest counts {:?}",
                    manifest.counters
                )
            })
        };
        wrong.chain(std::iter::from_fn(counters)).next()
    }

    /// Runs several processes at once, until each has ended.
    fn round(&mut self, lives: Vec<Life>, is_calm: bool) -> Option<String> {
        let base = self.lives.len() as u16;
        for life in &lives {
            let own = self.scenario().topology.sinks().iter().copied();
            let sinks = own.chain(life.extra.then_some(EXTRA)).collect();
            self.world.observer.seen().processes.push(SeenProcess {
                level: life.level,
                claim: None,
                sinks,
                disturbed: false,
            });
        }
        let injector = FaultInjector::new(
            self.random.fork(),
            self.world.observer.clone(),
            base,
            lives.len(),
            is_calm,
        );
        let mut baton = Baton::new(injector);
        for (number, life) in (base..).zip(&lives) {
            let (world, life) = (self.world.clone(), life.clone());
            baton.add(format!("process {number}"), move |handle| world.live(handle, number, &life));
        }
        let run = baton.run();
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
            self.lives.push(life);
            violation = violation.or_else(|| self.judge(number, &end, &attempts));
        }
        let seen = self.world.observer.seen();
        seen.violations.first().cloned().or(violation)
    }

    /// Whether a process may end like this.
    fn judge(&self, number: u16, end: &End, attempts: &[u16]) -> Option<String> {
        let (kind, text) = match end {
            End::Finished | End::Stopped | End::Nothing => {
                self.world.observer.count("process: finished, stopped or had nothing to do");
                return None;
            }
            End::Hangs(how) => return Some(format!("process {number} hangs: {how}")),
            End::Failed(kind, text) => (*kind, text),
        };
        let life = &self.lives[usize::from(number)];
        let seen = &mut *self.world.observer.seen();
        seen.count(format!("process: ended with {}", kind.code()));
        let first = attempts.iter().position(|by| *by == number);
        let others = |from: usize| attempts[from..].iter().any(|by| *by != number);
        let was_overtaken = first.is_some_and(others);
        let allowed = match kind {
            ErrorKind::Unavailable => seen.processes[usize::from(number)].disturbed,
            ErrorKind::Fenced => was_overtaken || seen.damaged,
            ErrorKind::Configuration => {
                let flags = life.new && life.forget;
                seen.damaged
                    || self.character.sinks_change && !flags
                    || self.character.foreign && (!life.adopt || life.reset)
            }
            ErrorKind::Damaged if seen.damaged => true,
            ErrorKind::Damaged if was_overtaken => {
                seen.count("fenced, but ended with SF06");
                true
            }
            _ => false,
        };
        (!allowed).then(|| format!("process {number} is refused: {text}"))
    }
}

impl World {
    /// The life of one process, from its start to its end.
    fn live(&self, handle: Handle, number: u16, life: &Life) -> End {
        self.observer.count(format!("process: started, {:?}", life.level));
        let mutation = self.scenario.mutation;
        let disk: Arc<dyn Disk> = Arc::new(match mutation {
            Some(Mutation::SyncSkipped) => self.disk.mount_unsynced(handle.clone()),
            _ => self.disk.mount(handle.clone()),
        });
        let files = FileStore::on_disk(disk, STORE, format!("p{number}"));
        let store = CalledStore {
            store: files,
            handle: handle.clone(),
            process: number,
            nonce: life.nonce,
            observer: self.observer.clone(),
        };
        let clock = Arc::clone(&self.clock);
        let waits = handle.clone();
        let wait = move |pause| {
            let _ = waits.call(Call::new(CallKind::Clock, ""), || clock.advance(pause));
        };
        let pause = Duration::from_micros(10);
        let retry_policy = RetryPolicy { attempts: 4, pause, wait: Arc::new(wait) };
        let mut store: Arc<dyn Store> = Arc::new(RetryingStore::new(store, retry_policy));
        if mutation == Some(Mutation::FencingSkipped) {
            store = Arc::new(UnfencedStore(store));
        }
        let around = topologies::Environment {
            database: self.database.clone(),
            handle: handle.clone(),
            process: number,
            observer: self.observer.clone(),
            mutation,
            extra: life.extra,
        };
        let job = topologies::build(self.scenario.topology, &self.input, &around);
        let holder = format!("p{number}");
        let process = Process { holder, nonce: life.nonce, lineage: Lineage(life.nonce) };
        let mut options = JobOptions {
            parallelism: life.parallelism,
            key_groups: 8,
            consistency: life.level,
            checkpoint_interval: life.interval,
            checkpoint_records: life.records,
            retained_checkpoints: life.retained,
            batch_records: life.batch,
            reset: life.reset,
            adopt: life.adopt,
            faults: match mutation {
                Some(Mutation::Engine(fault)) => Faults::with(fault),
                _ => Faults::NONE,
            },
            ..JobOptions::new("simulated", process)
        };
        let extra = BTreeSet::from([EXTRA.to_string()]);
        if life.extra && life.new {
            options.differences.new = extra;
        } else if !life.extra && life.forget {
            options.differences.forget = extra;
        }
        let clock: Arc<dyn Clock> = self.clock.clone();
        let environment =
            Environment { store, log: LogLayout { block: self.log_block }, clock, wakers: None };
        let assembled = job.with_plan(|plan| attempt::assemble(plan, &options, environment));
        let assembled = match assembled {
            Ok(assembled) => assembled,
            Err(error) => return End::Failed(error.kind(), error.to_string()),
        };
        self.began(number, life, assembled.status.resumed_from.map(|id| id.0));
        if !assembled.status.skipped.is_empty() {
            self.observer.count("fallback to an older checkpoint");
        }
        let Some(task_set) = assembled.task_set else { return End::Nothing };
        let mut random = fastrand::Rng::with_seed(life.nonce);
        let mut machines = Simulated::new(task_set, random.fork());
        let mut stopped = false;
        for step in 0..MOST_STEPS {
            if life.stops_at == Some(step) {
                stopped = true;
                assembled.handle.stop();
            }
            self.clock.advance(Duration::from_micros(random.u64(..10)));
            match machines.step(self.clock.now()) {
                Ok(SimulatedStep::Stepped { .. }) => {}
                Ok(SimulatedStep::AllIdle(Some(at))) => {
                    let call = Call::new(CallKind::Clock, "");
                    if let Err(crate::baton::CallFailure::Dead) =
                        handle.call(call, || self.clock.advance_to(at))
                    {
                        return End::Hangs("it is dead");
                    }
                }
                Ok(SimulatedStep::AllIdle(None)) => {
                    return End::Hangs("everybody waits for everybody");
                }
                Ok(SimulatedStep::Finished) if stopped => return End::Stopped,
                Ok(SimulatedStep::Finished) => return End::Finished,
                Err(error) => {
                    let error = assembled.claim.explain(error);
                    return End::Failed(error.kind(), error.to_string());
                }
            }
        }
        End::Hangs("it never ends")
    }

    /// A process has taken the job over.
    fn began(&self, number: u16, life: &Life, resumed: Option<u64>) {
        let seen = &mut *self.observer.seen();
        let Some(by) = resumed.and_then(|id| seen.commits.get(&id).copied()) else { return };
        let before = &seen.processes[usize::from(by)];
        let (had, had_level) = (before.sinks.contains(EXTRA), before.level);
        if had && !life.extra {
            seen.count("sink removed");
            if !life.forget {
                seen.violations.push(format!("process {number} forgets a sink unasked"));
            }
        } else if !had && life.extra {
            seen.count("sink added");
            if !life.new {
                seen.violations.push(format!("process {number} begins a sink in mid-life unasked"));
            }
        }
        if had_level != life.level {
            seen.count(format!("level change: {had_level:?} to {:?}", life.level));
        }
        seen.count("resumed from a checkpoint");
    }
}
