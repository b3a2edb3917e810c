//! What is remembered of a file, or a part of one, that has been read to its end: 32 bytes.
//!
//! ```text
//! file = 0 | 1 (its last line had no end), path:u64, length:u48, head:u48, tail:u56, stamp:u32
//! part = 2 | 3,                            path:u64, start:u48, end:u48, behind:u24, tail:u32, stamp:u32
//! ```
//!
//! Numbers are in little endian, those of less than 64 bits cut off at the top. `path` is a hash, `behind` is
//! how far the last record reaches beyond the end, `stamp` a hash of device, inode and time of the last
//! change: a file whose length and stamp are the same is not opened again.

use std::path::Path;

use steadfast_core::disk::FileId;
use steadfast_core::source::FinishedSplit;

use super::identity::Fingerprint;
use super::split::FileSplit;
use super::stored_path;

const HALF_LINE: u8 = 1;
const PART: u8 = 2;

const BITS_24: u64 = (1 << 24) - 1;
const BITS_32: u64 = (1 << 32) - 1;
const BITS_48: u64 = (1 << 48) - 1;
const BITS_56: u64 = (1 << 56) - 1;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FinishedFile {
    pub(super) path: u64,
    pub(super) is_part: bool,
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where the last record of it ends: at its end, but for parts.
    pub(super) next: u64,
    /// Whether the last line had no end.
    pub(super) ends_in_half_line: bool,
    pub(super) head: u64,
    pub(super) tail: u64,
    pub(super) stamp: u32,
}

/// The hash under which a path is remembered.
pub(super) fn path_hash(path: &Path) -> u64 {
    Fingerprint::of(stored_path::bytes(path)).0
}

/// What tells that a file was not touched.
pub(super) fn stamp(file: Option<(FileId, i64)>) -> u32 {
    let Some((FileId { device, inode }, modified_ns)) = file else { return 0 };
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&device.to_le_bytes());
    bytes[8..16].copy_from_slice(&inode.to_le_bytes());
    bytes[16..].copy_from_slice(&modified_ns.to_le_bytes());
    Fingerprint::of(&bytes).0 as u32
}

impl FinishedFile {
    /// What is remembered of `split`, which is at its end; none of what does not fit.
    pub(super) fn of(split: &FileSplit) -> Option<Self> {
        let FileSplit { path, start, next, length, identity, .. } = split;
        let (start, next, end) = (*start, *next, split.end?);
        let is_part = start > 0 || end < *length;
        let fits = next <= BITS_48 && next.checked_sub(end)? <= BITS_24;
        let tail = identity.tail.or((next == 0).then(|| Fingerprint::of(&[])))?;
        fits.then(|| FinishedFile {
            path: path_hash(path),
            is_part,
            start,
            end,
            next,
            ends_in_half_line: split.continues_half_line,
            head: if is_part { 0 } else { number(identity.head) & BITS_48 },
            tail: tail.0 & if is_part { BITS_32 } else { BITS_56 },
            stamp: stamp(identity.file),
        })
    }

    /// Whether these are the hashes of the first bytes of some contents and of those before `next` in it.
    pub(super) fn is_of(&self, head: Option<Fingerprint>, tail: Fingerprint) -> bool {
        if self.is_part {
            return self.tail == tail.0 & BITS_32;
        }
        self.head == number(head) & BITS_48 && self.tail == tail.0 & BITS_56
    }

    /// Whether this is the hash of the first bytes of its contents.
    pub(super) fn has_head(&self, head: Option<Fingerprint>) -> bool {
        self.is_part || self.head == number(head) & BITS_48
    }

    /// As the source remembers it.
    pub(super) fn encode(&self) -> FinishedSplit {
        let kind = (u8::from(self.is_part) * PART) | (u8::from(self.ends_in_half_line) * HALF_LINE);
        let mut bytes = Vec::with_capacity(32);
        bytes.push(kind);
        bytes.extend(self.path.to_le_bytes());
        if self.is_part {
            bytes.extend(&self.start.to_le_bytes()[..6]);
            bytes.extend(&self.end.to_le_bytes()[..6]);
            bytes.extend(&(self.next - self.end).to_le_bytes()[..3]);
            bytes.extend(&self.tail.to_le_bytes()[..4]);
        } else {
            bytes.extend(&self.end.to_le_bytes()[..6]);
            bytes.extend(&self.head.to_le_bytes()[..6]);
            bytes.extend(&self.tail.to_le_bytes()[..7]);
        }
        bytes.extend(self.stamp.to_le_bytes());
        FinishedSplit(bytes)
    }

    /// What was remembered; none if the bytes mean nothing.
    pub(super) fn decode(FinishedSplit(bytes): &FinishedSplit) -> Option<Self> {
        let mut rest = bytes.as_slice();
        let mut take = |bytes: usize| {
            let (number, after) = rest.split_at_checked(bytes)?;
            rest = after;
            let mut whole = [0; 8];
            whole[..bytes].copy_from_slice(number);
            Some(u64::from_le_bytes(whole))
        };
        let kind = take(1)? as u8;
        let (path, is_part) = (take(8)?, kind & PART != 0);
        let ends_in_half_line = kind & HALF_LINE != 0;
        let (start, end, next, head, tail);
        if is_part {
            (start, end, head) = (take(6)?, take(6)?, 0);
            next = end + take(3)?;
            tail = take(4)?;
        } else {
            (start, end) = (0, take(6)?);
            next = end;
            (head, tail) = (take(6)?, take(7)?);
        }
        let stamp = take(4)? as u32;
        let is_whole = kind <= PART | HALF_LINE && rest.is_empty() && start <= end;
        is_whole.then_some(FinishedFile {
            path,
            is_part,
            start,
            end,
            next,
            ends_in_half_line,
            head,
            tail,
            stamp,
        })
    }
}

fn number(fingerprint: Option<Fingerprint>) -> u64 {
    fingerprint.map_or(0, |fingerprint| fingerprint.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::identity::Identity;
    use super::*;

    fn finished() -> impl Strategy<Value = FileSplit> {
        let sizes = (0..1_u64 << 40, 0..1_u64 << 40, 0..1_u64 << 24, any::<bool>());
        let identity = (any::<u64>(), any::<u64>(), any::<(u64, u64, i64)>());
        (any::<String>(), sizes, identity).prop_map(|(path, sizes, identity)| {
            let (start, length, behind, is_part) = sizes;
            let (head, tail, (device, inode, modified_ns)) = identity;
            let start = if is_part { start } else { 0 };
            let end = start + length;
            FileSplit {
                path: path.into(),
                start,
                end: Some(end),
                next: if is_part { end + behind } else { end },
                length: if is_part { end + 1 } else { end },
                continues_half_line: behind % 2 == 0,
                identity: Identity {
                    file: Some((FileId { device, inode }, modified_ns)),
                    head: Some(Fingerprint(head)),
                    tail: Some(Fingerprint(tail)),
                },
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_read_in_32_bytes(split in finished()) {
            let finished = FinishedFile::of(&split).unwrap();
            let bytes = finished.encode();
            prop_assert_eq!(bytes.0.len(), 32);
            prop_assert_eq!(FinishedFile::decode(&bytes), Some(finished));
            let Identity { head, tail, .. } = split.identity;
            prop_assert!(finished.is_of(head, tail.unwrap()));
            prop_assert!(!finished.is_of(head, Fingerprint(!tail.unwrap().0)));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(finished) = FinishedFile::decode(&FinishedSplit(bytes.clone())) {
                prop_assert_eq!(finished.encode().0, bytes);
            }
        }
    }
}
