//! Which contents a position lies in.
//!
//! A name is no identity: files are rotated, replaced and copied back. So a position goes with hashes of what
//! was read: of the first bytes of the contents, and of those just before the position. Device and inode are
//! kept as a hint where to look first. It knows nothing of how contents are read.

use std::fmt;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use steadfast_core::disk::{FileId, FileStatus};

/// So many bytes at the beginning of the contents, and before a position, are hashed.
pub(super) const SAMPLE_BYTES: usize = 4096;

/// Fixed for good: hashes are kept in checkpoints.
const SECRETS: RapidSecrets = RapidSecrets::seed_cpp(0);

/// A hash of bytes: rapidhash V3, which is the same on every platform.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub(super) u64);

impl Fingerprint {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Fingerprint(rapidhash_v3_seeded(bytes, &SECRETS))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// As text: programs that read JSON do not all keep 64 bits of a number.
impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = u64::from_str_radix(&text, 16);
        number
            .map(Fingerprint)
            .map_err(|_| D::Error::custom("a fingerprint is 16 hexadecimal digits"))
    }
}

/// What is known of the contents that a split reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Which file it was, and when it had been changed last, in nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<(FileId, i64)>,
    /// Of the first 4,096 bytes; none where the contents were not known to have as many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) head: Option<Fingerprint>,
    /// Of the last 4,096 bytes before the position, or as many as the split has read; none before it has
    /// read any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tail: Option<Fingerprint>,
}

impl Identity {
    /// Notes which file it is.
    pub(super) fn note(&mut self, status: &FileStatus) {
        self.file = status.id.map(|id| (id, status.modified_ns));
    }
}
