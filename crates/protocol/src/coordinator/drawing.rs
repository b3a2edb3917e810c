//! What the manifest of a checkpoint says: drawn from the one before it and from what every task
//! has contributed.
//!
//! It knows nothing of when a checkpoint is taken, committed or applied.

use std::collections::BTreeSet;
use std::time::Duration;

use steadfast_core::id::{CheckpointId, TaskId};
use steadfast_core::key::KeySpace;
use steadfast_core::target::Marker;
use steadfast_core::time::Timestamp;

use super::beginning::{CoordinatorInit, Settings, SinkInit};
use crate::manifest::{
    Counters, Durations, Manifest, ObjectRef, SplitNumber, StagedOutput, StateRef, extend_chain,
};

/// What one task contributes to a checkpoint, durable by the time it is acknowledged.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    /// The task.
    pub task: TaskId,
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// Its state files, by `operator/table`.
    pub state: Vec<(String, StateRef)>,
    /// Its staged output by sink, in order; empty where output is not part of the checkpoint.
    pub outputs: Vec<(String, ObjectRef)>,
    /// The sinks for which it had any output.
    pub written: BTreeSet<String>,
    /// The splits that it reads, and those that it has read to their ends since the checkpoint before.
    pub splits: Vec<TakenSplit>,
    /// How far event time has come for its operator or source, by name.
    pub watermark: Option<(String, Timestamp)>,
    /// What it has counted since it was started.
    pub counters: Counters,
    /// From the first barrier to the last.
    pub align: Duration,
    /// The time for which it stood still to freeze its state.
    pub sync: Duration,
}

/// A split that a task has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenSplit {
    /// The source.
    pub source: String,
    /// Its number: one of those in [`CoordinatorInit::splits`], or a later one.
    pub number: SplitNumber,
    /// The split with its position; none if the state of the source remembers it from now on.
    pub split: Option<serde_json::Value>,
}

/// What the first manifest of a process builds on: the checkpoint that the job was restored from, or
/// none.
pub(super) fn begin(settings: &Settings, init: &CoordinatorInit) -> Manifest {
    let restored = init.restored.as_ref();
    // From here on the output of the restored checkpoint is done with; what counts is the marker.
    let output = |(sink, target): (&String, &SinkInit)| {
        let (before, format) = (target.marker, target.format.clone());
        (sink.clone(), StagedOutput { before, format, ..StagedOutput::default() })
    };
    Manifest {
        checkpoint: restored.map(|manifest| manifest.checkpoint).unwrap_or_default(),
        consistency: settings.consistency,
        key_groups: settings.key_groups,
        parallelism: settings.parallelism,
        tables: init.tables.clone(),
        modes: init.modes.clone(),
        state: restored.map(|manifest| manifest.state.clone()).unwrap_or_default(),
        watermarks: restored.map(|manifest| manifest.watermarks.clone()).unwrap_or_default(),
        sources: init.splits.clone(),
        outputs: init.sinks.iter().map(output).collect(),
        ..Manifest::empty(&settings.job, init.lineage, init.claim, init.origin)
    }
}

/// What a checkpoint after `latest` begins with: its state, and nothing of its epoch.
pub(super) fn after(latest: &Manifest) -> Manifest {
    let output = |(sink, output): (&String, &StagedOutput)| {
        let before = output.before.map(|before| match output.written {
            true => Marker { claim: latest.claim, checkpoint: latest.checkpoint, ..before },
            false => before,
        });
        let format = output.format.clone();
        (sink.clone(), StagedOutput { before, format, ..StagedOutput::default() })
    };
    Manifest {
        outputs: latest.outputs.iter().map(output).collect(),
        durations: Durations::default(),
        ..latest.clone()
    }
}

/// Adds what one task has contributed.
pub(super) fn contribute(manifest: &mut Manifest, acknowledgement: Acknowledgement) {
    for (table, file) in acknowledgement.state {
        extend_chain(manifest.state.entry(table).or_default(), file);
    }
    for sink in acknowledgement.written {
        manifest.outputs.entry(sink).or_default().written = true;
    }
    for (sink, chunk) in acknowledgement.outputs {
        manifest.outputs.entry(sink).or_default().chunks.push(chunk);
    }
    for TakenSplit { source, number, split } in acknowledgement.splits {
        let splits = manifest.sources.entry(source).or_default();
        match split {
            Some(split) => splits.insert(number, split),
            None => splits.remove(&number),
        };
    }
    if let Some((name, at)) = acknowledgement.watermark {
        let space = KeySpace { groups: manifest.key_groups, tasks: manifest.parallelism };
        let groups = space.groups_of(acknowledgement.task.index as u16);
        manifest.watermarks.entry(name).or_default().set(groups, at);
    }
    for (operator, counts) in acknowledgement.counters {
        let counters = manifest.counters.entry(operator).or_default();
        for (name, count) in counts {
            *counters.entry(name).or_default() += count;
        }
    }
    let durations = &mut manifest.durations;
    durations.align_us = durations.align_us.max(acknowledgement.align.as_micros() as u64);
    durations.sync_us = durations.sync_us.max(acknowledgement.sync.as_micros() as u64);
}

#[cfg(test)]
mod tests;
