//! What a checkpoint holds of state does not grow without bound: what a base supersedes is dropped, chains of
//! deltas are cut short in time and not before, and no file counts more entries than there are.
//!
//! It reads manifests and no file: what state means is not known here.

use std::collections::BTreeSet;

use steadfast_core::key::KeyGroups;
use steadfast_core::state::StateKind;
use steadfast_protocol::manifest::{Consistency, Manifest, StateRef};

use super::era;
use crate::observer::{Observer, Seen};
use crate::oracle::Oracle;
use crate::prefix::Prefix;

/// A checkpoint was committed.
pub fn committed(
    oracle: &Oracle,
    observer: &Observer,
    manifest: &Manifest,
    prefix: &Prefix,
    by: u16,
) {
    let seen = &mut *observer.seen();
    // A process that repeats has read more than its checkpoint says.
    let is_exact = !seen.has_level(era(seen, by), Consistency::AtLeastOnce);
    let before = manifest.previous.and_then(|id| seen.manifests.get(&id.0));
    let before = before.filter(|_| seen.restorations == 0 && !seen.damaged);
    let wrong = manifest.state.iter().find_map(|(table, files)| {
        let alive = oracle.alive(table, prefix);
        // Where entries are removed, more may change than is left.
        let old = before.filter(|_| alive.is_some()).and_then(|before| before.state.get(table));
        let in_vain = || written_in_vain(seen, old?, manifest, files, by);
        let alive = alive.filter(|_| is_exact);
        let wrong = problem(seen, manifest, (files, alive), by).or_else(in_vain)?;
        Some(format!("{table} {wrong}"))
    });
    if let Some(wrong) = wrong {
        seen.violations
            .push(format!("checkpoint {} of process {by}: {wrong}", manifest.checkpoint));
    }
}

/// The checkpoint that has written a file.
fn written(file: &StateRef) -> u64 {
    let name = file.object.name.rsplit('/').next().unwrap_or_default();
    name.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn problem(
    seen: &Seen,
    manifest: &Manifest,
    (files, alive): (&[StateRef], Option<u64>),
    by: u16,
) -> Option<String> {
    let limits = &seen.processes[usize::from(by)].state_limits;
    let is_base = |file: &&StateRef| file.kind == StateKind::Base;
    for (at, file) in files.iter().enumerate() {
        let covers = |group| files[at + 1..].iter().filter(is_base).any(|base| holds(base, group));
        if file.groups.range().all(covers) {
            return Some(format!("still has {}, which is superseded", file.object.name));
        }
    }
    let is_new = |file: &&StateRef| written(file) == manifest.checkpoint.0;
    let new: u64 = files.iter().filter(is_new).map(|file| file.entries).sum();
    if let Some(alive) = alive.filter(|alive| new > *alive) {
        return Some(format!("counts {new} entries that are new, and there are {alive}"));
    }
    for file in files.iter().filter(is_new).filter(|file| file.kind == StateKind::Delta) {
        let (_, many) = limits.checkpoints;
        for group in file.groups.range() {
            let length = chain(files, group).len() as u64;
            if length > many.max(1) {
                return Some(format!("has a chain of {length} checkpoints for group {group}"));
            }
        }
        let own = files.iter().filter(|other| other.groups.overlaps(file.groups));
        let entries: u64 = own.filter(|other| covers(file.groups, other)).map(|f| f.entries).sum();
        let most = alive? * limits.read_factor + limits.read_slack;
        if entries > most {
            return Some(format!("has {entries} entries in a chain that may have {most}"));
        }
    }
    None
}

fn holds(file: &StateRef, group: u16) -> bool {
    file.groups.range().contains(&group)
}

fn covers(groups: KeyGroups, file: &StateRef) -> bool {
    groups.covers(file.groups)
}

/// The checkpoints of which a restore reads files for a group.
fn chain(files: &[StateRef], group: u16) -> BTreeSet<u64> {
    let of_group: Vec<&StateRef> = files.iter().filter(|file| holds(file, group)).collect();
    let base = of_group.iter().rposition(|file| file.kind == StateKind::Base).unwrap_or(0);
    of_group[base..].iter().map(|file| written(file)).collect()
}

/// A table was written again as a whole, and it need not have been.
///
/// What a restore would have to read, whatever of it belongs to others, is no more than it may be.
fn written_in_vain(
    seen: &Seen,
    old: &[StateRef],
    manifest: &Manifest,
    files: &[StateRef],
    by: u16,
) -> Option<String> {
    let limits = &seen.processes[usize::from(by)].state_limits;
    let new = files.iter().filter(|file| written(file) == manifest.checkpoint.0);
    let new: Vec<&StateRef> = new.collect();
    // One task, so that it is known which files it has read.
    if manifest.parallelism != 1 || new.iter().any(|file| file.kind == StateKind::Delta) {
        return None;
    }
    let alive: u64 = new.iter().map(|file| file.entries).sum();
    let entries: u64 = old.iter().map(|file| file.entries).sum();
    let (few, many) = limits.checkpoints;
    let most = (alive / limits.entries_for_each.max(1)).clamp(few, many);
    let is_short = (old.len() as u64) < most && !old.is_empty();
    let is_small = entries + alive <= alive * limits.read_factor + limits.read_slack;
    let in_vain = !new.is_empty() && is_short && is_small;
    in_vain.then(|| "is written again as a whole, and need not be".to_string())
}
