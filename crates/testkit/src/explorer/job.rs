//! The job that is explored, and everything that depends on the engine's interface: how a process is
//! started and driven, how its puts are told apart, and what its tables must show.
//!
//! The job is small, so that many orders of its calls can be tried: pairs of payments, and a checkpoint
//! after each pair. A positive payment is appended to `payments`; every one that is not zero changes
//! a balance, which is upserted into `balances`. Zeros make a quiet stretch, in which checkpoints hold
//! no output.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use steadfast::memory::Generator;
use steadfast::{Emit, Job};
use steadfast_checkpoint::retry::{Late, RetryPolicy, Waiting};
use steadfast_core::id::{Lineage, LogIndex};
use steadfast_core::time::Clock;
use steadfast_core::{ErrorKind, Result};
use steadfast_protocol::entry::LogEntry;
use steadfast_protocol::names::{self, LogLayout};
use steadfast_runtime::attempt::{self, Assembled, Environment};
use steadfast_runtime::executor::{Simulated, SimulatedStep};
use steadfast_runtime::job::{JobOptions, Process};

use crate::baton::{self, CallKind, ProcessId};
use crate::clock::SimulatedClock;
use crate::environment::{Courier, CourierConnection, CourierStore};
use crate::table::{Connection, Table, TableSink, WriteMode};

/// How a process is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Start {
    /// Goes on where the job was, and takes a checkpoint after every second record.
    Run,
    /// The same, but takes a checkpoint only at the end.
    Hasty,
    /// Forgets everything and begins at the start of the input.
    Reset,
}

/// What a process leaves behind for whoever has started it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The job is finished: exit code 0.
    Finished,
    /// It gave up with an error, which somebody will read.
    Failed {
        /// What kind of error.
        kind: ErrorKind,
        /// The whole of it.
        what: String,
    },
    /// It was killed.
    Crashed,
    /// It broke a rule of its own: it panicked, or everybody waited for everybody.
    Broken(String),
}

/// The job as it is explored.
#[derive(Clone, Debug)]
pub struct ExploredJob {
    /// How many checkpoints are kept.
    pub retained: usize,
    /// How many entries of the log are closed together.
    pub block: u64,
    /// How many names a page of a list has.
    pub page: usize,
    /// How many pairs of payments in the middle change nothing.
    pub quiet: usize,
}

impl Default for ExploredJob {
    fn default() -> Self {
        ExploredJob { retained: 1, block: 2, page: 1000, quiet: 0 }
    }
}

/// Key and amount.
type Payment = (u32, i64);
type Pair = [Payment; 2];
/// Before the quiet stretch, and after it. The last pair changes balances only.
const FIRST: Pair = [(1, 10), (2, -3)];
const QUIET: Pair = [(1, 0), (2, 0)];
const LAST: [Pair; 2] = [[(1, 7), (2, 4)], [(1, -5), (2, -2)]];
const RECORDS_FOR_A_CHECKPOINT: u64 = 2;
/// So slowly that everything has settled before the next payment is due.
const PAYMENTS_A_SECOND: u64 = 50;
/// No process takes so many steps; one that does hangs.
const MOST_STEPS: u32 = 100_000;

/// All payments, with so many quiet pairs.
fn payments(quiet: usize) -> Vec<Payment> {
    let pairs = [FIRST].into_iter().chain(std::iter::repeat_n(QUIET, quiet)).chain(LAST);
    pairs.flatten().collect()
}

impl ExploredJob {
    fn build(&self, courier: &Arc<dyn Courier>) -> Job {
        fn sink<T>(courier: &Arc<dyn Courier>, mode: WriteMode) -> TableSink<T> {
            let connection: Arc<dyn Connection> = Arc::new(CourierConnection(Arc::clone(courier)));
            TableSink { connection, mode, signature: None, is_other: false, records: PhantomData }
        }
        let job = Job::new("explored");
        let all = payments(self.quiet);
        let count = all.len() as u64;
        let input = Generator::new(move |number| all[number as usize]);
        let input = input.count(count).rate(PAYMENTS_A_SECOND).splits(2);
        let payments = job.source("input", input).shared();
        payments
            .stream()
            .filter(|(_, amount)| *amount > 0)
            .sink("payments", sink(courier, WriteMode::Append));
        payments
            .stream()
            .filter(|(_, amount)| *amount != 0)
            .key_by_ref(|(key, _)| key)
            .named("balance")
            .fold(Emit::Changes, || 0_i64, |balance, (_, amount)| *balance += amount)
            .sink("balances", sink(courier, WriteMode::Upsert));
        job
    }

    /// Runs a process to its end.
    pub fn run(&self, process: ProcessId, start: Start, courier: &Arc<dyn Courier>) -> Exit {
        let driven = catch_unwind(AssertUnwindSafe(|| self.drive(process, start, courier)));
        match driven {
            Ok(Ok(true)) => Exit::Finished,
            Ok(Ok(false)) => Exit::Broken("everybody waits for everybody".to_string()),
            Ok(Err(error)) => Exit::Failed { kind: error.kind(), what: error.to_string() },
            Err(panic) => Exit::Broken(format!("panicked: {}", baton::message(&*panic))),
        }
    }

    /// False if the job hangs.
    fn drive(&self, process: ProcessId, start: Start, courier: &Arc<dyn Courier>) -> Result<bool> {
        // A clock of its own: what a process does depends on nothing but the answers it gets.
        let clock = Arc::new(SimulatedClock::default());
        let assembled = self.assemble(process, start, courier, clock.clone())?;
        let Some(task_set) = assembled.task_set else {
            return Ok(true);
        };
        let mut machines = Simulated::new(task_set, fastrand::Rng::with_seed(process as u64));
        for _ in 0..MOST_STEPS {
            match machines.step(clock.now()).map_err(|error| assembled.claim.explain(error))? {
                SimulatedStep::Stepped { .. } => {}
                SimulatedStep::AllIdle(Some(at)) => clock.advance_to(at),
                SimulatedStep::AllIdle(None) => return Ok(false),
                SimulatedStep::Finished => return Ok(true),
            }
        }
        Ok(false)
    }

    fn assemble(
        &self,
        process: ProcessId,
        start: Start,
        courier: &Arc<dyn Courier>,
        clock: Arc<dyn Clock>,
    ) -> Result<Assembled> {
        let store = CourierStore { courier: Arc::clone(courier), page: self.page, kind_of_put };
        let retry = RetryPolicy::new(0, Arc::new(EightTimes));
        let environment = Environment { store: Arc::new(store), retry, log: self.layout(), clock };
        let holder = format!("process {process}");
        // What is drawn at random in earnest: no two processes draw the same.
        let number = process as u64 + 1;
        let process = Process { holder, nonce: number, lineage: Lineage(number << 8) };
        let options = JobOptions {
            parallelism: 2,
            key_groups: 2,
            checkpoint_interval: None,
            checkpoint_records: (start != Start::Hasty).then_some(RECORDS_FOR_A_CHECKPOINT),
            retained_checkpoints: self.retained,
            batch_records: 1,
            reset: start == Start::Reset,
            ..JobOptions::new("explored", process)
        };
        self.build(courier).with_plan(|plan| attempt::assemble(plan, &options, environment))
    }

    fn layout(&self) -> LogLayout {
        LogLayout { block: self.block }
    }

    /// The name of the object that says that the block of this log entry is closed.
    pub fn closed(&self, log_number: u64) -> String {
        self.layout().block_of(LogIndex(log_number)).closed()
    }
}

/// Asks again at once, more often than answers are lost.
struct EightTimes;

impl Waiting for EightTimes {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, late: &Late<'_>) -> bool {
        late.attempts < 8
    }
}

/// What kind of put it is.
pub fn kind_of_put(name: &str, bytes: &[u8]) -> CallKind {
    let is_claim = || bytes.windows(18).any(|window| window == b"\"entry\": \"claim\",\n");
    match log_number(name) {
        None if name.starts_with(names::CLOSED) => CallKind::StorePutClosed,
        None => CallKind::StorePutData,
        Some(_) if is_claim() => CallKind::StorePutClaim,
        Some(_) => CallKind::StorePutCheckpoint,
    }
}

/// How many checkpoints are kept whole once this one is committed, itself included.
pub fn kept_with(checkpoint: &[u8]) -> usize {
    match LogEntry::decode(checkpoint) {
        Ok(LogEntry::Checkpoint(manifest)) => manifest.retained.len(),
        _ => 0,
    }
}

/// The number of a log entry, if this is the name of one.
pub fn log_number(name: &str) -> Option<u64> {
    name.strip_prefix(names::LOG)?.split('/').nth(1)?.parse().ok()
}

/// The checkpoint that a data object was written for, if this is the name of one.
pub fn checkpoint_of_data(name: &str) -> Option<u64> {
    name.strip_prefix(names::DATA)?.split('/').nth(1)?.split('-').next()?.parse().ok()
}

/// Whether an error says that there is no checkpoint to go on from.
pub fn says_nothing_is_intact(error: &str) -> bool {
    error.starts_with("no checkpoint is intact")
}

/// The error's first line without numbers, so that like errors are counted together.
pub fn class_of(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    let mut class = String::new();
    for c in line.chars() {
        if !c.is_ascii_digit() {
            class.push(c);
        } else if !class.ends_with('#') {
            class.push('#');
        }
    }
    class
}

/// What the tables must show in the end, computed from the payments alone.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Of this job.
    pub job: ExploredJob,
    payments: BTreeMap<String, usize>,
    balances: BTreeMap<String, String>,
}

impl Expected {
    /// What the tables of `job` must show.
    pub fn of(job: ExploredJob) -> Self {
        let all = payments(0);
        let (mut payments, mut balances) = (BTreeMap::new(), BTreeMap::<u32, i64>::new());
        for (key, amount) in all {
            if amount > 0 {
                *payments.entry(format!("[{key},{amount}]")).or_default() += 1;
            }
            *balances.entry(key).or_default() += amount;
        }
        let text = |(key, balance): (u32, i64)| (key.to_string(), balance.to_string());
        Expected { job, payments, balances: balances.into_iter().map(text).collect() }
    }

    /// What is wrong at any moment: a row that is there too often.
    ///
    /// # Errors
    /// Says which.
    pub fn check_rows(&self, payments: Option<&Table>) -> Result<(), String> {
        let mut counts = BTreeMap::<&str, usize>::new();
        for row in payments.iter().flat_map(|table| &table.appended) {
            *counts.entry(row).or_default() += 1;
        }
        let due = |row: &str| self.payments.get(row).copied().unwrap_or(0);
        match counts.into_iter().find(|(row, count)| *count > due(row)) {
            Some((row, count)) => Err(format!("payments: row {row} is there {count} times")),
            None => Ok(()),
        }
    }

    /// What is wrong when the job is finished.
    ///
    /// # Errors
    /// Says what.
    pub fn check_all(
        &self,
        payments: Option<&Table>,
        balances: Option<&Table>,
    ) -> Result<(), String> {
        self.check_rows(payments)?;
        let count = payments.map_or(0, |table| table.appended.len());
        let due: usize = self.payments.values().sum();
        if count < due {
            return Err(format!("payments: {} of {due} rows are missing", due - count));
        }
        let shown = |key: &String| balances.and_then(|table| table.by_key.get(key.as_str()));
        match self.balances.iter().find(|(key, row)| shown(key).map(|s| &**s) != Some(row)) {
            Some((key, row)) => Err(format!("balances: key {key} has {:?}, not {row}", shown(key))),
            None => Ok(()),
        }
    }
}
