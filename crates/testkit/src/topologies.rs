//! The shapes of job that simulations run.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use steadfast::memory::Values;
use steadfast::time::Timestamp;
use steadfast::{Emit, Expiry, Job};
use steadfast_core::fault::Faults;

use crate::database::{Database, DatabaseSink, Mode};
use crate::fault_injector::FaultInjector;

/// What flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique, but for duplicates.
    pub id: u64,
    /// What state is kept for.
    pub key: u32,
    /// A number.
    pub amount: i64,
}

/// The input of a simulation: as many inputs as the topology has sources.
#[derive(Clone, Debug)]
pub struct Input {
    /// The first source's records.
    pub first: Vec<Event>,
    /// The second source's records.
    pub second: Vec<Event>,
}

impl Input {
    /// Input from a seed, with one duplicate in about ten.
    pub fn draw(random: &mut fastrand::Rng) -> Self {
        let mut events = |from: u64| {
            let count = random.u64(..400);
            let mut all: Vec<Event> = Vec::new();
            for n in 0..count {
                let duplicate = !all.is_empty() && random.u8(..10) == 0;
                all.push(if duplicate {
                    all[random.usize(..all.len())].clone()
                } else {
                    Event { id: from + n, key: random.u32(..20), amount: random.i64(-100..100) }
                });
            }
            all
        };
        Input { first: events(0), second: events(1_000_000) }
    }
}

/// The shape of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Topology {
    /// One source, stateless operators, appended rows.
    Linear,
    /// Two sources merged; each record gets a number within its key.
    Union,
    /// One stream used twice: appended rows, and sums by key.
    FanOut,
    /// Deduplication by id, then numbers by key, then counts by number.
    TwoKeyed,
    /// Deduplication and balances, brought up to date with every checkpoint.
    Ledger,
}

impl Topology {
    /// All of them.
    pub const ALL: [Topology; 5] =
        [Topology::Linear, Topology::Union, Topology::FanOut, Topology::TwoKeyed, Topology::Ledger];
}

/// What a job is built into.
pub struct Environment {
    /// Where sinks write.
    pub database: Database,
    /// The fault_injector of the process.
    pub fault_injector: FaultInjector,
    /// A deliberate fault.
    pub faults: Faults,
}

impl Environment {
    fn sink<T>(&self, mode: Mode) -> DatabaseSink<T> {
        let (database, fault_injector) = (self.database.clone(), self.fault_injector.clone());
        DatabaseSink { database, fault_injector, mode, faults: self.faults, records: PhantomData }
    }
}

/// Builds the job.
pub fn build(topology: Topology, input: &Input, around: &Environment) -> Job {
    let job = Job::new("simulated");
    let first = || Values::new(input.first.clone()).splits(5);
    match topology {
        Topology::Linear => job
            .source("first", first())
            .map(|event| Event { amount: event.amount * 3, ..event })
            .filter(|event| event.amount % 2 == 0)
            .sink("out", around.sink(Mode::Append)),
        Topology::Union => {
            let second = job.source("second", Values::new(input.second.clone()).splits(3));
            job.source("first", first())
                .named("both")
                .union(second)
                .key_by(|event| &event.key)
                .named("number")
                .process(|states| {
                    let count = states.value::<u64>("count");
                    move |context, event: &Event, out| {
                        let count = context.value(count);
                        *count += 1;
                        out.push((event.key, *count));
                        Ok(())
                    }
                })
                .sink("numbered", around.sink(Mode::Append));
        }
        Topology::FanOut => {
            let shared = job.source("first", first()).shared();
            shared
                .stream()
                .filter(|event| event.amount > 0)
                .sink("positive", around.sink(Mode::Append));
            shared
                .stream()
                .key_by(|event| &event.key)
                .named("sum")
                .fold(Emit::Changes, || 0_i64, |sum, event| *sum += event.amount)
                .sink("sums", around.sink(Mode::Upsert));
        }
        Topology::TwoKeyed => job
            .source("first", first())
            .named("distinct")
            .dedup(|event| &event.id, Expiry::Never)
            .key_by(|event| &event.key)
            .named("number")
            .process(|states| {
                let seen = states.list::<u64>("seen");
                move |context, event: &Event, out| {
                    let seen = context.list(seen);
                    seen.push(event.id);
                    out.push(seen.len() as u64);
                    Ok(())
                }
            })
            .key_by(|number| number)
            .named("count")
            .fold(Emit::Final, || 0_u64, |count, _| *count += 1)
            .sink("counts", around.sink(Mode::Append)),
        Topology::Ledger => job
            .source("first", first())
            .named("distinct")
            .dedup(
                |event| &event.id,
                Expiry::after(std::time::Duration::from_secs(3600), |_| Timestamp(0)),
            )
            .key_by(|event| &event.key)
            .named("balance")
            .fold(
                Emit::Changes,
                || (0_i64, 0_u64),
                |(balance, payments), event| {
                    *balance += event.amount;
                    *payments += 1;
                },
            )
            .sink("balances", around.sink(Mode::Upsert)),
    }
    job
}
