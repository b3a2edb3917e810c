//! The manifest: everything that a checkpoint consists of, and where its parts are.
//!
//! A log entry is one text object: a line with its length and checksum, then JSON that people can
//! read. It knows nothing of how entries are stored or which of them is the newest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steadfast_core::id::{CheckpointId, Generation};
use steadfast_core::key::KeyGroups;
use steadfast_core::message::BarrierKind;
use steadfast_core::state::StateKind;
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};

/// Counts by operator and name, such as `deduplicate` → `duplicates`.
pub type Counters = BTreeMap<String, BTreeMap<String, u64>>;

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
    /// The staged chunks, in the order in which they are applied. Empty if the generation had none.
    pub chunks: Vec<ObjectRef>,
    /// The last checkpoint before this one that had output for the sink: where its marker must be.
    pub before: Option<CheckpointId>,
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
    /// The generation of the process that drew it.
    pub generation: Generation,
    /// The checkpoint before it, whose output had been applied when this one was committed.
    pub previous: Option<CheckpointId>,
    /// Why it was drawn.
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
    /// The splits of every source, with their positions.
    pub sources: BTreeMap<String, Vec<serde_json::Value>>,
    /// The state files of every table, by `operator/table`.
    pub state: BTreeMap<String, Vec<StateRef>>,
    /// The staged output of every sink that the job has, empty ones included.
    pub outputs: BTreeMap<String, StagedOutput>,
    /// What was counted from the beginning of the job up to this checkpoint.
    pub counters: Counters,
    /// How long it took.
    pub durations: Durations,
}

impl Manifest {
    /// Every object that the checkpoint needs.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        let state = self.state.values().flatten().map(|state| &state.object);
        state.chain(self.outputs.values().flat_map(|output| &output.chunks))
    }

    /// The bytes of all objects that the checkpoint needs, those of earlier checkpoints included.
    pub fn total_bytes(&self) -> u64 {
        self.objects().map(|object| object.bytes).sum()
    }

    /// Whether the job had come to its end.
    pub fn is_finished(&self) -> bool {
        self.kind == BarrierKind::End
    }
}

/// Adds `file` to the files of a table and drops those that it makes unreferenced.
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

/// One entry of the commit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum LogEntry {
    /// A process took over the job; its generation is the number of this entry.
    Claim(Claim),
    /// A checkpoint was committed.
    Checkpoint(Box<Manifest>),
}

/// A process takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The job.
    pub job: String,
    /// Who: host, process, and something that no other process has.
    pub holder: String,
    /// When.
    pub at: Timestamp,
    /// Whether everything before this entry is to be forgotten.
    pub reset: bool,
}

const FIRST_WORD: &str = "steadfast-log";
const VERSION: u32 = 1;

impl LogEntry {
    /// The entry as the bytes of its object.
    ///
    /// # Errors
    /// `Internal` if it does not serialize.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_string_pretty(self)
            .map_err(|e| Error::internal("a log entry does not serialize").caused_by(e))?;
        let (length, crc) = (json.len(), crc32c::crc32c(json.as_bytes()));
        Ok(format!("{FIRST_WORD} {VERSION} bytes={length} crc32c={crc:08x}\n{json}").into_bytes())
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// `Damaged` if it is not what was written; `Configuration` if a later release wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::damaged("the log entry is not what was written");
        let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
        let (head, json) = text.split_once('\n').ok_or_else(damaged)?;
        let mut words = head.split(' ');
        if words.next() != Some(FIRST_WORD) {
            return Err(damaged());
        }
        let version = words.next().and_then(|word| word.parse::<u32>().ok()).ok_or_else(damaged)?;
        let expected =
            format!("bytes={} crc32c={:08x}", json.len(), crc32c::crc32c(json.as_bytes()));
        if words.collect::<Vec<_>>().join(" ") != expected {
            return Err(damaged());
        }
        if version != VERSION {
            let what = format!("the log entry has version {version}, this build reads {VERSION}");
            return Err(Error::configuration(what).hint("use the release that wrote it, or later"));
        }
        serde_json::from_str(json).map_err(|e| damaged().caused_by(e))
    }
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
    fn a_log_entry_survives_encoding_and_no_other_bytes_pass() {
        let claim = Claim { job: "j".into(), holder: "h".into(), at: Timestamp(5), reset: false };
        let entry = LogEntry::Claim(claim);
        let bytes = entry.encode().unwrap();
        assert_eq!(LogEntry::decode(&bytes).unwrap(), entry);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(LogEntry::decode(&flipped).is_err(), "byte {at}, bit {bit}");
            }
            assert!(LogEntry::decode(&bytes[..at]).is_err());
        }
    }
}
