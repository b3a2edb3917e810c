//! Nexmark from memory: the queries of the example, run by the engine, against hand-written loops of the same.
//!
//! The queries, their rows and the generator are those of the example, taken in and not copied: what is measured
//! is what is shown. Of both ways one process generates all events into memory, then runs one way over them and
//! prints a line of JSON; with `--pairs` it starts itself in turns and prints a table.
//!
//! **Events are made one by one, by both.** The engine reads them from its own memory source, which clones each record
//! out of a shared slice and hands it over by value; the loop clones each event in the same way, hidden from the
//! optimiser, which would leave out what a query does not look at. So both have records of their own, as from any
//! outside world, made and given back at the same rate. Moving events out of a vector was tried: then the process
//! only ever gives memory back, and whether the allocator puts millions of free pieces together within the measured
//! time or after it decides about more than the engine does. What making and dropping events alone costs is the row
//! "none" of the table: that much is the same on both sides. With several splits event `n` is in split `n` modulo
//! their number, as in a partitioned log.
//!
//! **Rows are counted** by both in the same piece of code (`tally.rs`), which hides each row from the optimiser so
//! that it is made in full, and drops it. With `--checksum` it also adds up a hash of each; times are taken without.
//!
//! **Time** (`seconds`) is from just before the first record is made to just after the last row is counted; the engine's
//! begins before its threads do.
//! `finished_seconds` is to the end of the job: with the last checkpoint, and with what targets do.

#[path = "../../../../examples/nexmark/event.rs"]
mod event;
#[path = "../../../../examples/nexmark/queries.rs"]
mod queries;
#[path = "../../../../examples/nexmark/rows.rs"]
mod rows;
#[path = "../../../../examples/nexmark/sessions.rs"]
mod sessions;

mod counting;
mod engine;
mod loops;
mod open_sessions;
mod pairs;
mod slices;
mod tally;

use std::time::Duration;

use clap::{Parser, ValueEnum};
use event::Event;
use serde::{Deserialize, Serialize};

/// All queries, in the order of the tables.
const QUERIES: [u8; 10] = [0, 1, 2, 5, 7, 11, 12, 15, 16, 17];

/// In place of a query: the loop makes events and drops them.
const NOTHING: u8 = u8::MAX;

/// Nexmark from memory, by the engine and by hand
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// 0, 1, 2, 5, 7, 11, 12, 15, 16, 17 or all; several with commas between them; for a loop also none, which only
    /// makes events
    #[arg(long, value_name = "NUMBERS", default_value = "all")]
    query: String,
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 3_000_000)]
    events: u64,
    /// Run one way once and print a line of JSON
    #[arg(long, value_name = "WAY", conflicts_with = "pairs")]
    way: Option<Way>,
    /// How many tasks each stage of the engine has, and how many splits it reads
    #[arg(long, value_name = "N", default_value_t = 1)]
    parallelism: u16,
    /// Where the engine's rows go
    #[arg(long, value_name = "SINK", default_value = "counting")]
    sink: SinkKind,
    /// The time between two checkpoints of the engine, in milliseconds; 0: only one, at the end
    #[arg(long, value_name = "MS", default_value_t = 0)]
    checkpoint_interval: u64,
    /// Add up a hash of each row, which takes time
    #[arg(long)]
    checksum: bool,
    /// Let the ways take turns so often and print a table
    #[arg(long, value_name = "N", default_value_t = 5)]
    pairs: usize,
    /// Print the table of sinks instead
    #[arg(long)]
    sinks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// The example's query as a job
    Engine,
    /// A hand-written loop, without any fault tolerance
    Loop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SinkKind {
    /// Rows are counted and dropped
    Counting,
    /// A folder of JSON lines; checkpoints are in a folder beside it
    Jsonl,
    /// An SQLite table; checkpoints are in a folder beside it
    Sqlite,
}

/// What one run has to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Outcome {
    events: u64,
    /// From the first record to the last row; none where rows are not counted.
    seconds: Option<f64>,
    /// From the first record to the end.
    finished_seconds: f64,
    rows: u64,
    /// None unless it was asked for.
    checksum: Option<u64>,
}

type Failure = Box<dyn std::error::Error>;

/// The events of each split.
fn generate(events: u64, splits: u64) -> Vec<Vec<Event>> {
    let split = |split| (split..events).step_by(splits as usize).map(event::event).collect();
    (0..splits).map(split).collect()
}

impl Arguments {
    fn queries(&self) -> Result<Vec<u8>, Failure> {
        match (self.query.as_str(), self.way) {
            ("all", _) => return Ok(QUERIES.to_vec()),
            ("none", Some(Way::Loop)) => return Ok(vec![NOTHING]),
            _ => {}
        }
        let numbers = self.query.split(',').map(|number| number.parse::<u8>());
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        match numbers.iter().find(|number| !QUERIES.contains(number)) {
            Some(number) => Err(format!("there is no query {number}").into()),
            None => Ok(numbers),
        }
    }

    fn interval(&self) -> Option<Duration> {
        (self.checkpoint_interval > 0).then(|| Duration::from_millis(self.checkpoint_interval))
    }

    fn run(&self, way: Way) -> Result<Outcome, Failure> {
        let [query] = self.queries()?[..] else { return Err("name one query".into()) };
        match way {
            Way::Engine => {
                engine::run(query, generate(self.events, u64::from(self.parallelism)), self)
            }
            Way::Loop => {
                let events: Vec<_> = (0..self.events).map(event::event).collect();
                Ok(loops::run(query, &events, self.checksum))
            }
        }
    }
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    match arguments.way {
        Some(way) => println!("{}", serde_json::to_string(&arguments.run(way)?)?),
        None if arguments.sinks => pairs::print_sinks(&arguments)?,
        None => pairs::print_ratios(&arguments)?,
    }
    Ok(())
}
