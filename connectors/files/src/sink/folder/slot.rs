//! A slot: one step in the life of a folder, as it is stored.
//!
//! ```text
//! steadfast-slot 1 bytes=311 crc32c=0badcafe
//! {"number":7,"marker":{…},"job":"…","sink":"…","adopted":false,"step":{"part":{…}}}
//! ```
//!
//! It knows nothing of disks, of other slots, or of what a step has to bring about.

use serde::{Deserialize, Serialize};
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

const FIRST_WORD: &str = "steadfast-slot";
const VERSION: u32 = 1;

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
        Ok(format!("{FIRST_WORD} {VERSION} {}\n{json}", sum(&json)).into_bytes())
    }

    /// Reads the slot with this number.
    pub(super) fn decode(bytes: &[u8], number: u64) -> Result<Self> {
        let damaged = || {
            Error::damaged("the slot is not what was written")
                .hint("restore the folder from a copy, or give the sink an empty one")
        };
        let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
        let (head, json) = text.split_once('\n').ok_or_else(damaged)?;
        let mut words = head.splitn(3, ' ');
        let first = words.next();
        let version = words.next().and_then(|word| word.parse::<u32>().ok()).ok_or_else(damaged)?;
        if first != Some(FIRST_WORD) || version < VERSION || words.next() != Some(&sum(json)) {
            return Err(damaged());
        }
        if version != VERSION {
            let what = format!("the slot has version {version}, this build reads {VERSION}");
            return Err(Error::configuration(what).hint("use the release that wrote it, or later"));
        }
        let slot: Slot = serde_json::from_str(json).map_err(|e| damaged().caused_by(e))?;
        if slot.number == number { Ok(slot) } else { Err(damaged()) }
    }
}

fn sum(json: &str) -> String {
    format!("bytes={} crc32c={:08x}", json.len(), crc32c::crc32c(json.as_bytes()))
}
