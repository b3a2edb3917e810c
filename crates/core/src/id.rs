//! Names and numbers by which the parts of a job are known, each a type of its own.
//!
//! It knows nothing of where they are stored or how they are handed out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The index of an entry in the commit log of a job, from 1. No index is ever used twice.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct LogIndex(pub u64);

/// A checkpoint: the index of its entry in the commit log. A later checkpoint has a greater number;
/// some numbers are skipped, because claims took them. 0 stands for "none yet".
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct CheckpointId(pub u64);

/// The term of one process over a job: the index of its claim in the commit log. Nothing of an
/// earlier generation can be committed once a later one has been claimed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// The history that a commit log belongs to: drawn at random by its first claim, and the same in
/// all that follow. Two stores with the same job name have different lineages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lineage(pub u64);

/// A claim: its generation, and a random number that sets it apart from claims of the same
/// generation in a copy of the store. Written `40-00c0ffee00c0ffee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimId {
    /// The index of the claim in the log.
    pub generation: Generation,
    /// Drawn at random by whoever claimed.
    pub nonce: u64,
}

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

impl fmt::Display for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.generation, self.nonce)
    }
}

/// The text is not a lineage or a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedId(String);

impl fmt::Display for MalformedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not an id of the commit log", self.0)
    }
}

impl std::error::Error for MalformedId {}

impl FromStr for Lineage {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        u64::from_str_radix(text, 16).map(Lineage).map_err(|_| MalformedId(text.to_string()))
    }
}

impl FromStr for ClaimId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let malformed = || MalformedId(text.to_string());
        let (generation, nonce) = text.split_once('-').ok_or_else(malformed)?;
        let generation = Generation(generation.parse().map_err(|_| malformed())?);
        let nonce = u64::from_str_radix(nonce, 16).map_err(|_| malformed())?;
        Ok(ClaimId { generation, nonce })
    }
}

impl TryFrom<String> for Lineage {
    type Error = MalformedId;

    fn try_from(text: String) -> Result<Self, MalformedId> {
        text.parse()
    }
}

impl From<Lineage> for String {
    fn from(lineage: Lineage) -> String {
        lineage.to_string()
    }
}

impl TryFrom<String> for ClaimId {
    type Error = MalformedId;

    fn try_from(text: String) -> Result<Self, MalformedId> {
        text.parse()
    }
}

impl From<ClaimId> for String {
    fn from(claim: ClaimId) -> String {
        claim.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_being_written_as_text() {
        let claim = ClaimId { generation: Generation(40), nonce: 0xc0_ffee };
        assert_eq!(claim.to_string(), "40-0000000000c0ffee");
        assert_eq!(claim.to_string().parse(), Ok(claim));
        assert_eq!(Lineage(u64::MAX).to_string().parse(), Ok(Lineage(u64::MAX)));
        assert!("40".parse::<ClaimId>().is_err() && "x".parse::<Lineage>().is_err());
    }
}
