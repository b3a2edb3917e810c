//! What the sinks must show, computed from the input alone. It shares no code with the engine: no
//! operator, no table, no hash.

use std::collections::{BTreeMap, BTreeSet};

use crate::topologies::{Event, Input, Topology};

/// What a table must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Each row so many times, in any order.
    Rows(BTreeMap<String, usize>),
    /// A row `[key,count]` for each key.
    Counts(BTreeMap<u64, u64>),
    /// A row for each key, which is replaced when it changes.
    ByKey(BTreeMap<String, String>),
}

fn rows(all: impl IntoIterator<Item = String>) -> Expected {
    let mut counts = BTreeMap::new();
    for row in all {
        *counts.entry(row).or_default() += 1;
    }
    Expected::Rows(counts)
}

impl Expected {
    /// How often each appended row must be there; none if rows are replaced.
    pub fn rows(&self) -> Option<BTreeMap<String, usize>> {
        match self {
            Expected::Rows(rows) => Some(rows.clone()),
            Expected::Counts(counts) => {
                Some(counts.iter().map(|(key, count)| (format!("[{key},{count}]"), 1)).collect())
            }
            Expected::ByKey(_) => None,
        }
    }
}

fn distinct(events: &[Event]) -> Vec<&Event> {
    let mut seen = BTreeSet::new();
    events.iter().filter(|event| seen.insert(event.id)).collect()
}

fn by_key<'a>(events: impl IntoIterator<Item = &'a Event>) -> BTreeMap<u32, Vec<&'a Event>> {
    let mut groups: BTreeMap<u32, Vec<&Event>> = BTreeMap::new();
    for event in events {
        groups.entry(event.key).or_default().push(event);
    }
    groups
}

/// What each sink of the topology must show.
pub fn expected(topology: Topology, input: &Input) -> BTreeMap<&'static str, Expected> {
    let json =
        |e: &Event, amount| format!("{{\"id\":{},\"key\":{},\"amount\":{amount}}}", e.id, e.key);
    let first = &input.first;
    match topology {
        Topology::Linear => {
            let kept = first.iter().filter(|e| (e.amount * 3) % 2 == 0);
            BTreeMap::from([("out", rows(kept.map(|e| json(e, e.amount * 3))))])
        }
        Topology::Union => {
            let groups = by_key(first.iter().chain(&input.second));
            let numbered = groups.iter().flat_map(|(key, events)| {
                (1..=events.len()).map(move |number| format!("[{key},{number}]"))
            });
            BTreeMap::from([("numbered", rows(numbered))])
        }
        Topology::FanOut => {
            let positive = first.iter().filter(|e| e.amount > 0).map(|e| json(e, e.amount));
            let sums = by_key(first).into_iter().map(|(key, events)| {
                let sum: i64 = events.iter().map(|e| e.amount).sum();
                (key.to_string(), sum.to_string())
            });
            BTreeMap::from([
                ("positive", rows(positive)),
                ("sums", Expected::ByKey(sums.collect())),
            ])
        }
        Topology::TwoKeyed => {
            let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
            for events in by_key(distinct(first)).values() {
                for number in 1..=events.len() as u64 {
                    *counts.entry(number).or_default() += 1;
                }
            }
            BTreeMap::from([("counts", Expected::Counts(counts))])
        }
        Topology::Ledger => {
            let balances = by_key(distinct(first)).into_iter().map(|(key, events)| {
                let balance: i64 = events.iter().map(|e| e.amount).sum();
                (key.to_string(), format!("[{balance},{}]", events.len()))
            });
            BTreeMap::from([("balances", Expected::ByKey(balances.collect()))])
        }
    }
}
