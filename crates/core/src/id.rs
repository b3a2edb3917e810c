//! Names and numbers by which the parts of a job are known, each a type of its own.
//!
//! It knows nothing of where they are stored or how they are handed out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of a checkpoint in the commit log of a job. A later checkpoint has a greater number; numbers are
/// never used twice, but some are skipped (they were taken by claims of epochs).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct CheckpointId(pub u64);

/// The term of office of one process over a job. A later process has a greater epoch, and nothing
/// of an earlier epoch can be committed once a later one has been claimed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// One parallel instance of a stage: the unit of scheduling and of snapshots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The stage's name: that of its last operator.
    pub stage: String,
    /// Which of the stage's parallel instances, from 0.
    pub index: u32,
}

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.stage, self.index)
    }
}
