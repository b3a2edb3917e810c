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
    /// Its own time, in milliseconds. A duplicate comes either at once or long after.
    pub at: i64,
    /// When it happened, in jobs that work with event time: what is near in time is not in order. Splits
    /// follow each other as the parts of a file do, or overlap as the partitions of a log do.
    #[serde(default)]
    pub happened: i64,
    /// Whether it is no record, in a job that knows what to do with such.
    pub bad: bool,
}

/// How far a job says that they are which meets late events.
pub const DECLARED_TOO_SMALL: i64 = 10;

/// How long the windows of simulated jobs are, and the pauses that their rules look for.
pub const WINDOW: i64 = 150;

/// A few events say that they happened this much later than they did.
const FAR_AHEAD: i64 = 1_000_000_000_000;

/// The windows of the job that meets late events overlap: one begins so often.
pub const STEP: i64 = 50;

/// For how long after their end they still take late events.
pub const LATENESS: i64 = 10;

fn happened(seq: u64, place: usize, amount: i64) -> i64 {
    let ahead = if seq % 211 == 5 { FAR_AHEAD } else { 0 };
    place as i64 * 10 + amount + ahead
}

/// For how long an id counts, in milliseconds, in jobs that let ids expire.
pub const KEEP: i64 = 10;

/// Into how many splits each source is divided.
pub const SPLITS: [usize; 2] = [5, 3];

/// The input of a simulation: as many inputs as the topology has sources.
#[derive(Clone, Debug)]
pub struct Input {
    /// The records of each source.
    pub sources: [Arc<[Event]>; 2],
    /// How far the events of a split are out of order, by [`Event::happened`]: no less than that.
    pub disorder: i64,
    /// What all keys begin with, where keys are text: often more than fits one byte of a length.
    pub prefix: String,
}

/// The events of a split among `len` in all.
pub(crate) fn range(len: usize, splits: usize, index: usize) -> Range<usize> {
    let start = |index: usize| len * index / splits;
    start(index)..start(index + 1)
}

/// How far each event is behind the latest before it in its split.
fn disorders(events: &[Event]) -> impl Iterator<Item = i64> {
    let (mut split, mut latest) = (usize::MAX, i64::MIN);
    events.iter().filter(|event| event.happened < FAR_AHEAD).map(move |event| {
        if event.split != split {
            (split, latest) = (event.split, i64::MIN);
        }
        latest = latest.max(event.happened);
        latest - event.happened
    })
}

impl Input {
    /// Input from a seed, with one duplicate in about ten. Some have thousands of keys.
    pub fn draw(random: &mut fastrand::Rng) -> Self {
        let (size, keys) = match random.u8(..30) {
            0 => (2500, 5000),
            1 => (2000, 700),
            _ => {
                let size = [0, 20, 60, 120, 300, 300, 1000][random.usize(..7)];
                (size, [3, 20, 20, 100, 600][random.usize(..5)])
            }
        };
        let fewest = if size > 1000 { size / 2 } else { 0 };
        let overlap = random.bool();
        let mut events = |source: usize| -> Arc<[Event]> {
            let count = random.usize(fewest..=size);
            let mut all: Vec<Event> = Vec::new();
            for split in 0..SPLITS[source] {
                let range = range(count, SPLITS[source], split);
                for index in range.clone() {
                    let seq = (source * 1_000_000 + index) as u64;
                    let duplicate = index > range.start && random.u8(..10) == 0;
                    let bad = random.u8(..8) == 0;
                    let place = if overlap { index - range.start } else { index };
                    all.push(if duplicate {
                        let of = &all[random.usize(range.start..index)];
                        let expired = random.bool();
                        // The newest use of this id: what came at once after it is not far from it.
                        let uses = all[range.start..].iter().filter(|event| event.id == of.id);
                        let newest = uses.map(|event| event.at).max().unwrap_or(of.at);
                        let soon = [KEEP / 2, KEEP][random.usize(..2)];
                        let at = newest / 1000 * 1000 + if expired { 1000 } else { soon };
                        let happened = happened(seq, place, of.amount);
                        Event { seq, at, happened, bad, ..of.clone() }
                    } else {
                        let (key, amount) = (random.u32(..keys), random.i64(-100..100));
                        let at = random.i64(0..100) * 1000;
                        let happened = happened(seq, place, amount);
                        Event { seq, split, id: seq, key, amount, at, happened, bad }
                    });
                }
            }
            all.into()
        };
        let sources = [events(0), events(1)];
        let length = [0, 1, 20, 127, 128, 129, 300][random.usize(..7)];
        let disorder = sources.iter().flat_map(|events| disorders(events)).max().unwrap_or(0);
        Input { sources, disorder, prefix: "k".repeat(length) }
    }
}

/// The shape of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Topology {
    /// One source, stateless operators; rows in a folder of the real connector, and others beside it.
    Linear,
    /// Two sources merged; each record gets a number within its key.
    Union,
    /// One stream used twice: appended rows, and sums by key.
    FanOut,
    /// Deduplication by id, then numbers by key, then counts by number.
    TwoKeyed,
    /// Deduplication by ids that expire, and balances, brought up to date with every checkpoint.
    Ledger,
    /// One stream on two ways of different length that meet again; numbers by key.
    Diamond,
    /// Every record at every task, and deduplication of that, into a folder.
    Broadcast,
    /// Three tables in one operator, under long keys; what one of them keeps is removed again.
    Tallies,
    /// Input that is no record goes to dead letters.
    Letters,
    /// The same into the folders of the real connector, on the simulated disk.
    Folders,
    /// JSON Lines files that grow, read by the real connector from the simulated disk.
    Lines,
    /// The same with CSV files.
    Rows,
    /// Two sources, whose events are counted by key and window of time.
    Windows,
    /// State of no key: what is split among the tasks, and what all of them have, shown at the end.
    Unkeyed,
    /// One source that is further out of order than it says: events by key and overlapping windows of time,
    /// which late ones still change, or miss.
    Late,
    /// One source: events after which a key is silent for a while, found by timers in the order of time.
    Pauses,
}

impl Topology {
    /// All of them.
    pub const ALL: [Topology; 16] = [
        Topology::Linear,
        Topology::Union,
        Topology::FanOut,
        Topology::TwoKeyed,
        Topology::Ledger,
        Topology::Diamond,
        Topology::Broadcast,
        Topology::Tallies,
        Topology::Letters,
        Topology::Folders,
        Topology::Lines,
        Topology::Rows,
        Topology::Unkeyed,
        Topology::Windows,
        Topology::Late,
        Topology::Pauses,
    ];

    /// The sinks that it always has.
    pub fn sinks(self) -> &'static [&'static str] {
        match self {
            Topology::Linear => &[LINES, "odd"],
            Topology::Union => &["numbered"],
            Topology::FanOut => &["positive", "sums"],
            Topology::TwoKeyed => &["counts"],
            Topology::Ledger => &["balances"],
            Topology::Diamond => &["met"],
            Topology::Broadcast => &[LINES],
            Topology::Unkeyed => &["ends"],
            Topology::Tallies => &["tallies"],
            Topology::Letters | Topology::Lines | Topology::Rows => &["good", "letters"],
            Topology::Folders => &[LINES, DEAD],
            Topology::Windows | Topology::Late | Topology::Pauses => &["timed", "late"],
        }
    }

    /// Whether sinks write into folders.
    pub fn has_folders(self) -> bool {
        matches!(self, Self::Folders | Self::Linear | Self::Broadcast)
    }

    /// Whether input that is no record is rejected.
    pub fn rejects(self) -> bool {
        matches!(self, Self::Letters | Self::Folders | Self::Lines | Self::Rows)
    }
}

/// The sink that writes lines into a folder.
pub const LINES: &str = "lines";

/// The sink that writes dead letters into a folder.
pub const DEAD: &str = "dead";

/// The sink that may be added and removed in mid-life: every event of the first source.
pub const EXTRA: &str = "extra";

/// The operator before that sink, which keeps state.
pub const EXTRA_STATE: &str = "extra distinct";

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
