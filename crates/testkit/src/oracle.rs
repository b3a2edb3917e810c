//! What the sinks must show, computed from the input alone. It shares no code with the engine: no
//! operator, no table, no hash.

use std::collections::{BTreeMap, BTreeSet};

use crate::input::{EXTRA, Event, Input, Topology, UNMARKED};

/// What a sink's rows are.
#[derive(Clone, Debug)]
pub enum Expected {
    /// A row for each of these events, told by its number.
    PerEvent {
        /// The source and index of each.
        events: BTreeMap<String, (usize, usize)>,
        /// Whether the events of a split come in order.
        ordered: bool,
    },
    /// For each key, rows `[key,1]`, `[key,2]`, … for its events, given by source and index.
    Numbered(BTreeMap<u32, Vec<(usize, usize)>>),
    /// A row `[number,count]` for each number, at the end.
    Counts(BTreeMap<u64, u64>),
    /// A row for each key, which is replaced when it changes: what it has seen of these events.
    Summaries {
        /// The events of each key.
        keys: BTreeMap<String, Vec<Event>>,
        /// Whether the events of a split come in order.
        ordered: bool,
    },
}

/// See the module.
pub struct Oracle {
    /// What each sink must show.
    pub sinks: BTreeMap<&'static str, Expected>,
    /// How many events each source has; none if the job does not read it.
    pub totals: BTreeMap<&'static str, u64>,
    /// The split of each event of the first source.
    splits: Vec<usize>,
}

fn per_event(input: &Input, ordered: bool, keeps: impl Fn(&Event) -> bool) -> Expected {
    let events = input.sources[0].iter().enumerate().filter(|(_, event)| keeps(event));
    let events = events.map(|(index, e)| (e.seq.to_string(), (0, index))).collect();
    Expected::PerEvent { events, ordered }
}

fn distinct(events: &[Event]) -> impl Iterator<Item = &Event> {
    let mut seen = BTreeSet::new();
    events.iter().filter(move |event| seen.insert(event.id))
}

fn summaries<'a>(events: impl Iterator<Item = &'a Event>, ordered: bool) -> Expected {
    let mut keys: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in events {
        keys.entry(event.key.to_string()).or_default().push(event.clone());
    }
    Expected::Summaries { keys, ordered }
}

impl Oracle {
    /// What a job of this shape must make of the input.
    pub fn new(topology: Topology, input: &Input) -> Self {
        let first = &input.sources[0];
        let every = || per_event(input, true, |_| true);
        let mut sinks = BTreeMap::from([(EXTRA, every()), (UNMARKED, every())]);
        let mut totals = BTreeMap::from([("first", first.len() as u64)]);
        match topology {
            Topology::Linear => {
                sinks.insert("out", per_event(input, false, |e| (e.amount * 3) % 2 == 0));
            }
            Topology::Union => {
                totals.insert("second", input.sources[1].len() as u64);
                let mut keys: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
                for (source, events) in input.sources.iter().enumerate() {
                    for (index, event) in events.iter().enumerate() {
                        keys.entry(event.key).or_default().push((source, index));
                    }
                }
                sinks.insert("numbered", Expected::Numbered(keys));
            }
            Topology::FanOut => {
                sinks.insert("positive", per_event(input, true, |e| e.amount > 0));
                sinks.insert("sums", summaries(first.iter(), true));
            }
            Topology::TwoKeyed => {
                let mut keys: BTreeMap<u32, u64> = BTreeMap::new();
                let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
                for event in distinct(first) {
                    let number = keys.entry(event.key).or_default();
                    *number += 1;
                    *counts.entry(*number).or_default() += 1;
                }
                sinks.insert("counts", Expected::Counts(counts));
            }
            Topology::Ledger => {
                sinks.insert("balances", summaries(distinct(first), false));
            }
        }
        let splits = first.iter().map(|event| event.split).collect();
        Oracle { sinks, totals, splits }
    }

    /// What a row of a sink speaks of: no two rows may speak of the same.
    pub fn id<'a>(&self, sink: &str, text: &'a str) -> &'a str {
        match self.sinks.get(sink) {
            Some(Expected::Counts(_)) => text.split(',').next().unwrap_or_default(),
            _ => text,
        }
    }

    /// Of rows that come in order: what they have in common, and which of them this one is.
    pub fn place(&self, sink: &str, text: &str) -> Option<(u64, u64)> {
        match self.sinks.get(sink)? {
            Expected::PerEvent { events, ordered: true } => {
                let (_, index) = events.get(text)?;
                Some((*self.splits.get(*index)? as u64, *index as u64))
            }
            Expected::Numbered(_) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }
}
