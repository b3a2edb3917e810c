//! Simulated jobs, built in the shapes of [`crate::input`].

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;

use serde::{Deserialize, Serialize};
use steadfast::time::Timestamp;
use steadfast::{Emit, Expiry, Job};
use steadfast_core::Result;
use steadfast_core::source::{PollLimit, Polled, Source, SourceOutput, SplitReader, SplitStatus};

use crate::baton::Handle;
use crate::database::{Database, DatabaseConnection};
use crate::fault_injector::Mutation;
use crate::input::{EXTRA, Event, Input, SPLITS, Summary, Topology, UNMARKED, range};
use crate::observer::Observer;
use crate::table::{TableSink, WriteMode};

/// A source that writes down who reads what.
struct Replay {
    events: Arc<[Event]>,
    source: usize,
    process: u16,
    observer: Observer,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ReplaySplit {
    next: usize,
    end: usize,
}

impl Source for Replay {
    type Item = Event;
    type Split = ReplaySplit;
    type Reader = ReplayReader;

    fn splits(
        &self,
        resumed: Vec<ReplaySplit>,
        _readers: usize,
    ) -> Result<Vec<SplitStatus<ReplaySplit>>> {
        let splits = SPLITS[self.source];
        let fresh = |index| {
            let Range { start, end } = range(self.events.len(), splits, index);
            ReplaySplit { next: start, end }
        };
        let all = if resumed.is_empty() { (0..splits).map(fresh).collect() } else { resumed };
        if all.len() != splits {
            self.observer.violation(format!("{} splits instead of {splits}", all.len()));
        }
        let status =
            |split: ReplaySplit| SplitStatus { finished: split.next == split.end, done: 0, split };
        Ok(all.into_iter().map(status).collect())
    }

    fn open(&self, split: ReplaySplit, _waker: &Waker) -> Result<ReplayReader> {
        let Replay { events, source, process, observer } = self;
        let (events, observer) = (Arc::clone(events), observer.clone());
        Ok(ReplayReader { events, source: *source, process: *process, observer, split })
    }

    fn total(&self) -> Option<u64> {
        Some(self.events.len() as u64)
    }

    fn describe(&self) -> String {
        "events of a simulation".to_string()
    }
}

struct ReplayReader {
    events: Arc<[Event]>,
    source: usize,
    process: u16,
    observer: Observer,
    split: ReplaySplit,
}

impl SplitReader for ReplayReader {
    type Item = Event;
    type Split = ReplaySplit;

    fn poll(
        &mut self,
        limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<Event>,
    ) -> Result<Polled> {
        let end = self.split.end.min(self.split.next.saturating_add(limit.records));
        let mut read = 0;
        while self.split.next < end && read < limit.bytes {
            let index = self.split.next;
            let event = &self.events[index];
            self.split.next += 1;
            self.observer.reads(self.process, self.source, index);
            let bytes = event.amount.unsigned_abs() as usize;
            read += bytes.max(1);
            output.weigh(bytes);
            output.push(event.clone())?;
            output.advance(1);
        }
        Ok(if self.split.next == self.split.end { Polled::End } else { Polled::More })
    }

    fn split(&self) -> ReplaySplit {
        self.split.clone()
    }
}

/// What a job is built into.
pub struct Environment {
    /// Where sinks write.
    pub database: Database,
    /// The process.
    pub handle: Handle,
    /// Its number.
    pub process: u16,
    /// Who writes down what is read.
    pub observer: Observer,
    /// A deliberate fault.
    pub mutation: Option<Mutation>,
    /// Whether the job has the sink that may be missing.
    pub extra: bool,
    /// Whether the job has the sink whose target keeps no marker.
    pub unmarked: bool,
}

impl Environment {
    fn sink<T>(&self, mode: WriteMode) -> TableSink<T> {
        let connection = Arc::new(DatabaseConnection {
            database: self.database.clone(),
            handle: self.handle.clone(),
            process: self.process,
            mutation: self.mutation,
        });
        TableSink { connection, mode, signature: Some(self.process), records: PhantomData }
    }

    fn source(&self, input: &Input, source: usize) -> Replay {
        let (events, observer) = (Arc::clone(&input.sources[source]), self.observer.clone());
        Replay { events, source, process: self.process, observer }
    }
}

/// Builds the job.
pub fn build(topology: Topology, input: &Input, around: &Environment) -> Job {
    let job = Job::new("simulated");
    let first = job.source("first", around.source(input, 0)).shared();
    if around.extra {
        first.stream().map(|event| event.seq).sink(EXTRA, around.sink(WriteMode::Append));
    }
    if around.unmarked {
        let every = first.stream().map(|event| event.seq);
        every.sink(UNMARKED, around.sink(WriteMode::Unmarked));
    }
    let first = first.stream();
    match topology {
        Topology::Linear => first
            .rebalance()
            .map(|event| Event { amount: event.amount * 3, ..event })
            .filter(|event| event.amount % 2 == 0)
            .map(|event| event.seq)
            .sink("out", around.sink(WriteMode::Append)),
        Topology::Union => {
            let second = job.source("second", around.source(input, 1));
            first
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
                .sink("numbered", around.sink(WriteMode::Append));
        }
        Topology::FanOut => {
            let shared = first.shared();
            shared
                .stream()
                .filter(|event| event.amount > 0)
                .map(|event| event.seq)
                .sink("positive", around.sink(WriteMode::Append));
            shared
                .stream()
                .key_by(|event| &event.key)
                .named("sum")
                .fold(Emit::Changes, Summary::default, |sum, event| sum.add(&event))
                .sink("sums", around.sink(WriteMode::Upsert));
        }
        Topology::TwoKeyed => first
            .named("distinct")
            .dedup(|event| &event.id, Expiry::Never)
            .key_by(|event| &event.key)
            .named("number")
            .process(|states| {
                let seen = states.list::<u64>("seen");
                let other = states.value::<u64>("other");
                move |context, event: &Event, out| {
                    *context.value(other) += 1;
                    let count = *context.value(other);
                    let seen = context.list(seen);
                    seen.push(event.id);
                    // Both tables of the operator must say the same.
                    out.push(if seen.len() as u64 == count { count } else { 1_000_000 });
                    Ok(())
                }
            })
            .key_by(|number| number)
            .named("count")
            .fold(Emit::Final, || 0_u64, |count, _| *count += 1)
            .sink("counts", around.sink(WriteMode::Append)),
        Topology::Ledger => first
            .named("distinct")
            .dedup(
                |event| &event.id,
                Expiry::after(std::time::Duration::from_secs(3600), |_| Timestamp(0)),
            )
            .key_by(|event| &event.key)
            .named("balance")
            .fold(Emit::Changes, Summary::default, |sum, event| sum.add(&event))
            .sink("balances", around.sink(WriteMode::Upsert)),
    }
    job
}
