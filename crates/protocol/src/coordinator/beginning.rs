//! What a coordinator is told before its first checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steadfast_core::id::{ClaimId, Generation, Lineage, TaskId};
use steadfast_core::target::Marker;

use crate::manifest::{Consistency, Manifest, Splits};
use crate::retention::Retained;

/// What a job says about its checkpoints.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The job's name.
    pub job: String,
    /// How often an event may show up in the result.
    pub consistency: Consistency,
    /// The time between two triggers; none: no periodic checkpoints.
    pub interval: Option<Duration>,
    /// The number of records between two triggers.
    pub records: Option<u64>,
    /// Into how many groups all keys are divided.
    pub key_groups: u16,
    /// How many tasks each stage has.
    pub parallelism: u16,
}

/// What the coordinator begins with.
#[derive(Debug)]
pub struct CoordinatorInit {
    /// The claim of this process.
    pub claim: ClaimId,
    /// The history that it goes on with.
    pub lineage: Lineage,
    /// The claim with which the history began.
    pub origin: Generation,
    /// The checkpoint that the job was restored from.
    pub restored: Option<Manifest>,
    /// The checkpoints that are kept so far.
    pub retained: Retained,
    /// All tasks; each acknowledges every checkpoint.
    pub tasks: BTreeSet<TaskId>,
    /// How many of them read a source.
    pub source_tasks: usize,
    /// Every split of every source, as this process begins; what no task has taken stays so.
    pub splits: BTreeMap<String, Splits>,
    /// The names of all tables of state, as `operator/table`.
    pub tables: BTreeSet<String>,
    /// How operators emit, where it matters.
    pub modes: BTreeMap<String, String>,
    /// All sinks, with what their targets say.
    pub sinks: BTreeMap<String, SinkInit>,
}

/// What is known of a sink's target.
#[derive(Clone, Debug, Default)]
pub struct SinkInit {
    /// Its marker; none if it keeps none.
    pub marker: Option<Marker>,
    /// What its chunks are.
    pub format: String,
}
