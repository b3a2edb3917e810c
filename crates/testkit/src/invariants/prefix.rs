//! In mid-run: what a table shows is what some prefix of the input explains, the one that a checkpoint
//! has read, and what a manifest counts is what is in that prefix.
//!
//! | the history so far | held against the prefix |
//! |---|---|
//! | `exactly_once` alone | after each output that is applied: the table shows it, no less and no more |
//! | `at_most_once` alone, or with `exactly_once` | after each output that is applied: the table shows no more, and of the newest epoch no less |
//! | `at_least_once` alone, or with `exactly_once` | when a checkpoint is committed: the table shows no less |
//!
//! Nothing is said of sinks that come and go, or after damage.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::target::Marker;
use steadfast_protocol::manifest::{Consistency, Manifest, Splits};

use super::era;
use crate::input::{EXTRA, Summary, UNMARKED};
use crate::observer::{Observer, Seen};
use crate::oracle::{Due, Expected, Oracle};
use crate::prefix::{Prefix, SOURCES};
use crate::table::{Table, Tables, signed};

/// Larger tables are looked at after every eighth checkpoint only.
const LARGE: usize = 300;

/// Output has been applied to a table.
pub fn applied(
    oracle: &Oracle,
    observer: &Observer,
    name: &str,
    table: &Table,
    marker: &Marker,
    by: u16,
) {
    let seen = &mut *observer.seen();
    let checkpoint = marker.checkpoint.0;
    if cannot_say(seen, name, by) || is_skipped(table, checkpoint) {
        return;
    }
    let own = era(seen, by);
    if seen.has_level(own, Consistency::AtLeastOnce) {
        return;
    }
    let Some(prefix) = seen.prefixes.get(&checkpoint) else { return };
    let Some(due) = oracle.due(name, prefix) else { return };
    let shown = shown(table);
    let wrong = if !seen.has_level(own, Consistency::AtMostOnce) {
        missing(&due, &shown).map(|what| format!("misses {what}"))
    } else {
        // Whoever has committed the one before has applied it, or was not to.
        let before = prefix.previous.filter(|before| seen.commits.get(before) == Some(&by));
        let before = before.and_then(|before| seen.prefixes.get(&before));
        let old = before.and_then(|before| oracle.due(name, before));
        let mut new = due.clone();
        match old {
            Some(old) => new.retain(|id, events| old.get(id) != Some(events)),
            None => new.clear(),
        }
        missing(&new, &shown).map(|what| format!("misses {what}, which is new"))
    };
    let wrong = wrong
        .or_else(|| missing(&shown, &due).map(|what| format!("shows {what}, which is not in it")));
    seen.count("oracle: a table held against a prefix");
    if let Some(wrong) = wrong {
        let what = format!(
            "{name}: after the output of checkpoint {checkpoint} was applied by {by}, it {wrong}"
        );
        seen.violations.push(what);
    }
}

/// A checkpoint was committed.
pub fn committed(
    oracle: &Oracle,
    observer: &Observer,
    tables: &Tables,
    manifest: &Manifest,
    by: u16,
) -> Prefix {
    let seen = &mut *observer.seen();
    let events = [0, 1].map(|source| seen.readers[source].len());
    let prefix = Prefix::of(manifest, events, oracle.files.as_deref());
    let none = Splits::new();
    let positions = manifest.sources.get(SOURCES[0]).unwrap_or(&none);
    let breach = oracle.files.as_ref();
    let breach = breach.and_then(|files| files.breach(positions, manifest.is_finished()));
    if let Some(wrong) = breach {
        seen.violations
            .push(format!("checkpoint {} of process {by}: {wrong}", manifest.checkpoint));
    }
    let rests = rests(oracle, seen, manifest);
    // Of lines, what was half there has no line end within it, and begins with nothing blank.
    let is_lines = oracle.files.as_ref().is_some_and(|files| files.are_lines());
    let is_exact = is_lines && manifest.is_finished() && !seen.damaged;
    if let Some(wrong) = miscounted(oracle, manifest, &prefix, (rests, is_exact)) {
        seen.violations
            .push(format!("checkpoint {} of process {by}: {wrong}", manifest.checkpoint));
    }
    seen.count("oracle: counters held against a prefix");
    let own = era(seen, by);
    if let Some((operator, due)) = oracle.repeated(&prefix)
        && !seen.is_inflated(own)
    {
        let counted = manifest.counters.get(operator).and_then(|counts| counts.get("duplicates"));
        let found = counted.copied().unwrap_or(0);
        if found != due {
            seen.violations.push(format!(
                "checkpoint {} of process {by}: {operator} counts {found} duplicates and not {due}",
                manifest.checkpoint
            ));
        }
    }
    let is_covered = manifest.consistency == Consistency::AtLeastOnce
        && !seen.has_level(own, Consistency::AtMostOnce);
    for (name, table) in tables {
        let is_own = table.marker.is_some_and(|marker| marker.claim == manifest.claim);
        let skips = is_skipped(table, manifest.checkpoint.0) || cannot_say(seen, name, by);
        if !is_covered || !is_own || skips {
            continue;
        }
        let Some(due) = oracle.due(name, &prefix) else { continue };
        // How often a number came is more where events were read again.
        if matches!(oracle.sinks.get(&**name), Some(Expected::Counts(_) | Expected::Timed { .. })) {
            continue;
        }
        seen.count("oracle: a commit held against a table");
        if let Some(what) = missing(&due, &shown(table)) {
            let id = manifest.checkpoint;
            seen.violations
                .push(format!("{name}: checkpoint {id} of {by} is committed without {what}"));
        }
    }
    let before = prefix.previous.and_then(|before| seen.prefixes.get(&before));
    if before.is_some_and(|before| removes(oracle, before, &prefix)) {
        seen.count("state: an entry removed that a file has");
    }
    seen.prefixes.insert(manifest.checkpoint.0, prefix.clone());
    prefix
}

fn cannot_say(seen: &Seen, name: &str, by: u16) -> bool {
    seen.damaged || name == EXTRA || name == UNMARKED || seen.claim_of(by).is_none()
}

fn is_skipped(table: &Table, checkpoint: u64) -> bool {
    table.appended.len() + table.by_key.len() > LARGE && !checkpoint.is_multiple_of(8)
}

/// What a table shows, in the form in which the oracle says what is due.
fn shown(table: &Table) -> Due {
    let rows = table.appended.iter().map(|line| (signed(line).1.to_string(), BTreeSet::new()));
    let keyed = table.by_key.iter().map(|(key, line)| {
        let summary = serde_json::from_str::<Summary>(signed(line).1).unwrap_or_default();
        (key.to_string(), summary.seen.into_iter().collect())
    });
    rows.chain(keyed).collect()
}

/// The first thing of `due` that is not in `shown`.
fn missing(due: &Due, shown: &Due) -> Option<String> {
    due.iter().find_map(|(id, events)| match shown.get(id) {
        None => Some(format!("row {id}")),
        Some(found) => {
            let event = events.difference(found).next()?;
            Some(format!("event {event} in the row of key {id}"))
        }
    })
}

/// Of how much that was read half the rest must have been rejected, as the checkpoints of this history say, and
/// of how much it may.
fn rests(oracle: &Oracle, seen: &mut Seen, manifest: &Manifest) -> (u64, u64) {
    let Some(files) = &oracle.files else { return (0, 0) };
    let none = Splits::new();
    let positions = manifest.sources.get(SOURCES[0]).unwrap_or(&none);
    let all = seen.read_half.entry(manifest.origin.0).or_default();
    all.extend(files.read_half(positions));
    let is_over = manifest.is_finished() && !seen.damaged;
    let is_rest_there = |half: &&(usize, u64)| !files.ends_at(**half, positions);
    let least = if is_over { all.iter().filter(is_rest_there).count() } else { 0 };
    (least as u64, all.len() as u64)
}

/// What a manifest counts wrongly. It must have rejected so many rests.
fn miscounted(
    oracle: &Oracle,
    manifest: &Manifest,
    prefix: &Prefix,
    ((rests, most), is_exact): ((u64, u64), bool),
) -> Option<String> {
    let counted = |name: &str, what: &str| {
        manifest.counters.get(name).and_then(|counts| counts.get(what)).copied().unwrap_or(0)
    };
    oracle.totals.keys().find_map(|source| {
        let number = SOURCES.iter().position(|name| name == source)?;
        let bad = prefix.count(number, |index| oracle.is_bad(number, index));
        let records = prefix.count(number, |_| true) - bad;
        let found = (counted(source, "records"), counted(source, "bad_records"));
        // What was missing of what was half there is rejected as well.
        let halves = oracle.files.as_ref().map_or(0, |files| files.halves());
        let most = bad + if is_exact { most } else { halves };
        let is_right =
            found.0 == records && (bad + rests..=most.max(bad + rests)).contains(&found.1);
        (!is_right).then(|| format!("{source} counts {found:?} and not {:?}", (records, bad)))
    })
}

/// Whether an entry that was there at one checkpoint is gone at the next: the job of tallies removes
/// one at every third event of a key.
fn removes(oracle: &Oracle, before: &Prefix, now: &Prefix) -> bool {
    let (before, now) = (numbers(oracle, "tallies", before), numbers(oracle, "tallies", now));
    before.iter().any(|(key, count)| !count.is_multiple_of(3) && now[key].is_multiple_of(3))
}

/// How many events of each key a checkpoint has read, where a sink numbers them.
fn numbers(oracle: &Oracle, sink: &str, prefix: &Prefix) -> BTreeMap<u32, usize> {
    let Some(Expected::Numbered(keys)) = oracle.sinks.get(sink) else { return BTreeMap::new() };
    let count = |events: &Vec<(usize, usize)>| events.iter().filter(|at| prefix.has(**at)).count();
    keys.iter().map(|(key, events)| (*key, count(events))).collect()
}
