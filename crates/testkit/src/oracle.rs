//! What the sinks must show, computed from the input alone. It shares no code with the engine: no
//! operator, no table, no hash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::input::{EXTRA, Event, Input, KEEP, LINES, Topology, UNMARKED};
use crate::input_files::InputFiles;
use crate::prefix::Prefix;

mod timed;

pub use timed::{PAUSES, WINDOWS, id};

/// What the row of a key is called, where those of events are called by their numbers.
pub fn row_of(key: u32) -> u64 {
    1_000_000_000 + u64::from(key)
}

/// Jobs mark numbers with so much more: no key has so many events.
pub const MOST_OF_A_KEY: u64 = 1_000_000;

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
    /// A row `[id,count]` for each id, as soon as the watermark of an operator is at its time, or at the end.
    Timed {
        /// The operator.
        operator: &'static str,
        /// The count of each id, and the time at which it is complete.
        rows: BTreeMap<u64, (u64, i64)>,
    },
    /// None, or a row for any of these events; any that was read again may come after its window was closed.
    Late(BTreeSet<String>),
    /// A row for each key, which is replaced when it changes: what it has seen of these events.
    Summaries {
        /// The events of each key.
        keys: BTreeMap<String, Vec<Event>>,
        /// What comes a second time, and may be counted once more where events are read again out of
        /// order: whether it is a repetition depends on what came before it.
        repeats: BTreeMap<String, Vec<Event>>,
        /// Whether the events of a split come in order.
        ordered: bool,
        /// Whether events may be missing, because they came late.
        may_miss: bool,
    },
}

/// Rows by their text, or keys with the events that their rows have seen.
pub type Due = BTreeMap<String, BTreeSet<u64>>;

/// See the module.
pub struct Oracle {
    /// What each sink must show.
    pub sinks: BTreeMap<&'static str, Expected>,
    /// How many events each source has; none if the job does not read it.
    pub totals: BTreeMap<&'static str, u64>,
    /// The split of each event of the first source.
    splits: Vec<usize>,
    /// Whether each event of the first source is rejected.
    bad: Vec<bool>,
    /// By table of state from which nothing is removed: for each source, what of each of its events an entry is
    /// kept for.
    alive: BTreeMap<&'static str, [Vec<u64>; 2]>,
    /// The events of the first source that the operator of this name drops as repeated.
    repeated: Option<(&'static str, BTreeSet<usize>)>,
    /// The files of the first source, if it reads files.
    pub files: Option<Arc<InputFiles>>,
}

fn per_event(input: &Input, ordered: bool, keeps: impl Fn(&Event) -> bool) -> Expected {
    let events = input.sources[0].iter().enumerate().filter(|(_, event)| keeps(event));
    let events = events.map(|(index, e)| (e.seq.to_string(), (0, index))).collect();
    Expected::PerEvent { events, ordered }
}

/// The events whose id has not been used within the time for which it counts.
fn unexpired(events: &[Event]) -> impl Iterator<Item = &Event> {
    let mut uses: BTreeMap<u64, i64> = BTreeMap::new();
    events.iter().filter(move |event| match uses.get_mut(&event.id) {
        Some(at) if (*at - event.at).abs() <= KEEP => false,
        Some(at) => {
            *at = event.at;
            true
        }
        None => uses.insert(event.id, event.at).is_none(),
    })
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
    Expected::Summaries { keys, repeats: BTreeMap::new(), ordered, may_miss: false }
}

/// See [`Oracle::alive`].
fn alive(topology: Topology, input: &Input) -> BTreeMap<&'static str, [Vec<u64>; 2]> {
    let of = |source: usize, entry: fn(&Event) -> u64| -> Vec<u64> {
        input.sources[source].iter().map(entry).collect()
    };
    let key = |event: &Event| u64::from(event.key);
    let first = |entry| [of(0, entry), Vec::new()];
    let tables: &[(&'static str, [Vec<u64>; 2])] = &match topology {
        Topology::Union => vec![("number/count", [of(0, key), of(1, key)])],
        Topology::Diamond => vec![("number/count", first(key))],
        Topology::FanOut => vec![("sum/state", first(key))],
        Topology::Tallies => vec![("tally/total", first(key))],
        Topology::TwoKeyed => {
            let id = |event: &Event| event.id;
            vec![("distinct/seen", first(id))]
        }
        Topology::Broadcast => vec![("first copy/seen", first(|event| event.seq))],
        _ => Vec::new(),
    };
    tables.iter().cloned().collect()
}

impl Oracle {
    /// What a job of this shape must make of the input.
    pub fn new(topology: Topology, input: &Input) -> Self {
        let first = &input.sources[0];
        let has_bad = topology.rejects();
        // The parts of a file are read at the same time.
        let ordered = topology != Topology::Lines;
        let every = || per_event(input, ordered, |e| !(e.bad && has_bad));
        let extra = per_event(input, false, |e| !(e.bad && has_bad));
        let mut sinks = BTreeMap::from([(EXTRA, extra), (UNMARKED, every())]);
        let records = first.iter().filter(|e| !(e.bad && has_bad)).count() as u64;
        let mut totals = BTreeMap::from([("first", records)]);
        let numbered = |sources: &[usize], times: usize| {
            let mut keys: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
            for source in sources {
                for (index, event) in input.sources[*source].iter().enumerate() {
                    let numbers = keys.entry(event.key).or_default();
                    numbers.extend(std::iter::repeat_n((*source, index), times));
                }
            }
            Expected::Numbered(keys)
        };
        match topology {
            Topology::Linear => {
                sinks.insert(LINES, per_event(input, false, |e| (e.amount * 3) % 2 == 0));
                sinks.insert("odd", per_event(input, false, |e| (e.amount * 3) % 2 != 0));
            }
            Topology::Union => {
                totals.insert("second", input.sources[1].len() as u64);
                sinks.insert("numbered", numbered(&[0, 1], 1));
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
                let mut expected = summaries(unexpired(first), false);
                let all = summaries(first.iter(), false);
                if let (Expected::Summaries { repeats, .. }, Expected::Summaries { keys, .. }) =
                    (&mut expected, all)
                {
                    *repeats = keys;
                }
                sinks.insert("balances", expected);
            }
            Topology::Diamond => drop(sinks.insert("met", numbered(&[0], 2))),
            Topology::Broadcast => drop(sinks.insert(LINES, per_event(input, false, |_| true))),
            Topology::Tallies => drop(sinks.insert("tallies", numbered(&[0], 1))),
            Topology::Windows => {
                totals.insert("second", input.sources[1].len() as u64);
                let rows = timed::windows(first.iter().chain(&*input.sources[1]));
                sinks.insert("timed", Expected::Timed { operator: timed::WINDOWS, rows });
                sinks.insert("late", Expected::Late(BTreeSet::new()));
            }
            Topology::Late => {
                let (keys, repeats) = (timed::overlapping(first), BTreeMap::new());
                let windows = Expected::Summaries { keys, repeats, ordered: false, may_miss: true };
                sinks.insert("timed", windows);
                let events = first.iter().map(|event| event.seq.to_string()).collect();
                sinks.insert("late", Expected::Late(events));
            }
            Topology::Pauses => {
                let rows = timed::pauses(first);
                sinks.insert("timed", Expected::Timed { operator: timed::PAUSES, rows });
                sinks.insert("late", Expected::Late(BTreeSet::new()));
            }
            Topology::Unkeyed => {
                let mut ends: BTreeMap<u64, u64> =
                    first.iter().map(|event| (event.seq, 1)).collect();
                for event in first.iter() {
                    *ends.entry(row_of(event.key)).or_default() += 1;
                }
                sinks.insert("ends", Expected::Counts(ends));
            }
            Topology::Letters | Topology::Folders | Topology::Lines | Topology::Rows => {
                let [good, bad] = topology.sinks() else { unreachable!("two sinks") };
                sinks.insert(good, per_event(input, ordered, |e| !e.bad));
                sinks.insert(bad, per_event(input, ordered, |e| e.bad));
            }
        }
        let splits = first.iter().map(|event| event.split).collect();
        let bad = first.iter().map(|event| event.bad && has_bad).collect();
        let files = InputFiles::new(topology, first).map(Arc::new);
        let others = |kept: BTreeSet<u64>| {
            let dropped = first.iter().enumerate().filter(|(_, event)| !kept.contains(&event.seq));
            dropped.map(|(index, _)| index).collect()
        };
        let repeated = match topology {
            Topology::TwoKeyed => Some(others(distinct(first).map(|event| event.seq).collect())),
            Topology::Ledger => Some(others(unexpired(first).map(|event| event.seq).collect())),
            _ => None,
        };
        let repeated = repeated.map(|events| ("distinct", events));
        let alive = alive(topology, input);
        Oracle { sinks, totals, splits, bad, alive, repeated, files }
    }

    /// How many entries a table of state has at a checkpoint, if nothing is ever removed from it.
    pub fn alive(&self, table: &str, prefix: &Prefix) -> Option<u64> {
        let sources = self.alive.get(table)?;
        let of_source = |source: usize| {
            let all = sources[source].iter().enumerate();
            all.filter(move |(index, _)| prefix.has((source, *index))).map(|(_, entry)| *entry)
        };
        let entries: BTreeSet<u64> = of_source(0).chain(of_source(1)).collect();
        Some(entries.len() as u64)
    }

    /// Whether an event is no record.
    pub fn is_bad(&self, source: usize, index: usize) -> bool {
        source == 0 && self.bad[index]
    }

    /// The operator that drops repeated events, and how many of those a checkpoint has read.
    pub fn repeated(&self, prefix: &Prefix) -> Option<(&'static str, u64)> {
        let (operator, events) = self.repeated.as_ref()?;
        Some((operator, prefix.count(0, |index| events.contains(&index))))
    }

    /// What a sink must show if the input were this prefix.
    pub fn due(&self, sink: &str, prefix: &Prefix) -> Option<Due> {
        Some(match self.sinks.get(sink)? {
            Expected::PerEvent { events, .. } => {
                let read = events.iter().filter(|(_, at)| prefix.has(**at));
                read.map(|(row, _)| (row.clone(), BTreeSet::new())).collect()
            }
            Expected::Numbered(keys) => {
                let numbers = keys.iter().flat_map(|(key, events)| {
                    let count = events.iter().filter(|at| prefix.has(**at)).count();
                    (1..=count).map(move |number| format!("[{key},{number}]"))
                });
                numbers.map(|row| (row, BTreeSet::new())).collect()
            }
            Expected::Counts(counts) if prefix.is_finished => {
                let rows = counts.iter().map(|(number, count)| format!("[{number},{count}]"));
                rows.map(|row| (row, BTreeSet::new())).collect()
            }
            Expected::Summaries { may_miss: true, .. } => return None,
            Expected::Late(events) if !events.is_empty() => return None,
            Expected::Counts(_) | Expected::Late(_) => Due::new(),
            Expected::Timed { operator, rows } => {
                let is_due = |at: i64| prefix.is_finished || at <= prefix.watermark(operator);
                let due = rows.iter().filter(|(_, (_, at))| is_due(*at));
                due.map(|(id, (count, _))| (format!("[{id},{count}]"), BTreeSet::new())).collect()
            }
            Expected::Summaries { keys, .. } => {
                let seen = keys.iter().map(|(key, events)| {
                    let read = events.iter().filter(|event| prefix.has((0, event.seq as usize)));
                    (key.clone(), read.map(|event| event.seq).collect::<BTreeSet<_>>())
                });
                seen.filter(|(_, events)| !events.is_empty()).collect()
            }
        })
    }

    /// What a row of a sink speaks of: no two rows may speak of the same.
    pub fn id<'a>(&self, sink: &str, text: &'a str) -> &'a str {
        match self.sinks.get(sink) {
            Some(Expected::Counts(_) | Expected::Timed { .. }) => {
                text.split(',').next().unwrap_or_default()
            }
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
            Expected::Numbered(_) => {
                let (key, number) = serde_json::from_str(text).ok()?;
                (number < MOST_OF_A_KEY).then_some((key, number))
            }
            _ => None,
        }
    }
}
