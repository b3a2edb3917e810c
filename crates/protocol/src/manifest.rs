//! The manifest: everything that a checkpoint consists of, and where its parts are.
//!
//! It knows nothing of how it is stored or which checkpoint is the newest.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};
use steadfast_core::key::KeyGroups;
use steadfast_core::message::BarrierKind;
use steadfast_core::state::StateKind;
use steadfast_core::target::Marker;
use steadfast_core::time::Timestamp;

mod split_number;
mod watermarks;

pub use split_number::SplitNumber;
pub use watermarks::Watermarks;

/// Counts by operator and name, such as `deduplicate` → `duplicates`.
pub type Counters = BTreeMap<String, BTreeMap<String, u64>>;

/// The splits of a source with their positions.
pub type Splits = BTreeMap<SplitNumber, serde_json::Value>;

/// How often an event may show up in the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// Once. Output is part of the checkpoint and applied after the commit, with a marker.
    #[default]
    ExactlyOnce,
    /// Once or more. Barriers are not aligned; output is applied before the commit.
    AtLeastOnce,
    /// Once or not at all. Output is applied after the commit and never again.
    AtMostOnce,
}

/// Why a checkpoint was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The interval was over.
    Periodic,
    /// So many records had been read.
    Records,
    /// Somebody asked for it.
    Manual,
    /// The job was asked to stop.
    Stop,
    /// All sources were at their end.
    EndOfInput,
}

/// One object of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its name in the store.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its CRC-32C.
    pub crc32c: u32,
}

/// One state file of a checkpoint. Files of a table are listed in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRef {
    /// The object.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// The key groups it speaks of.
    pub groups: KeyGroups,
    /// Whether it stands alone.
    pub kind: StateKind,
    /// How many entries it holds.
    pub entries: u64,
}

/// What a checkpoint holds for one sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedOutput {
    /// Whether the epoch had output for the sink: then the target's marker moves on to this
    /// checkpoint when it is applied.
    pub written: bool,
    /// The staged chunks, in the order in which they are applied. Empty if the level of the job did
    /// not make output part of the checkpoint.
    pub chunks: Vec<ObjectRef>,
    /// The target's marker before this epoch's output; none if the target keeps none.
    pub before: Option<Marker>,
    /// What the chunks are: only a target that takes this format may be given them.
    pub format: String,
}

impl StagedOutput {
    /// Whether this is output for a target that keeps no marker: it would be shown again.
    pub fn is_unmarked_output(&self) -> bool {
        self.before.is_none() && !self.chunks.is_empty()
    }
}

/// How long the parts of a checkpoint took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// From the first barrier at a task to the last, at the slowest task.
    pub align_us: u64,
    /// The part for which a task stood still to freeze its state, at the slowest task.
    pub sync_us: u64,
    /// From the trigger until everything was written.
    pub write_us: u64,
}

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The job.
    pub job: String,
    /// The checkpoint's number in the log.
    pub checkpoint: CheckpointId,
    /// The history that it belongs to.
    pub lineage: Lineage,
    /// The claim of the process that took it.
    pub claim: ClaimId,
    /// The claim with which the history began: the first, or the last that reset the job.
    pub origin: Generation,
    /// The checkpoints that are kept from this one on, in ascending order, itself included.
    /// Whatever only others needed may be gone.
    pub retained: Vec<CheckpointId>,
    /// The checkpoint before it, whose output had been applied when this one was committed.
    pub previous: Option<CheckpointId>,
    /// Why it was taken.
    pub trigger: Trigger,
    /// Whether the job went on afterwards.
    pub kind: BarrierKind,
    /// How often an event may show up in the result.
    pub consistency: Consistency,
    /// When it was triggered.
    pub triggered_at: Timestamp,
    /// Into how many groups all keys are divided.
    pub key_groups: u16,
    /// How many tasks each stage had.
    pub parallelism: u16,
    /// The splits of every source by number, with their positions; but for those that were read to their ends
    /// and of which the source remembers a few bytes, which are state.
    pub sources: BTreeMap<String, Splits>,
    /// How far event time had come for each task of each operator and source that knows it.
    #[serde(default)]
    pub watermarks: BTreeMap<String, Watermarks>,
    /// Every table of state that the job has, as `operator/table`, empty ones included.
    pub tables: BTreeSet<String>,
    /// How operators emit, by name, where another way from here on would make a wrong result.
    #[serde(default)]
    pub modes: BTreeMap<String, String>,
    /// The state files of every table that has any, by `operator/table`.
    pub state: BTreeMap<String, Vec<StateRef>>,
    /// The staged output of every sink that the job has, empty ones included.
    pub outputs: BTreeMap<String, StagedOutput>,
    /// What was counted from the beginning of the job up to this checkpoint.
    pub counters: Counters,
    /// How long it took.
    pub durations: Durations,
}

impl Manifest {
    /// A manifest that says who takes the checkpoint, and holds nothing yet.
    pub fn empty(job: &str, lineage: Lineage, claim: ClaimId, origin: Generation) -> Self {
        Manifest {
            job: job.to_string(),
            checkpoint: CheckpointId(0),
            lineage,
            claim,
            origin,
            retained: Vec::new(),
            previous: None,
            trigger: Trigger::Manual,
            kind: BarrierKind::Regular,
            consistency: Consistency::default(),
            triggered_at: Timestamp(0),
            key_groups: 1,
            parallelism: 1,
            sources: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            tables: BTreeSet::new(),
            modes: BTreeMap::new(),
            state: BTreeMap::new(),
            outputs: BTreeMap::new(),
            counters: Counters::new(),
            durations: Durations::default(),
        }
    }

    /// Every object that the checkpoint needs.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        let state = self.state.values().flatten().map(|state| &state.object);
        state.chain(self.outputs.values().flat_map(|output| &output.chunks))
    }

    /// The bytes of all objects that the checkpoint needs, those of earlier checkpoints included.
    pub fn total_bytes(&self) -> u64 {
        self.objects().map(|object| object.bytes).sum()
    }

    /// The generation of the process that took it.
    pub fn generation(&self) -> Generation {
        self.claim.generation
    }

    /// Whether the job had come to its end.
    pub fn is_finished(&self) -> bool {
        self.kind == BarrierKind::End
    }
}

/// Adds `file` to the files of a table and drops those that it supersedes.
pub fn extend_chain(chain: &mut Vec<StateRef>, file: StateRef) {
    chain.push(file);
    let bases: Vec<(usize, KeyGroups)> = chain
        .iter()
        .enumerate()
        .filter(|(_, file)| file.kind == StateKind::Base)
        .map(|(at, file)| (at, file.groups))
        .collect();
    let mut at = 0;
    chain.retain(|file| {
        let superseded = file.groups.range().all(|group| {
            bases.iter().any(|(base, groups)| *base > at && groups.range().contains(&group))
        });
        at += 1;
        !superseded
    });
}

/// A checkpoint of the first lineage that holds nothing and keeps itself, taken by the claim of this
/// generation, with which the history began.
#[cfg(test)]
pub(crate) fn manifest_for_tests(checkpoint: u64, generation: u64) -> Manifest {
    let claim = ClaimId { generation: Generation(generation), nonce: generation };
    let (checkpoint, key_groups) = (CheckpointId(checkpoint), 8);
    let retained = vec![checkpoint];
    let empty = Manifest::empty("j", Lineage(1), claim, claim.generation);
    Manifest { checkpoint, retained, key_groups, ..empty }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, kind: StateKind, first: u16, end: u16) -> StateRef {
        let object = ObjectRef { name: name.into(), bytes: 1, crc32c: 0 };
        StateRef { object, groups: KeyGroups { first, end }, kind, entries: 1 }
    }

    fn names(chain: &[StateRef]) -> Vec<&str> {
        chain.iter().map(|file| file.object.name.as_str()).collect()
    }

    #[test]
    fn a_base_drops_what_it_supersedes_and_nothing_else() {
        let mut chain = vec![];
        extend_chain(&mut chain, file("a", StateKind::Base, 0, 8));
        extend_chain(&mut chain, file("b", StateKind::Delta, 0, 8));
        // Two tasks now: only one of them writes a new base.
        extend_chain(&mut chain, file("c", StateKind::Base, 0, 4));
        assert_eq!(names(&chain), ["a", "b", "c"]);
        extend_chain(&mut chain, file("d", StateKind::Delta, 0, 4));
        extend_chain(&mut chain, file("e", StateKind::Base, 4, 8));
        assert_eq!(names(&chain), ["c", "d", "e"]);
    }

    #[test]
    fn a_manifest_sums_up_state_and_output_and_says_who_took_it() {
        let chunk = |bytes| ObjectRef { name: "x".into(), bytes, crc32c: 0 };
        let output =
            StagedOutput { chunks: vec![chunk(10), chunk(200)], ..StagedOutput::default() };
        let state = vec![file("a", StateKind::Base, 0, 8), file("b", StateKind::Delta, 0, 8)];
        let manifest = Manifest {
            state: BTreeMap::from([("sum/state".to_string(), state)]),
            outputs: BTreeMap::from([("out".to_string(), output)]),
            ..manifest_for_tests(7, 4)
        };
        assert_eq!((manifest.total_bytes(), manifest.generation()), (212, Generation(4)));
    }
}
