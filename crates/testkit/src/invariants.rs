//! What must hold, whatever befalls the processes.
//!
//! Each row carries the number of the process that computed it. Of all processes that have read an
//! event, only the one that claimed last (its *last reader*) can have committed it. From that
//! follows what a change of the consistency level between two lives keeps (written under → continued
//! under):
//!
//! | | exactly_once | at_least_once | at_most_once |
//! |---|---|---|---|
//! | **exactly_once** | every row once | what was committed: every row once, never again; what was not: read again, and may come more than once | what was committed: every row once; what was not: read again, and may be missing |
//! | **at_least_once** | every row; those of the epochs that were not committed may be there from both | every row, or more than once | every row that was committed; those of epochs that were not may be there already, or missing |
//! | **at_most_once** | what was committed may be missing and is never repeated; the rest once | the same; the rest may come more than once | no row twice |
//!
//! In other words, at every moment and even after damage: of all rows that speak of the same thing,
//! at most one was computed by processes that do not repeat (`exactly_once` and `at_most_once`
//! together), and each process that does repeat adds at most one. At the end, a row whose last
//! reader was not `at_most_once` is there. State that an `at_least_once` process has touched may
//! have counted an event twice, and is held against lower bounds from then on; a reset ends that.

pub mod counting;
pub mod growth;
pub mod history;
pub mod kept;
pub mod lateness;
pub mod order;
pub mod prefix;
pub mod resumed;
pub mod targets;
pub mod unmarked;

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::target::Marker;
use steadfast_protocol::manifest::Consistency;

use crate::input::{EXTRA, Summary, UNMARKED};
use crate::observer::{Observer, Seen};
use crate::oracle::{Expected, Oracle, PAUSES};
use crate::shown::{Shown, ShownRow};

/// A table is changed only by the newest claim that has ever changed it, or a newer one.
pub fn fenced(observer: &Observer, name: &str, marker: &Marker) {
    let seen = &mut *observer.seen();
    let Some(rank) = seen.claim_in(marker).map(|claim| claim.rank) else {
        return seen.violations.push(format!("{name}: changed by {marker}, who never claimed"));
    };
    let newest = seen.ranks.entry(name.to_string()).or_default();
    let was_fenced = rank < *newest;
    *newest = rank.max(*newest);
    if was_fenced {
        seen.violations.push(format!("{name}: changed by {marker}, who was fenced"));
    }
}

fn era(seen: &Seen, by: u16) -> u64 {
    seen.claim_of(by).map_or(0, |claim| claim.era)
}

/// A row is about to be appended.
pub fn appends(
    oracle: &Oracle,
    observer: &Observer,
    name: &str,
    table: &Shown<'_>,
    row: &ShownRow<'_>,
) {
    let ShownRow { by, text, .. } = *row;
    let seen = &mut *observer.seen();
    // Whoever finds pauses finds others where events are read again, and the same once more.
    let is_timed =
        matches!(oracle.sinks.get(name), Some(Expected::Timed { .. } | Expected::Late(_)));
    if is_timed && seen.is_inflated(era(seen, by)) {
        return;
    }
    let mut wrong =
        |what: &str| seen.violations.push(format!("{name}: row {text} of process {by} {what}"));
    let others = table.appended.get(row.id).map_or(&[][..], Vec::as_slice);
    if others.iter().any(|(other, _)| *other == by) {
        return wrong("is there twice");
    }
    let repeats = |by: u16| seen.level(by) == Consistency::AtLeastOnce;
    // Its target is not looked at while the job goes back to an older checkpoint without it.
    let is_left_behind = name == EXTRA && seen.damaged;
    if !is_left_behind
        && !repeats(by)
        && let Some((other, _)) = others.iter().find(|(other, _)| !repeats(*other))
    {
        let what = format!("{name}: row {text} of process {by} is there already, by {other}");
        return seen.violations.push(what);
    }
    let own = era(seen, by);
    if let Some((other, _)) = table.appended.values().flatten().next()
        && era(seen, *other) != own
    {
        return seen.violations.push(format!("{name}: row {text} joins rows of before a reset"));
    }
    let is_inflated = seen.is_inflated(own);
    if !is_due(oracle, name, text, is_inflated) {
        seen.violations.push(format!("{name}: row {text} of process {by} is not due"));
    }
}

/// Whether a row may be there at all.
fn is_due(oracle: &Oracle, name: &str, text: &str, is_inflated: bool) -> bool {
    match oracle.sinks.get(name) {
        Some(Expected::PerEvent { events, .. }) => events.contains_key(text),
        Some(Expected::Numbered(keys)) => {
            serde_json::from_str(text).is_ok_and(|(key, n): (u32, usize)| {
                let due = keys.get(&key).map_or(0, Vec::len);
                n > 0 && due > 0 && (n <= due || is_inflated)
            })
        }
        Some(Expected::Late(events)) => is_inflated || events.contains(text),
        Some(Expected::Timed { rows, .. }) => {
            serde_json::from_str(text).is_ok_and(|(id, count): (u64, u64)| {
                let due = rows.get(&id).map_or(0, |row| row.0);
                due == count && due > 0 || is_inflated
            })
        }
        Some(Expected::Counts(counts)) => serde_json::from_str(text)
            .is_ok_and(|(n, count): (u64, u64)| is_inflated || counts.get(&n) == Some(&count)),
        _ => false,
    }
}

/// A row is about to be replaced.
pub fn upserts(
    oracle: &Oracle,
    observer: &Observer,
    name: &str,
    table: &Shown<'_>,
    key: &str,
    row: &ShownRow<'_>,
) {
    let ShownRow { by, text: value, .. } = *row;
    let seen = &mut *observer.seen();
    let own = era(seen, by);
    let problem = (|| {
        let Some(Expected::Summaries { keys, repeats, ordered, .. }) = oracle.sinks.get(name)
        else {
            return Some("is no summary");
        };
        if let Some((other, _)) = table.by_key.values().next()
            && era(seen, *other) != own
        {
            return Some("joins rows of before a reset");
        }
        let due = keys.get(key)?;
        let Ok(summary) = serde_json::from_str::<Summary>(value) else {
            return Some("cannot be read");
        };
        let repeated = repeats.get(key).filter(|_| seen.is_inflated(own)).into_iter().flatten();
        let by_seq: BTreeMap<u64, _> =
            due.iter().chain(repeated).map(|event| (event.seq, event)).collect();
        if !summary.seen.iter().all(|seq| by_seq.contains_key(seq)) {
            return Some("has events that are not due");
        }
        if summary.sum != summary.seen.iter().map(|seq| by_seq[seq].amount).sum::<i64>() {
            return Some("has a sum that is not that of its events");
        }
        if seen.is_inflated(own) {
            return None;
        }
        if summary.seen.iter().collect::<BTreeSet<_>>().len() != summary.seen.len() {
            return Some("has an event twice");
        }
        if *ordered {
            let mut splits: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
            summary
                .seen
                .iter()
                .for_each(|seq| splits.entry(by_seq[seq].split).or_default().push(*seq));
            let is_prefix = |(split, seqs): (&usize, &Vec<u64>)| {
                due.iter()
                    .filter(|e| e.split == *split)
                    .map(|e| e.seq)
                    .take(seqs.len())
                    .eq(seqs.iter().copied())
            };
            if !splits.iter().all(is_prefix) {
                return Some("has events of a split that are no prefix of it");
            }
        }
        if !seen.damaged
            && let Some((_, before)) = table.by_key.get(key)
            && let Ok(before) = serde_json::from_str::<Summary>(before)
            && before.seen.len() >= summary.seen.len()
        {
            return Some("goes back, or has not changed");
        }
        None
    })();
    if keys_missing(oracle, name, key) || problem.is_some() {
        let what = problem.unwrap_or("has a key that is not due");
        seen.violations.push(format!("{name}: row {key} = {value} of process {by} {what}"));
    }
}

fn keys_missing(oracle: &Oracle, name: &str, key: &str) -> bool {
    match oracle.sinks.get(name) {
        Some(Expected::Summaries { keys, .. }) => !keys.contains_key(key),
        _ => true,
    }
}

/// Whether what a process has committed must be there.
fn must_show(seen: &Seen, name: &str, by: u16, forgotten: u64) -> bool {
    let process = &seen.processes[usize::from(by)];
    // What has been committed at most once is missing only where something came between.
    let is_lost = process.level == Consistency::AtMostOnce
        && (!process.finished || process.disturbed || seen.damaged);
    !is_lost
        && process.sinks.contains(name)
        && process.claim.as_ref().is_some_and(|claim| claim.rank > forgotten)
}

/// Whether what comes of an event must be there.
fn must_show_event(
    seen: &Seen,
    name: &str,
    (source, index): (usize, usize),
    forgotten: u64,
) -> bool {
    // After the store was put back, somebody else than the last reader may have committed it.
    match seen.restorations {
        0 => {
            let reader = seen.last_reader(source, index);
            reader.is_some_and(|by| must_show(seen, name, by, forgotten))
        }
        _ => {
            let readers = &seen.readers[source][index];
            !readers.is_empty() && readers.iter().all(|by| must_show(seen, name, *by, forgotten))
        }
    }
}

/// Whether what anybody has committed since the last reset must be there.
fn all_must_show(seen: &Seen, name: &str) -> bool {
    let all = 0..seen.processes.len() as u16;
    let mut of_era = all.filter(|by| seen.claim_of(*by).is_some_and(|claim| claim.era == seen.era));
    of_era.all(|by| must_show(seen, name, by, 0))
}

/// What is wrong with a table after the job has finished, if anything. `forgotten` is the rank of the
/// last claim that was told to forget the sink: what was committed before it may be missing.
pub fn at_end(
    oracle: &Oracle,
    seen: &Seen,
    name: &str,
    table: &Shown<'_>,
    forgotten: u64,
) -> Option<String> {
    let must = |by: u16| must_show(seen, name, by, forgotten);
    let must_read = |at: (usize, usize)| must_show_event(seen, name, at, forgotten);
    let unread = || {
        let all = seen
            .readers
            .iter()
            .enumerate()
            .filter(|(source, _)| oracle.totals.contains_key(["first", "second"][*source]));
        all.flat_map(|(_, readers)| readers).any(Vec::is_empty)
    };
    if unread() {
        return Some("the job has finished, but an event was never read".to_string());
    }
    if name == UNMARKED {
        return unmarked::at_end(oracle, seen, name, table, must_read);
    }
    let is_inflated = seen.is_inflated(seen.era);
    match oracle.sinks.get(name)? {
        Expected::PerEvent { events, .. } => {
            let missing = events
                .iter()
                .find(|(row, at)| !table.appended.contains_key(row.as_str()) && must_read(**at));
            missing.map(|(row, at)| {
                format!(
                    "{name}: row {row} is missing, last read by {:?}",
                    seen.last_reader(at.0, at.1)
                )
            })
        }
        Expected::Numbered(keys) => keys.iter().find_map(|(key, events)| {
            let all = events.iter().all(|at| must_read(*at));
            let has = |n: usize| table.appended.contains_key(format!("[{key},{n}]").as_str());
            if all && let Some(n) = (1..=events.len()).find(|n| !has(*n)) {
                return Some(format!("{name}: row [{key},{n}] is missing"));
            }
            if is_inflated || seen.restorations > 0 {
                return None;
            }
            // Each event has given one row, by whoever committed it.
            let prefix = format!("[{key},");
            let rows = table.appended.iter().filter(|(row, _)| row.starts_with(&prefix));
            let mut by: BTreeMap<u16, i64> = BTreeMap::new();
            rows.flat_map(|(_, rows)| rows)
                .for_each(|(process, _)| *by.entry(*process).or_default() += 1);
            for at in events {
                if let Some(reader) = seen.last_reader(at.0, at.1) {
                    *by.entry(reader).or_default() -= 1;
                }
            }
            let wrong = by.iter().find(|(process, n)| **n > 0 || **n < 0 && must(**process));
            wrong.map(|(process, n)| {
                format!("{name}: key {key} has {n:+} rows of process {process}")
            })
        }),
        Expected::Late(_) | Expected::Summaries { may_miss: true, .. } => None,
        // Where an event is read again that is older than what its rule knows, the rule loses the newer one.
        Expected::Timed { operator: PAUSES, .. } if is_inflated => None,
        Expected::Timed { rows, .. } => {
            // Whoever was there may have shown a row whose events others had read.
            if !all_must_show(seen, name) {
                return None;
            }
            let has = |id: &u64| table.appended.contains_key(format!("[{id}").as_str());
            let missing = rows.keys().find(|id| !has(id))?;
            Some(format!("{name}: the row of {missing} is missing"))
        }
        Expected::Counts(counts) => {
            let finisher = seen.newest.as_ref().and_then(|m| seen.commits.get(&m.checkpoint.0));
            if !finisher.is_some_and(|by| must(*by)) {
                return None;
            }
            let wrong = counts.iter().find(|(number, count)| {
                let rows = table.appended.get(format!("[{number}").as_str()).into_iter().flatten();
                let counts =
                    rows.filter_map(|(_, row)| serde_json::from_str::<(u64, u64)>(row).ok());
                counts.map(|row| row.1).max().unwrap_or(0) < **count
            });
            wrong.map(|(number, count)| format!("{name}: {number} was not counted {count} times"))
        }
        Expected::Summaries { keys, .. } => keys.iter().find_map(|(key, events)| {
            // The row was replaced last when the last of its events was committed.
            let readers = events.iter().map(|e| seen.last_reader(0, e.seq as usize));
            let last =
                readers.flatten().max_by_key(|by| seen.claim_of(*by).map_or(0, |c| c.rank))?;
            let is_sure = match seen.restorations {
                0 => must(last),
                _ => events.iter().all(|e| must_read((0, e.seq as usize))),
            };
            if !is_sure {
                return None;
            }
            let found = table
                .by_key
                .get(key.as_str())
                .and_then(|(_, row)| serde_json::from_str::<Summary>(row).ok());
            let found: BTreeSet<u64> = found.unwrap_or_default().seen.into_iter().collect();
            let missing = events.iter().find(|event| !found.contains(&event.seq))?;
            Some(format!("{name}: the row of key {key} misses event {}", missing.seq))
        }),
    }
}
