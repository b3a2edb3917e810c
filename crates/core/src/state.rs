//! The contract between a table of state and the engine that snapshots and restores it.
//!
//! Freezing is the short, synchronous part and happens on the worker; encoding happens beside it.
//! The engine sees bytes and key groups; only the table knows what is in them.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::key::KeyGroups;

/// How state is divided into files and blocks, and when all of it is written again. They decide speed and
/// memory, never a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateLimits {
    /// A state file is closed when it passes this: large enough for object stores, small enough that
    /// it stays in the farthest cache between being encoded and being written.
    pub file_bytes: usize,
    /// A block of a file is closed when its raw bytes pass this: small enough to stay in the cache.
    pub block_bytes: usize,
    /// A restore may read up to this many times the entries that are alive,
    pub read_factor: u64,
    /// and so many more.
    pub read_slack: u64,
    /// A restore may read what this many checkpoints wrote for each table and task: the first number
    /// for a small table, up to the second for a large one, which costs more to write again.
    pub checkpoints: (u64, u64),
    /// A table is so large that it may have one more of them for each of so many entries.
    pub entries_for_each: u64,
}

impl Default for StateLimits {
    fn default() -> Self {
        StateLimits {
            file_bytes: 8 * 1024 * 1024,
            block_bytes: 128 * 1024,
            read_factor: 3,
            read_slack: 8 * 1024,
            checkpoints: (64, 256),
            entries_for_each: 32 * 1024,
        }
    }
}

/// A table of keyed state owned by one task.
pub trait StateTable: Send {
    /// The table's name: the operator's, a slash, and what it holds, such as `balances/accounts`.
    fn name(&self) -> &str;

    /// The groups that it has: it goes on from the files that speak of any of them.
    fn owned_groups(&self) -> KeyGroups;

    /// How many entries it holds.
    fn len(&self) -> usize;

    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes what changed since the last call (or everything, if the table decides that it is time
    /// for a new base), without encoding it. `None` if nothing changed.
    fn freeze(&mut self, limits: &StateLimits) -> Option<Box<dyn FrozenTable>>;

    /// How many bytes were copied since the last call of [`StateTable::freeze`], because what it has handed
    /// over was still there when they were written; without what they point to.
    fn copied_bytes(&self) -> usize;

    /// Applies one state file on top of what is there, restricted to the groups that this table
    /// owns. Files must come in the order in which they were written.
    ///
    /// # Errors
    /// `Damaged` if the bytes are not what was written; `Configuration` if they cannot become this
    /// table's types.
    fn load(&mut self, file: &[u8]) -> Result<()>;
}

/// What a table had at a barrier, still to be encoded.
pub trait FrozenTable: Send {
    /// Encodes it into state files, one after the other in `buffer`, and hands each of them to `each`.
    ///
    /// # Errors
    /// `UserCode` if a key or value refuses to be serialized, and those of `each`.
    fn encode(
        self: Box<Self>,
        limits: &StateLimits,
        buffer: &mut Vec<u8>,
        each: &mut dyn FnMut(EncodedState<'_>) -> Result<()>,
    ) -> Result<()>;
}

/// One state file.
#[derive(Debug)]
pub struct EncodedState<'a> {
    /// The groups it speaks of.
    pub groups: KeyGroups,
    /// Whether it stands alone.
    pub kind: StateKind,
    /// How many entries it holds.
    pub entries: u64,
    /// The file, with its own checksums.
    pub bytes: &'a [u8],
}

/// Whether a state file stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    /// Everything in its groups: files before it are not needed for them.
    Base,
    /// What changed since the file before it.
    Delta,
}
