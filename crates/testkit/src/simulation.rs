//! One simulated life of a job: attempts that die, zombies that live on, and the check at the end.

use std::sync::Arc;
use std::time::Duration;

use steadfast::Consistency;
use steadfast_checkpoint::store::{FileStore, RetryPolicy, RetryingStore};
use steadfast_core::ErrorKind;
use steadfast_core::fault::Faults;
use steadfast_core::store::Store;
use steadfast_core::time::Clock;
use steadfast_runtime::executor::{Simulated, SimulatedStep};
use steadfast_runtime::job::{self, JobHandle, JobOptions};

use crate::clock::SimulatedClock;
use crate::database::Database;
use crate::disk::DurableDisk;
use crate::fault_injector::FaultInjector;
use crate::invariants;
use crate::oracle;
use crate::topologies::{self, Environment, Input, Topology};

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Decides everything else.
    pub seed: u64,
    /// The shape of the job.
    pub topology: Topology,
    /// What the job promises.
    pub consistency: Consistency,
    /// A deliberate fault.
    pub faults: Faults,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What is wrong, if anything.
    pub violation: Option<String>,
    /// Every step that was taken.
    pub trace: Vec<String>,
    /// How many processes died or stopped before the one that finished.
    pub deaths: u32,
}

/// After so many attempts the fault_injector turns fair, so that the job can finish.
const FAULTY_ATTEMPTS: u32 = 6;
/// No attempt takes so many steps; one that does hangs.
const MOST_STEPS: u64 = 200_000;

/// A process that runs the job.
struct Process {
    machines: Simulated,
    fault_injector: FaultInjector,
    handle: JobHandle,
}

/// How an attempt ended.
enum End {
    Finished,
    /// Stopped cleanly after a last checkpoint.
    Stopped,
    Died,
    Violated(String),
}

struct Run {
    scenario: Scenario,
    random: fastrand::Rng,
    clock: Arc<SimulatedClock>,
    durable_disk: DurableDisk,
    database: Database,
    input: Input,
    trace: Vec<String>,
    zombies: Vec<Process>,
    attempts: u32,
}

/// Simulates one life of a job.
pub fn simulate(scenario: Scenario) -> Outcome {
    let mut random = fastrand::Rng::with_seed(scenario.seed);
    let input = Input::draw(&mut random);
    let mut life = Run {
        scenario,
        random,
        clock: Arc::default(),
        durable_disk: DurableDisk::default(),
        database: Database::default(),
        input,
        trace: Vec::new(),
        zombies: Vec::new(),
        attempts: 0,
    };
    let violation = life.run();
    Outcome { violation, trace: life.trace, deaths: life.attempts.saturating_sub(1) }
}

impl Run {
    fn run(&mut self) -> Option<String> {
        loop {
            self.attempts += 1;
            match self.attempt() {
                End::Finished => break,
                End::Violated(violation) => return Some(violation),
                End::Stopped | End::Died => {}
            }
            if let Some(violation) = self.look(false) {
                return Some(violation);
            }
            if self.attempts > 4 * FAULTY_ATTEMPTS {
                return Some("the job does not finish in fair fault_injector".to_string());
            }
        }
        // A finished job is started once more, in fair fault_injector: it must find nothing to do.
        self.zombies.clear();
        let deaths = std::mem::replace(&mut self.attempts, FAULTY_ATTEMPTS + 1);
        let again = self.start();
        self.attempts = deaths;
        match again {
            Ok(None) => {}
            Ok(Some(_)) => return Some("a finished job has something to do".to_string()),
            Err(violation) => return Some(violation),
        }
        self.look(true)
    }

    fn is_faulty(&self) -> bool {
        self.attempts <= FAULTY_ATTEMPTS
    }

    /// Holds what readers see against the oracle.
    fn look(&self, at_end: bool) -> Option<String> {
        let Scenario { topology, consistency, .. } = self.scenario;
        oracle::expected(topology, &self.input).iter().find_map(|(name, expected)| {
            let seen = self.database.table(name);
            match (consistency, at_end) {
                (Consistency::ExactlyOnce, true) => invariants::exactly_once(name, expected, &seen),
                (Consistency::ExactlyOnce, false) => {
                    invariants::never_too_much(name, expected, &seen)
                }
                (Consistency::AtLeastOnce, true) => {
                    invariants::at_least_once(name, expected, &seen)
                }
                (Consistency::AtLeastOnce, false) => None,
                (Consistency::AtMostOnce, _) => invariants::at_most_once(name, expected, &seen),
            }
        })
    }

    /// Starts a process. None if there is nothing to do.
    fn start(&mut self) -> Result<Option<Process>, String> {
        let failures = if self.is_faulty() { [0, 0, 300, 60][self.random.usize(..4)] } else { 0 };
        let death = (self.is_faulty() && self.random.bool()).then(|| self.random.u64(..250));
        let fault_injector = FaultInjector::new(self.random.fork(), failures, death);
        let disk = Arc::new(self.durable_disk.mount(fault_injector.clone()));
        let writer = format!("p{}", self.attempts);
        let files = FileStore::on_disk(disk, "/store", writer.clone());
        let retry_policy =
            RetryPolicy { attempts: 4, pause: Duration::ZERO, wait: Arc::new(|_| ()) };
        let files = files.with_faults(self.scenario.faults);
        let store: Arc<dyn Store> = Arc::new(RetryingStore::new(files, retry_policy));
        let around = Environment {
            database: self.database.clone(),
            fault_injector: fault_injector.clone(),
            faults: self.scenario.faults,
        };
        let job = topologies::build(self.scenario.topology, &self.input, &around);
        let options = JobOptions {
            parallelism: self.random.u16(1..=4),
            key_groups: 8,
            consistency: self.scenario.consistency,
            checkpoint_interval: Some(Duration::from_micros(self.random.u64(20..2000))),
            retained_checkpoints: self.random.usize(1..4),
            batch_records: self.random.usize(1..20),
            faults: self.scenario.faults,
            ..JobOptions::new("simulated", writer)
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        let assembled = job.with_plan(|plan| job::assemble(plan, &options, store, clock, None));
        match assembled {
            Ok(assembled) => {
                let random = self.random.fork();
                Ok(assembled.task_set.map(|task_set| Process {
                    machines: Simulated::new(task_set, random),
                    fault_injector,
                    handle: assembled.handle,
                }))
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(String::new()),
            Err(error) => Err(format!("cannot start: {error}")),
        }
    }

    fn attempt(&mut self) -> End {
        let mut process = match self.start() {
            Ok(Some(process)) => process,
            Ok(None) => return End::Finished,
            Err(violation) if violation.is_empty() => {
                self.abandon(None);
                return End::Died;
            }
            Err(violation) => return End::Violated(violation),
        };
        let steps = self.random.u64(1..700);
        let dies_at = (self.is_faulty() && self.random.u8(..3) != 0).then_some(steps);
        let stops_at = (self.is_faulty() && self.random.u8(..6) == 0).then_some(steps / 2);
        for step in 0..MOST_STEPS {
            if stops_at == Some(step) {
                self.trace.push(format!("{} stop", self.attempts));
                process.handle.stop();
            }
            if dies_at == Some(step) || process.fault_injector.is_dead() {
                self.trace.push(format!("{} dies", self.attempts));
                self.abandon(Some(process));
                return End::Died;
            }
            self.step_zombies();
            match self.step(&mut process) {
                Ok(SimulatedStep::Stepped { .. }) => {}
                Ok(SimulatedStep::AllIdle(Some(at))) => self.clock.advance_to(at),
                Ok(SimulatedStep::AllIdle(None)) => {
                    return End::Violated("everybody waits for everybody".to_string());
                }
                Ok(SimulatedStep::Finished) if stops_at.is_some_and(|at| at <= step) => {
                    return End::Stopped;
                }
                Ok(SimulatedStep::Finished) => return End::Finished,
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    self.abandon(None);
                    return End::Died;
                }
                Err(error) => return End::Violated(format!("the job failed: {error}")),
            }
        }
        End::Violated("the job hangs".to_string())
    }

    fn step(&mut self, process: &mut Process) -> steadfast_core::Result<SimulatedStep> {
        self.clock.advance(Duration::from_micros(self.random.u64(..10)));
        let step = process.machines.step(self.clock.now());
        let line = match &step {
            Ok(SimulatedStep::Stepped { machine, progress }) => format!("{machine} {progress:?}"),
            Ok(other) => format!("{other:?}"),
            Err(error) => format!("failed: {error}"),
        };
        self.trace.push(format!("{} {line}", self.attempts));
        step
    }

    /// A process is given up. Often it is dead; sometimes it only seems so and goes on for a while.
    fn abandon(&mut self, process: Option<Process>) {
        match process {
            Some(process) if !process.fault_injector.is_dead() && self.random.bool() => {
                self.zombies.push(process);
            }
            _ if self.random.bool() && self.zombies.is_empty() => {
                self.durable_disk.lose_power(&mut self.random);
            }
            _ => {}
        }
    }

    /// Lets zombies take a step now and then; one that finds out that it is fenced is gone.
    fn step_zombies(&mut self) {
        let mut zombies = std::mem::take(&mut self.zombies);
        zombies.retain_mut(|zombie| {
            if self.random.u8(..3) != 0 {
                return true;
            }
            match zombie.machines.step(self.clock.now()) {
                Ok(SimulatedStep::Stepped { machine, progress }) => {
                    self.trace.push(format!("zombie {machine} {progress:?}"));
                    true
                }
                Ok(SimulatedStep::AllIdle(_)) => true,
                Ok(SimulatedStep::Finished) | Err(_) => {
                    self.trace.push("zombie gone".to_string());
                    false
                }
            }
        });
        self.zombies = zombies;
    }
}
