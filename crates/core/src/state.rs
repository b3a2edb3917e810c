//! The contract between a table of state and the engine that snapshots and restores it.
//!
//! Freezing is the short, synchronous part and happens on the worker; encoding happens beside it.
//! The engine sees bytes and key groups; only the table knows what is in them.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::key::KeyGroups;

/// A table of keyed state owned by one task.
pub trait StateTable: Send {
    /// The table's name: the operator's, a slash, and what it holds, such as `balances/accounts`.
    fn name(&self) -> &str;

    /// How many entries it holds.
    fn len(&self) -> usize;

    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes what changed since the last call (or everything, if the table decides that it is time
    /// for a new base), without encoding it. `None` if nothing changed.
    fn freeze(&mut self) -> Option<Box<dyn FrozenTable>>;

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
    /// Encodes it into state files of about `target_bytes` each, one after the other in `buffer`,
    /// and hands each of them to `each`.
    ///
    /// # Errors
    /// `UserCode` if a key or value refuses to be serialized, and those of `each`.
    fn encode(
        self: Box<Self>,
        target_bytes: usize,
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
