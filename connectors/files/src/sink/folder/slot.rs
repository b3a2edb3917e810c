//! A slot: one step in the life of a folder, as it is stored.
//!
//! ```text
//! steadfast-slot 2 bytes=311 crc32c=0badcafe
//! {"number":7,"marker":{…},"job":"…","sink":"…","adopted":false,"step":{"part":{…}}}
//! ```
//!
//! It knows nothing of disks, of other slots, or of what a step has to bring about.

use serde::{Deserialize, Serialize};
use steadfast_core::envelope::{Envelope, Unreadable};
use steadfast_core::target::{Marker, TargetIdentity};
use steadfast_core::{Error, Result};

use super::sum::Sum;

/// One step that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    /// Its place in the chain, from 1: a slot that was copied to another place is none.
    pub(super) number: u64,
    /// The marker of the target as long as there is no later slot.
    pub(super) marker: Marker,
    /// The job that took the step.
    pub(super) job: String,
    /// Its sink.
    pub(super) sink: String,
    /// Whether the folder was in use by others when this sink first came to it.
    pub(super) adopted: bool,
    /// What was done.
    pub(super) step: Step,
}

/// What a slot has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// A process took the folder over.
    Acquired,
    /// A checkpoint with output.
    Part(Part),
    /// A checkpoint without output.
    Empty,
    /// The parts of this sink with smaller numbers were taken away.
    Reset,
}

/// A part as it must be found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// What users see it as.
    pub(super) name: String,
    /// What it is called before they do. No two attempts have the same name, so that nothing but
    /// what this slot speaks of can be made visible in its place.
    pub(super) staged: String,
    /// Its length and checksum.
    #[serde(flatten)]
    pub(super) sum: Sum,
}

const ENVELOPE: Envelope = Envelope { word: "steadfast-slot", version: 2 };

impl Slot {
    /// Whether `identity` took the step.
    pub(super) fn belongs_to(&self, identity: &TargetIdentity) -> bool {
        (&self.job, &self.sink) == (&identity.job, &identity.sink)
    }

    /// Whose output the folder holds, for people.
    pub(super) fn holds(&self) -> String {
        format!("holds the output of sink '{}' of job '{}'", self.sink, self.job)
    }

    /// As the bytes of its file.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_string(self)
            .map_err(|e| Error::internal("a slot does not serialize").caused_by(e))?;
        Ok(ENVELOPE.seal(&json))
    }

    /// Reads the slot with this number.
    pub(super) fn decode(bytes: &[u8], number: u64) -> Result<Self> {
        let damaged = || {
            Error::damaged("the slot is not what was written")
                .hint("restore the folder from a copy, or give the sink an empty one")
        };
        let json = ENVELOPE.open(bytes).map_err(|unreadable| match unreadable {
            Unreadable::Damaged => damaged(),
            Unreadable::Version(version) => {
                let reads = ENVELOPE.version;
                let what = format!("the slot has version {version}, this build reads {reads}");
                Error::configuration(what).hint("use the release that wrote it, or later")
            }
        })?;
        let slot: Slot = serde_json::from_str(json).map_err(|e| damaged().caused_by(e))?;
        if slot.number == number { Ok(slot) } else { Err(damaged()) }
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::ErrorKind;
    use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};

    use super::*;

    #[test]
    fn a_slot_survives_encoding_and_a_flipped_bit_is_damage_and_no_other_release() {
        let claim = ClaimId { generation: Generation(4), nonce: 7 };
        let slot = Slot {
            number: 3,
            marker: Marker { lineage: Lineage(9), claim, checkpoint: CheckpointId(5) },
            job: "j".into(),
            sink: "s".into(),
            adopted: false,
            step: Step::Acquired,
        };
        let bytes = slot.encode().unwrap();
        assert_eq!(Slot::decode(&bytes, 3).unwrap(), slot);
        assert!(Slot::decode(&bytes, 4).is_err());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let error = Slot::decode(&flipped, 3).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Damaged, "byte {at}, bit {bit}");
            }
        }
        let later = Envelope { version: ENVELOPE.version + 1, ..ENVELOPE }.seal("{}");
        let error = Slot::decode(&later, 3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}
