//! What simulated jobs read and which shapes they have: all that the oracle needs to know of them.
//!
//! It knows nothing of how a job is built or run.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique.
    pub seq: u64,
    /// The split in which it is read.
    pub split: usize,
    /// Unique, but for duplicates, which are in the same split.
    pub id: u64,
    /// What state is kept for.
    pub key: u32,
    /// A number.
    pub amount: i64,
}

/// Into how many splits each source is divided.
pub const SPLITS: [usize; 2] = [5, 3];

/// The input of a simulation: as many inputs as the topology has sources.
#[derive(Clone, Debug)]
pub struct Input {
    /// The records of each source.
    pub sources: [Arc<[Event]>; 2],
}

pub(crate) fn range(len: usize, splits: usize, index: usize) -> Range<usize> {
    let start = |index: usize| len * index / splits;
    start(index)..start(index + 1)
}

impl Input {
    /// Input from a seed, with one duplicate in about ten.
    pub fn draw(random: &mut fastrand::Rng) -> Self {
        let size = [0, 20, 60, 120, 300, 300, 1000][random.usize(..7)];
        let keys = [3, 20, 20, 100][random.usize(..4)];
        let mut events = |source: usize| -> Arc<[Event]> {
            let count = random.usize(..=size);
            let mut all: Vec<Event> = Vec::new();
            for split in 0..SPLITS[source] {
                let range = range(count, SPLITS[source], split);
                for index in range.clone() {
                    let seq = (source * 1_000_000 + index) as u64;
                    let duplicate = index > range.start && random.u8(..10) == 0;
                    all.push(if duplicate {
                        Event { seq, ..all[random.usize(range.start..index)].clone() }
                    } else {
                        let (key, amount) = (random.u32(..keys), random.i64(-100..100));
                        Event { seq, split, id: seq, key, amount }
                    });
                }
            }
            all.into()
        };
        Input { sources: [events(0), events(1)] }
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

    /// The sinks that it always has.
    pub fn sinks(self) -> &'static [&'static str] {
        match self {
            Topology::Linear => &["out"],
            Topology::Union => &["numbered"],
            Topology::FanOut => &["positive", "sums"],
            Topology::TwoKeyed => &["counts"],
            Topology::Ledger => &["balances"],
        }
    }
}

/// The sink that may be added and removed in mid-life: every event of the first source.
pub const EXTRA: &str = "extra";

/// The sink whose target keeps no marker, which some histories have: every event of the first source.
pub const UNMARKED: &str = "unmarked";

/// What is kept for a key: which events it has seen, in order, and their sum.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// The events.
    pub seen: Vec<u64>,
    /// The sum of their amounts.
    pub sum: i64,
}

impl Summary {
    pub(crate) fn add(&mut self, event: &Event) {
        self.seen.push(event.seq);
        self.sum += event.amount;
    }
}
