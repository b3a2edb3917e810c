//! The life of one simulated process: what it is built of, and how it runs until its end.
//!
//! It knows nothing of the other processes, and does not judge.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use steadfast_checkpoint::leadership::HeldClaim;
use steadfast_checkpoint::retry::{self, Late, RetryPolicy};
use steadfast_checkpoint::store::FileStore;
use steadfast_core::Error;
use steadfast_core::disk::Disk;
use steadfast_core::id::{CheckpointId, Lineage};
use steadfast_core::store::Store;
use steadfast_core::target::{Marker, RejectedRows};
use steadfast_core::time::Clock;
use steadfast_protocol::manifest::Splits;
use steadfast_protocol::names::LogLayout;
use steadfast_runtime::attempt::{self, Assembled, Environment};
use steadfast_runtime::executor::{Simulated, SimulatedStep};
use steadfast_runtime::job::{JobOptions, Process};

use crate::baton::{Call, CallFailure, CallKind, Handle};
use crate::clock::SimulatedClock;
use crate::database::Database;
use crate::disk::DurableDisk;
use crate::fault_injector::Mutation;
use crate::input::{EXTRA, EXTRA_STATE, Input};
use crate::input_files::InputFiles;
use crate::invariants::kept::Kept;
use crate::invariants::{resumed, targets};
use crate::observer::Observer;
use crate::store::{CalledStore, UnfencedStore};
use crate::topologies::{self, Bells};

use super::life::{End, Life};
use super::scenario::Scenario;
use super::waiting::{Copying, Waiting};

/// No process takes so many steps, even where each record waits for a checkpoint of its own; one that does
/// hangs.
const MOST_STEPS: u64 = 1_000_000;
/// Where the store lies on the disk.
pub(super) const STORE: &str = "/store";

/// The end of a process that ran, and then failed.
fn failed(claim: &HeldClaim, error: Error) -> End {
    let error = claim.explain(error);
    End::Failed(error.kind(), error.to_string())
}

/// What processes share.
#[derive(Clone)]
pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) input: Arc<Input>,
    pub(super) clock: Arc<SimulatedClock>,
    pub(super) disk: DurableDisk,
    pub(super) database: Database,
    pub(super) observer: Observer,
    pub(super) log_block: u64,
    /// The files that the first source reads, if it reads files.
    pub(super) files: Option<Arc<InputFiles>>,
}

impl World {
    /// The life of one process, from its start to its end.
    pub(super) fn live(&self, handle: Handle, number: u16, life: &Life) -> End {
        self.observer.count(format!("process: started, {:?}", life.level));
        let bells = life.sleepy.then(Bells::default);
        let files = self.files.as_ref().map(|files| match life.left_out {
            Some(left_out) => Arc::new(files.without(left_out)),
            None => Arc::clone(files),
        });
        let around = topologies::Environment {
            bells: bells.clone(),
            database: self.database.clone(),
            disk: self.mount(&handle),
            handle: handle.clone(),
            process: number,
            observer: self.observer.clone(),
            mutation: self.scenario.mutation,
            files,
            extra: life.extra,
            unmarked: self.scenario.has_unmarked(),
            otherwise: life.otherwise,
        };
        let job = topologies::build(self.scenario.topology, &self.input, &around);
        let store = self.store(&handle, number, life.nonce);
        let (log, clock) = (LogLayout { block: self.log_block }, self.clock.clone());
        let retry = self.retry(&handle, life.nonce);
        let environment = Environment { store, retry, log, clock };
        let options = self.options(number, life);
        let assembled = job.with_plan(|plan| attempt::assemble(plan, &options, environment));
        match assembled {
            Ok(assembled) => {
                resumed::goes_on(
                    &self.kept(),
                    &self.observer,
                    number,
                    assembled.status.resumed_from,
                );
                self.note_halves(assembled.status.resumed_from);
                self.began(number, life, assembled.status.resumed_from.map(|id| id.0));
                if assembled.status.skipped.is_empty() {
                    self.went_on(number, assembled.status.resumed_from.map(|id| id.0));
                }
                if let Some((id, why)) = assembled.status.skipped.first() {
                    self.observer.count("fallback to an older checkpoint");
                    let seen = &mut *self.observer.seen();
                    if !seen.damaged && seen.attempts.last() == Some(&number) {
                        let what = format!("process {number} leaves {id} out unharmed: {why}");
                        seen.violations.push(what);
                    }
                }
                if assembled.status.skipped.len() > 1 {
                    self.observer.count("fallback over several checkpoints");
                }
                // Whoever runs a job sweeps; what it cannot remove is in nobody's way.
                let own = FileStore::on_disk(self.mount(&handle), STORE, format!("p{number}"));
                let _ = own.sweep();
                let status = Arc::clone(&assembled.status);
                let end = self.drive(&handle, life, bells.as_ref(), assembled);
                if let End::Finished = end {
                    let own = self.observer.seen().processes[usize::from(number)].rejected;
                    let told = status.checkpoints().rejected_rows;
                    if told != own {
                        let what =
                            format!("process {number} tells of {told} rows set aside, not {own}");
                        self.observer.violation(what);
                    }
                }
                if topologies::copies_on_write() > 0 {
                    self.observer.count("state: a page copied on write");
                }
                end
            }
            Err(error) => End::Failed(error.kind(), error.to_string()),
        }
    }

    fn mount(&self, handle: &Handle) -> Arc<dyn Disk> {
        Arc::new(match self.scenario.mutation {
            Some(Mutation::SyncSkipped) => self.disk.mount_unsynced(handle.clone()),
            _ => self.disk.mount(handle.clone()),
        })
    }

    fn store(&self, handle: &Handle, number: u16, nonce: u64) -> Arc<dyn Store> {
        let mutation = self.scenario.mutation;
        let store = CalledStore {
            store: FileStore::on_disk(self.mount(handle), STORE, format!("p{number}")),
            handle: handle.clone(),
            process: number,
            nonce,
            observer: self.observer.clone(),
            database: self.database.clone(),
            kept: self.kept(),
        };
        match mutation {
            Some(Mutation::FencingSkipped) => Arc::new(UnfencedStore(Arc::new(store))),
            _ => Arc::new(store),
        }
    }

    /// What lies in the store.
    pub(super) fn kept(&self) -> Kept {
        Kept { disk: self.disk.clone(), root: STORE, layout: LogLayout { block: self.log_block } }
    }

    /// Patience that ends soon, in simulated time.
    fn retry(&self, handle: &Handle, nonce: u64) -> RetryPolicy {
        let waiting = Impatient { clock: Arc::clone(&self.clock), handle: handle.clone() };
        let (first_pause, longest_pause) = (Duration::from_micros(10), Duration::from_micros(100));
        RetryPolicy { first_pause, longest_pause, seed: nonce, waiting: Arc::new(waiting) }
    }

    fn options(&self, number: u16, life: &Life) -> JobOptions {
        let holder = format!("p{number}");
        let process = Process { holder, nonce: life.nonce, lineage: Lineage(life.nonce) };
        let mut options = JobOptions {
            parallelism: life.parallelism,
            key_groups: 8,
            consistency: life.level,
            rejected_rows: RejectedRows::SetAside,
            checkpoint_interval: life.interval,
            checkpoint_records: life.records,
            retained_checkpoints: life.retained,
            batch_records: life.batch,
            limits: life.limits.clone(),
            reset: life.reset,
            adopt: life.adopt,
            ..JobOptions::new("simulated", process)
        };
        let names = |sink: bool, operator: bool| -> BTreeSet<String> {
            let sink = sink.then(|| EXTRA.to_string());
            sink.into_iter().chain(operator.then(|| EXTRA_STATE.to_string())).collect()
        };
        if life.extra {
            options.differences.new = names(life.new, life.new_state);
        } else {
            options.differences.forget = names(life.forget, life.forget_state);
        }
        options
    }

    fn drive(
        &self,
        handle: &Handle,
        life: &Life,
        bells: Option<&Bells>,
        assembled: Assembled,
    ) -> End {
        let Some(task_set) = assembled.task_set else { return End::Nothing };
        let mut random = fastrand::Rng::with_seed(life.nonce);
        let mut machines = Simulated::new(task_set, random.fork());
        let mut stopped = false;
        let watchdog = &assembled.status.watchdog;
        let mut waiting = Waiting::new(&life.limits, &self.observer);
        let (mut copying, handle_number) = (Copying::default(), handle.process());
        for step in 0..MOST_STEPS {
            if life.stops_at == Some(step) {
                stopped = true;
                assembled.handle.stop(None);
            }
            if life.requests > 0 && random.u32(..life.requests) == 0 {
                assembled.handle.checkpoint();
            }
            self.clock.advance(Duration::from_micros(random.u64(..10)));
            // What sources wait for comes now and then, and at the latest when nobody has anything to do.
            if let Some(bells) = bells.filter(|_| random.u8(..20) == 0) {
                bells.ring(&mut random);
            }
            match machines.step(self.clock.now()) {
                Ok(SimulatedStep::Stepped { machine, progress }) => {
                    if life.limits.copied_bytes == 0
                        && let Some(wrong) = copying.stepped(&machine)
                    {
                        self.observer.violation(format!("process {handle_number}: {wrong}"));
                    }
                    waiting.stepped(machine, &progress);
                }
                Ok(SimulatedStep::AllIdle(None))
                    if bells.is_some_and(|bells| bells.ring(&mut random)) => {}
                // A checkpoint that comes by itself would wake whom somebody forgot to wake.
                Ok(SimulatedStep::AllIdle(Some(at))) => {
                    let now = self.clock.now();
                    // Times of the clock are whole milliseconds: a source may sleep one too long.
                    let is_due = at <= now.monotonic + Duration::from_millis(1);
                    if let Some(bells) = bells.filter(|_| is_due) {
                        bells.ring(&mut random);
                    } else if let Err(error) = machines.look_at_sleepers(watchdog, now) {
                        return failed(&assembled.claim, error);
                    }
                    if let Some(machine) = watchdog.last() {
                        return End::Hangs(format!("{machine} had work, and nobody woke it"));
                    }
                    let call = Call::new(CallKind::Clock, "");
                    let slept = handle.call(call, || self.clock.advance_to(at));
                    if slept == Err(CallFailure::Dead) {
                        return End::Hangs("it is dead".to_string());
                    }
                }
                Ok(SimulatedStep::AllIdle(None)) => {
                    return End::Hangs("everybody waits for everybody".to_string());
                }
                Ok(SimulatedStep::Finished) if stopped => return End::Stopped,
                Ok(SimulatedStep::Finished) => return End::Finished,
                Err(error) => return failed(&assembled.claim, error),
            }
        }
        End::Hangs("it never ends".to_string())
    }

    /// A process that says nothing of checkpoints that it has left out goes on from the newest.
    fn went_on(&self, number: u16, resumed: Option<u64>) {
        let seen = &mut *self.observer.seen();
        let own = seen.claim_of(number).map_or(0, |claim| claim.rank);
        let newest = seen.newest.as_ref().filter(|newest| newest.origin.0 >= seen.newest_origin());
        // Others may have taken over since.
        let newest = newest.filter(|newest| newest.claim.generation.0 < own);
        let Some(newest) = newest.map(|newest| newest.checkpoint.0) else { return };
        // What was at the end of the log and is gone, nobody can miss.
        if seen.restorations == 0 && !seen.log_removed && resumed.unwrap_or(0) < newest {
            seen.violations.push(format!(
                "process {number} goes on from {resumed:?} without a word, and {newest} was committed"
            ));
        }
    }

    /// A process goes on from a checkpoint, of which it may not be known what it has read half: whoever has
    /// committed it may have died at once.
    fn note_halves(&self, from: Option<CheckpointId>) {
        let seen = &mut *self.observer.seen();
        let (Some(files), Some(from)) = (&self.files, from) else { return };
        let Some(manifest) = self.kept().manifest(seen, from).cloned() else { return };
        let none = Splits::new();
        let positions = manifest.sources.get("first").unwrap_or(&none);
        seen.read_half.entry(manifest.origin.0).or_default().extend(files.read_half(positions));
    }

    /// A process has taken the job over.
    fn began(&self, number: u16, life: &Life, resumed: Option<u64>) {
        let tables = self.database.tables();
        let seen = &mut *self.observer.seen();
        let markers = tables.iter().filter_map(|(name, table)| Some((name, table.marker?)));
        let ahead = |(name, marker): (&Arc<str>, Marker)| {
            targets::settled(seen, name, &marker, resumed.unwrap_or(0), number)
        };
        let ahead: Vec<String> = markers.filter_map(ahead).collect();
        seen.violations.extend(ahead);
        let Some(by) = resumed.and_then(|id| seen.commits.get(&id).copied()) else { return };
        let before = &seen.processes[usize::from(by)];
        let (had, had_level) = (before.sinks.contains(EXTRA), before.level);
        if had && !life.extra {
            seen.count("sink removed");
            if !life.forget || !life.forget_state {
                seen.violations.push(format!("process {number} forgets a sink unasked"));
            }
        } else if !had && life.extra {
            seen.count("sink added");
            if !life.new || !life.new_state {
                seen.violations.push(format!("process {number} begins a sink in mid-life unasked"));
            }
        }
        if had_level != life.level {
            seen.count(format!("level change: {had_level:?} to {:?}", life.level));
        }
        seen.count("resumed from a checkpoint");
    }
}

/// Asks four times.
struct Impatient {
    clock: Arc<SimulatedClock>,
    handle: Handle,
}

pub(super) const MOST_ATTEMPTS: u32 = 4;

impl retry::Waiting for Impatient {
    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    fn wait(&self, late: &Late<'_>) -> bool {
        let goes_on = || self.clock.advance(late.pause);
        late.attempts < MOST_ATTEMPTS
            && self.handle.call(Call::new(CallKind::Clock, ""), goes_on).is_ok()
    }
}
