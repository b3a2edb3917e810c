//! What a process may do with a target, beside what its marker says: no output of one that follows another
//! history, nothing after a target has refused it, and no step back over rows that would come twice.

use steadfast_core::target::Marker;
use steadfast_protocol::manifest::{Consistency, Manifest};

use crate::input::EXTRA;
use crate::observer::{Observer, Seen};
use crate::oracle::{Expected, Oracle};
use crate::table::{TableCall, TableStep};

/// So many entries has a block of which no history comes to the end.
const NEVER_CLOSED: u64 = 256;

/// A target is about to be taken over with another marker.
pub fn moves(
    oracle: &Oracle,
    observer: &Observer,
    name: &str,
    expected: Option<&Marker>,
    marker: &Marker,
) {
    let seen = &mut *observer.seen();
    let Some(expected) = expected.filter(|expected| expected.checkpoint > marker.checkpoint) else {
        return;
    };
    let is_replaced = matches!(oracle.sinks.get(name), Some(Expected::Summaries { .. }));
    // Who wrote to a sink that comes and goes may be forgotten.
    let is_forgotten = name == EXTRA && seen.log_block != NEVER_CLOSED || seen.log_damaged;
    let is_other = expected.lineage != marker.lineage || seen.restorations > 0;
    if is_replaced || is_forgotten || is_other {
        return;
    }
    let Some(writer) = seen.claim_in(expected).map(|claim| claim.process) else { return };
    let has_written = expected.checkpoint.0 > expected.claim.generation.0;
    let repeats = seen.level(writer) == Consistency::AtLeastOnce || expected.claim == marker.claim;
    if !(has_written && repeats) {
        let what = format!("{name}: moved back from {expected} to {marker}, and rows come twice");
        seen.violations.push(what);
    }
}

/// A process has taken a job over: no target of it is ahead of where it goes on.
pub fn settled(seen: &Seen, name: &str, marker: &Marker, resumed: u64, by: u16) -> Option<String> {
    let own = seen.claim_in(marker).is_some_and(|claim| claim.process == by);
    let is_own = own && marker.checkpoint.0 < marker.claim.generation.0;
    (is_own && marker.checkpoint.0 > resumed).then(|| {
        format!("{name}: process {by} goes on from {resumed}, and the target stays at {marker}")
    })
}

/// A process asks for something, whether it is then done or not.
pub fn attempts(observer: &Observer, call: &TableCall, by: u16) {
    let seen = &mut *observer.seen();
    let TableCall { table, step, .. } = call;
    let own = &mut seen.processes[usize::from(by)];
    // What is done once a job runs is for its own checkpoints.
    let is_own = |marker: &Marker| marker.checkpoint.0 > marker.claim.generation.0;
    let wrong = match step {
        TableStep::Look => {
            own.has_looked = false;
            return;
        }
        TableStep::Apply { marker, .. } if is_own(marker) => {
            let is_stray = own.stray == Some(marker.checkpoint.0);
            (is_stray && own.level != Consistency::AtLeastOnce)
                .then(|| format!("shows {marker}, which follows what another has put"))
        }
        TableStep::Acquire { marker, .. }
        | TableStep::Apply { marker, .. }
        | TableStep::Reset { marker, .. } => (!own.has_looked).then(|| {
            format!("comes with {marker}, and has not looked whether another has taken over")
        }),
        TableStep::Show { .. } => None,
    };
    if let Some(wrong) = wrong {
        seen.violations.push(format!("{table}: process {by} {wrong}"));
    }
}

/// A target has refused output because another has written to it.
pub fn refused(observer: &Observer, marker: &Marker, by: u16) {
    // What recovery tries it may try again.
    if marker.checkpoint.0 > marker.claim.generation.0 {
        observer.seen().processes[usize::from(by)].is_refused = Some(marker.checkpoint.0);
    }
}

/// A checkpoint was committed.
pub fn committed(observer: &Observer, manifest: &Manifest, by: u16) {
    let seen = &mut *observer.seen();
    let own = &seen.processes[usize::from(by)];
    let id = manifest.checkpoint;
    let wrong = match (own.is_refused, own.stray) {
        (Some(before), _) if before < id.0 => format!("a target has refused that of {before}"),
        (_, Some(before)) if before < id.0 => format!("{before} follows what another has put"),
        _ => match manifest.objects().find(|object| own.others.contains(&object.name)) {
            Some(object) => format!("it names {}, which another has written", object.name),
            None => return,
        },
    };
    seen.violations.push(format!("process {by} commits checkpoint {id}, and {wrong}"));
}
