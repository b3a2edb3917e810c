//! Entries of the commit log: claims and checkpoints, each one self-checking text object.
//!
//! An entry lies in an envelope, a line with its version, length and checksum. It knows nothing of how entries
//! are stored or which of them is the newest.

use serde::{Deserialize, Serialize};
use steadfast_core::envelope::{Envelope, Unreadable};
use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};
use steadfast_core::time::Timestamp;
use steadfast_core::{Cause, Error, Result};

use crate::manifest::{Consistency, Manifest};

/// One entry of the commit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum LogEntry {
    /// A process took over the job; its generation is the index of this entry.
    Claim(Claim),
    /// A checkpoint was committed.
    Checkpoint(Box<Manifest>),
}

/// A process takes over. Everything that the next claim must know of the past is repeated in it, so
/// that nobody ever has to read the log from its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The job.
    pub job: String,
    /// The claim itself; no other has this id.
    pub id: ClaimId,
    /// The history that it belongs to: drawn by the first claim of the log.
    pub lineage: Lineage,
    /// The claim with which the history began: this one, if it is the first or resets the job.
    pub origin: Generation,
    /// The newest entry before it that is, or for all that can be read may be, a checkpoint.
    pub newest: Option<CheckpointId>,
    /// How often an event may show up in what it writes.
    pub consistency: Consistency,
    /// Who: host, process, and something that no other process has. For people.
    pub holder: String,
    /// When.
    pub at: Timestamp,
}

impl Claim {
    /// Whether everything before this entry is to be forgotten.
    pub fn is_origin(&self) -> bool {
        self.origin == self.id.generation
    }
}

const ENVELOPE: Envelope = Envelope { word: "steadfast-log", version: 5 };

impl LogEntry {
    /// The entry as the bytes of its object.
    ///
    /// # Errors
    /// `Internal` if it does not serialize.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_string_pretty(self)
            .map_err(|e| Error::internal("a log entry does not serialize").caused_by(e))?;
        Ok(ENVELOPE.seal(&json))
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// `Damaged` if it is not what was written; `Configuration` if another release wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::damaged("the log entry is not what was written");
        let json = ENVELOPE.open(bytes).map_err(|unreadable| match unreadable {
            Unreadable::Damaged => damaged(),
            Unreadable::Version(version) => {
                let reads = ENVELOPE.version;
                let what = format!("the log entry has version {version}, this build reads {reads}");
                Error::because(Cause::OTHER_RELEASE, what).hint("use the release that wrote it")
            }
        })?;
        serde_json::from_str(json).map_err(|e| damaged().caused_by(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{SplitNumber, Splits, manifest_for_tests};
    use steadfast_core::ErrorKind;

    /// The claim of generation 4 in a history that began with the one of `origin`.
    fn claim(origin: u64) -> Claim {
        Claim {
            job: "j".into(),
            id: ClaimId { generation: Generation(4), nonce: 7 },
            lineage: Lineage(9),
            origin: Generation(origin),
            newest: Some(CheckpointId(3)),
            consistency: Consistency::ExactlyOnce,
            holder: "h".into(),
            at: Timestamp(5),
        }
    }

    #[test]
    fn only_the_claim_with_which_a_history_began_is_its_origin() {
        assert!(claim(4).is_origin() && !claim(1).is_origin());
    }

    #[test]
    fn a_checkpoint_survives_encoding_with_its_splits_in_order() {
        let mut manifest = manifest_for_tests(7, 4);
        let splits = [0, 9, 10, u64::MAX].map(|number| (SplitNumber(number), number.into()));
        manifest.sources.insert("in".to_string(), Splits::from(splits));
        let entry = LogEntry::Checkpoint(Box::new(manifest));
        assert_eq!(LogEntry::decode(&entry.encode().unwrap()).unwrap(), entry);
    }

    #[test]
    fn a_log_entry_survives_encoding_and_no_other_bytes_pass() {
        let entry = LogEntry::Claim(claim(1));
        let bytes = entry.encode().unwrap();
        assert_eq!(LogEntry::decode(&bytes).unwrap(), entry);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let error = LogEntry::decode(&flipped).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Damaged, "byte {at}, bit {bit}");
            }
            assert!(LogEntry::decode(&bytes[..at]).is_err());
        }
        let later = Envelope { version: ENVELOPE.version + 1, ..ENVELOPE }.seal("{}");
        let error = LogEntry::decode(&later).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "another release wrote it");
    }
}
