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

/// What tells that nothing has happened to a file: a hash of device, inode, length and the times of the last change
/// of its contents and of anything about it. None where the system does not tell all of these.
pub(super) fn stamp(status: &FileStatus) -> Option<Fingerprint> {
    let FileStatus { length, id, modified_ns, changed_ns, .. } = *status;
    let FileId { device, inode } = id.filter(|_| modified_ns != 0 && changed_ns != 0)?;
    let mut bytes = [0; 40];
    let numbers = [device, inode, length, modified_ns.cast_unsigned(), changed_ns.cast_unsigned()];
    for (bytes, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    Some(Fingerprint::of(&bytes))
}

/// What is known of the contents that a split reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Which file it was, and when it had been changed last, in nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<(FileId, i64)>,
    /// Its stamp then: see [`stamp`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stamp: Option<Fingerprint>,
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
        self.stamp = stamp(status);
    }
}
