//! What a checkpoint keeps of a stream, though it cannot be gone back to: which stream it was, and how much of it counts.

use serde::{Deserialize, Serialize};

/// All that arrives at a source from one start of the job to its end.
///
/// A position in it tells what was read of it and counts. It is for people: no stream can be read again from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamSplit {
    /// How many times the job had opened the source before.
    pub opened_before: u64,
    /// How many bytes of whole lines were read, those of all connections.
    pub bytes: u64,
}
