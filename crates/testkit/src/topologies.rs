//! Simulated jobs, built in the shapes of [`crate::input`].

pub mod folders;
mod letters;
mod lines;
mod replay;
mod tallies;
mod timed;
mod unkeyed;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use steadfast::time::Timestamp;
use steadfast::{Emit, Emitter, Expiry, Job, OperatorChain, Sided, Stream};
use steadfast_core::disk::Disk;
use steadfast_core::{Result, UserError};
use steadfast_files::{DeadLetterSink, JsonLinesSink};
use steadfast_runtime::operators::{KeyedContext, KeyedStates};
use steadfast_runtime::task::SourceHead;

use crate::baton::Handle;
use crate::database::{Database, DatabaseConnection};
use crate::fault_injector::Mutation;
use crate::input::{
    DEAD, DECLARED_TOO_SMALL, EXTRA, EXTRA_STATE, Event, Input, KEEP, LINES, Summary, Topology,
    UNMARKED,
};
use crate::input_files::InputFiles;
use crate::observer::Observer;
use crate::table::{TableSink, WriteMode};

pub use tallies::copies_on_write;

use letters::LetterSink;
pub use replay::Bells;
use replay::{Replay, Turns};
use tallies::Named;

/// In what a job differs from the one that its history began with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Otherwise {
    /// Sums come at the end, and not whenever they change.
    pub emits: bool,
    /// Keys hash in another way.
    pub hashes: bool,
    /// Targets take another format.
    pub formats: bool,
}

/// What a job is built into.
pub struct Environment {
    /// Where sinks write.
    pub database: Database,
    /// Where folders lie.
    pub disk: Arc<dyn Disk>,
    /// The process.
    pub handle: Handle,
    /// Its number.
    pub process: u16,
    /// Who writes down what is read.
    pub observer: Observer,
    /// A deliberate fault.
    pub mutation: Option<Mutation>,
    /// The files that the first source reads, if it reads files.
    pub files: Option<Arc<InputFiles>>,
    /// Who rings where sources wait; none if they never do.
    pub bells: Option<Bells>,
    /// Whether the job has the sink that may be missing.
    pub extra: bool,
    /// Whether the job has the sink whose target keeps no marker.
    pub unmarked: bool,
    /// In what the job is another one.
    pub otherwise: Otherwise,
}

impl Environment {
    fn sink<T>(&self, mode: WriteMode) -> TableSink<T> {
        let connection = Arc::new(DatabaseConnection {
            database: self.database.clone(),
            handle: self.handle.clone(),
            process: self.process,
            mutation: self.mutation,
        });
        let (signature, is_other) = (Some(self.process), self.otherwise.formats);
        TableSink { connection, mode, signature, is_other, records: PhantomData }
    }

    fn source(&self, input: &Input, source: usize, is_timed: bool) -> Replay {
        let (events, observer) = (Arc::clone(&input.sources[source]), self.observer.clone());
        Replay {
            events,
            source,
            process: self.process,
            observer,
            rejects: false,
            bells: self.bells.clone(),
            // In event time who is ahead waits.
            turns: (!is_timed).then(Turns::default),
        }
    }
}

type Numbered = (u32, u64);
type Numbering = dyn FnMut(&mut KeyedContext<'_, u32>, &Event, &mut Emitter<'_, Numbered>) -> Result<(), UserError>
    + Send;

/// Gives each event a number within its key.
fn numbered(states: &mut KeyedStates<u32>) -> Box<Numbering> {
    let count = states.value::<u64>("count");
    Box::new(move |context, event, out| {
        let count = context.value(count);
        *count += 1;
        out.push((event.key, *count));
        Ok(())
    })
}

/// The events of a replay happened in any order.
fn in_any_order(stream: Stream<SourceHead<Replay>>) -> Stream<impl OperatorChain<Out = Event>> {
    stream.event_time(Duration::from_secs(200), |event| Timestamp(event.at))
}

/// Builds the job.
pub fn build(topology: Topology, input: &Input, around: &Environment) -> Job {
    let job = Job::new("simulated");
    let lines = || JsonLinesSink::on_disk(Arc::clone(&around.disk), folders::folder(LINES));
    let dead = || DeadLetterSink::on_disk(Arc::clone(&around.disk), folders::folder(DEAD));
    let first = match topology {
        Topology::Lines | Topology::Rows if let Some(files) = &around.files => {
            lines::source(topology, &job, files, around)
        }
        Topology::Folders => {
            let source = Replay { rejects: true, ..around.source(input, 0, false) };
            job.source("first", source).dead_letters(DEAD, dead()).shared()
        }
        Topology::Letters => {
            let source = Replay { rejects: true, ..around.source(input, 0, false) };
            let letters = LetterSink { rows: around.sink(WriteMode::Append), files: None };
            job.source("first", source).dead_letters("letters", letters).shared()
        }
        Topology::Windows | Topology::Pauses => {
            timed::source(&job, "first", around.source(input, 0, true), input.disorder).shared()
        }
        Topology::Late => {
            let replay = around.source(input, 0, true);
            timed::source(&job, "first", replay, DECLARED_TOO_SMALL).shared()
        }
        _ => in_any_order(job.source("first", around.source(input, 0, false))).shared(),
    };
    if around.extra {
        let distinct = first.stream().named(EXTRA_STATE).dedup(|event| &event.seq, Expiry::Never);
        distinct.map(|event| event.seq).sink(EXTRA, around.sink(WriteMode::Append));
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
            .map({
                let process = around.process;
                move |event| match event.amount % 2 == 0 {
                    true => Sided::Main((process, event.seq)),
                    false => Sided::Side(event.seq),
                }
            })
            .side(|odd| odd.map(|seq| seq).sink("odd", around.sink(WriteMode::Append)))
            .sink(LINES, lines()),
        Topology::Union => {
            let second = in_any_order(job.source("second", around.source(input, 1, false)));
            first
                .named("both")
                .union(second)
                .key_by_ref(|event| &event.key)
                .named("number")
                .process(numbered)
                .sink("numbered", around.sink(WriteMode::Append));
        }
        Topology::Diamond => {
            let shared = first.shared();
            let long = shared.stream().rebalance().map(|event| event).rebalance();
            shared
                .stream()
                .named("met again")
                .union(long)
                .key_by_ref(|event| &event.key)
                .named("number")
                .process(numbered)
                .sink("met", around.sink(WriteMode::Append));
        }
        Topology::Broadcast => first
            .broadcast()
            .inspect({
                let (observer, process) = (around.observer.clone(), around.process);
                move |event| {
                    let own = &mut observer.seen().processes[usize::from(process)];
                    *own.copies.entry(event.seq).or_default() += 1;
                }
            })
            .named("first copy")
            .dedup(|event| &event.seq, Expiry::Never)
            .map({
                let process = around.process;
                move |event| (process, event.seq)
            })
            .sink(LINES, lines()),
        Topology::Tallies => {
            let prefix = input.prefix.clone();
            tallies::hash_otherwise(around.otherwise.hashes);
            first
                .map(move |event| (Named(format!("{prefix}{:06}", event.key)), event))
                .key_by_ref(|(key, _)| key)
                .named("tally")
                .process(tallies::process)
                .sink("tallies", around.sink(WriteMode::Append));
        }
        Topology::Windows => {
            let second =
                timed::source(&job, "second", around.source(input, 1, true), input.disorder);
            timed::windows(first.named("both").union(second), around);
        }
        Topology::Unkeyed => unkeyed::ends(&first.shared(), around),
        Topology::Late => timed::late_windows(first, around),
        Topology::Pauses => timed::pauses(first, around),
        Topology::Folders => {
            let process = around.process;
            first.map(move |event| (process, event.seq)).sink(LINES, lines());
        }
        Topology::Letters | Topology::Lines | Topology::Rows => {
            first.map(|event| event.seq).sink("good", around.sink(WriteMode::Append));
        }
        Topology::FanOut => {
            let shared = first.shared();
            let emit = if around.otherwise.emits { Emit::Final } else { Emit::Changes };
            shared
                .stream()
                .filter(|event| event.amount > 0)
                .map(|event| event.seq)
                .sink("positive", around.sink(WriteMode::Append));
            shared
                .stream()
                .key_by_ref(|event| &event.key)
                .named("sum")
                .fold(emit, Summary::default, |sum, event| sum.add(event))
                .sink("sums", around.sink(WriteMode::Upsert));
        }
        Topology::TwoKeyed => first
            .named("distinct")
            .dedup(|event| &event.id, Expiry::Never)
            .key_by_ref(|event| &event.key)
            .named("number")
            .process(|states| {
                let seen = states.list::<u64>("seen");
                let other = states.value::<u64>("other");
                move |context, event: &Event, out| {
                    *context.value(other) += 1;
                    let count = *context.value(other);
                    let mut seen = context.list(seen);
                    seen.push(event.id);
                    // Both tables of the operator must say the same.
                    out.push(if seen.len() as u64 == count { count } else { 1_000_000 });
                    Ok(())
                }
            })
            .key_by_ref(|number| number)
            .named("count")
            .fold(Emit::Final, || 0_u64, |count, _| *count += 1)
            .sink("counts", around.sink(WriteMode::Append)),
        Topology::Ledger => first
            .named("distinct")
            .dedup(|event| &event.id, Expiry::After(Duration::from_millis(KEEP as u64)))
            .key_by_ref(|event| &event.key)
            .named("balance")
            .fold(Emit::Changes, Summary::default, |sum, event| sum.add(event))
            .sink("balances", around.sink(WriteMode::Upsert)),
    }
    job
}
