//! What must have happened in many histories, or they show nothing: named events, counted from calls,
//! from manifests, and by what jobs are made of.
//!
//! It switches nothing on in the engine: an event that cannot be told from outside is not in the list.

pub mod deaths;
pub mod manifests;

use std::collections::BTreeMap;

/// How often what took place.
pub type Counts = BTreeMap<String, u64>;

/// So many seeds must reach every event.
pub const ENOUGH_SEEDS: u64 = 1000;

/// Every event of the list, but for the deaths.
pub const EVENTS: [&str; 106] = [
    // Taking over.
    "claim",
    "claim: taken by another",
    "reset: claimed",
    "reset: finished by another",
    "resumed from a checkpoint",
    "fallback to an older checkpoint",
    "fallback over several checkpoints",
    "another parallelism",
    "sink added",
    "sink removed",
    "level change: ExactlyOnce to AtLeastOnce",
    "level change: ExactlyOnce to AtMostOnce",
    "level change: AtLeastOnce to ExactlyOnce",
    "level change: AtLeastOnce to AtMostOnce",
    "level change: AtMostOnce to ExactlyOnce",
    "level change: AtMostOnce to AtLeastOnce",
    // Commits.
    "commit",
    "commit: fenced",
    "checkpoint: Periodic",
    "checkpoint: Records",
    "checkpoint: Manual",
    "checkpoint: Stop",
    "checkpoint: EndOfInput",
    // Targets.
    "target: TargetAcquire",
    "target: TargetApply",
    "target: TargetReset",
    "target: applied by recovery",
    "target: ahead, and moved back",
    "target: ahead, and refused",
    "target: an older checkpoint arrives late",
    "fenced by the target: TargetAcquire",
    "fenced by the target: TargetApply",
    "fenced by the target: TargetReset",
    "unmarked: shown again by recovery",
    "a folder looked into",
    "output: handed over early",
    "output: read back by who wrote it",
    "output: read by another",
    // State.
    "state: a base written again",
    "state: a delta",
    "state: a file superseded",
    "state: a second page",
    "state: a group in several blocks",
    "state: a table in several files",
    "state: a divided base",
    "state: several tables of one operator",
    "state: an entry removed that a file has",
    "state: a page copied on write",
    // Waiting.
    "full: a channel, and woken",
    "full: the budget of records in flight, and woken",
    "full: the budget of staged output, and woken",
    "full: the output that waits for its target, and woken",
    "full: the pages copied for a snapshot, and woken",
    "source: sleeps until a time",
    "source: sleeps until it is woken",
    "source: woken while it is asked",
    "death after the last commit",
    // Input.
    "input: a file ends within what is no record",
    "input: the rest of what was half there is rejected",
    "input: a file that has become shorter is refused",
    "input: a file that is not named any more is refused",
    "input: a file is cut off while it is read",
    "input: files grow while they are read",
    // What befalls calls.
    "answer lost: claim",
    "answer lost: commit",
    "answer lost: put data",
    "answer lost: acquire",
    "answer lost: apply",
    "answer lost: reset",
    "death before: claim",
    "death after: claim",
    "death before: commit",
    "death after: commit",
    "death before: apply",
    "death after: apply",
    "death before: acquire",
    "death after: acquire",
    "death before: delete data",
    "death before: delete log entry",
    "pause at: claim",
    "pause at: commit",
    "pause at: apply",
    "pause at: delete data",
    "power loss",
    "everybody dies at once",
    "outage: store",
    "outage: target",
    "outage: puts",
    "pause at: look after the claim",
    "pause at: folder link slot",
    "death after: folder link slot",
    "death after: folder link part",
    "death after: disk link log entry",
    "store: away for a while",
    "folder: a part of somebody else",
    "job: another one, and refused",
    // Time.
    "time: an event that came too late",
    "oracle: late events held against windows",
    // What is looked at.
    "oracle: a checkpoint gone on from held against what was put",
    // Damage.
    "damage: bit flipped in staged output",
    "damage: old store put back",
    "damage: old store put back beside processes",
    "damage: old target put back",
    "damage: old target put back beside processes",
    "damage: checkpoint deleted by hand",
    "end: right after a reset",
];

/// What a death in this place is counted as.
pub fn death(place: &str) -> String {
    format!("died while: {place}")
}

/// The events that never happened.
pub fn missing(counts: &Counts) -> Vec<String> {
    let events = EVENTS.iter().map(ToString::to_string);
    let all = events.chain(deaths::ALL.into_iter().map(death));
    all.filter(|event| counts.get(event).is_none_or(|count| *count == 0)).collect()
}
