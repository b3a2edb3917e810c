//! What is remembered of a file, or a part of one, that has been read to its end: 40 or 36
//! bytes.
//!
//! ```text
//! file = 4 | 5 (its last line had no end), serial:u32, path:u64, length:u48, head:u32, tail:u48, number:u24, stamp:u64
//! part = 2 | 3,                            serial:u32, path:u64, start:u48, end:u48, behind:u24, tail:u32, number:u32
//! ```
//!
//! Those of files that begin with 0 or 1 have four bytes behind `tail` that mean nothing any more.
//!
//! Numbers are in little endian, those of less than 64 bits cut off at the top. `serial` says which of the
//! source's files it is, `path` is a hash, `behind` is how far the last record reaches beyond the end, `number` a hash of
//! device and inode, which says where to look, and `stamp` what tells that nothing has happened to a file: one whose
//! stamp is the same is not opened again. It is 0 where the system does not tell.

use std::io;
use std::path::Path;

use steadfast_core::Result;
use steadfast_core::disk::FileId;
use steadfast_core::source::FinishedSplit;

use super::compression::{Compression, Contents};
use super::files::{InputFile, unreadable};
use super::identity::{Fingerprint, SAMPLE_BYTES};
use super::split::FileSplit;
use super::stored_path;

const HALF_LINE: u8 = 1;
const PART: u8 = 2;
const STAMPED: u8 = 4;

const BITS_24: u64 = (1 << 24) - 1;
const BITS_32: u64 = (1 << 32) - 1;
const BITS_48: u64 = (1 << 48) - 1;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FinishedFile {
    pub(super) serial: u32,
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
    /// Its [`number_sign`]; 0 if it is not known.
    pub(super) number: u32,
    /// Its [`stamp`](super::identity::stamp); 0 if it is not known.
    pub(super) stamp: u64,
}

/// The hash under which a path is remembered.
pub(super) fn path_hash(path: &Path) -> u64 {
    Fingerprint::of(stored_path::bytes(path)).0
}

/// Where to look first for a file of which the number is known: a hash of 24 bits.
pub(super) fn number_sign(FileId { device, inode }: FileId) -> u32 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&device.to_le_bytes());
    bytes[8..].copy_from_slice(&inode.to_le_bytes());
    (Fingerprint::of(&bytes).0 & BITS_24) as u32
}

impl FinishedFile {
    /// What is remembered of `split`, which is at its end; none of what does not fit.
    pub(super) fn of(split: &FileSplit) -> Option<Self> {
        let end = split.end?;
        FinishedFile::up_to(split, end, split.start > 0 || end < split.length)
    }

    /// What would be remembered of a whole file if it ended where `split` is.
    pub(super) fn read_so_far(split: &FileSplit) -> Option<Self> {
        FinishedFile::up_to(split, split.next, false)
    }

    fn up_to(split: &FileSplit, end: u64, is_part: bool) -> Option<Self> {
        let FileSplit { path, start, next, identity, .. } = split;
        let (start, next, serial) = (*start, *next, u32::try_from(split.serial).ok()?);
        let fits = next <= BITS_48 && next.checked_sub(end)? <= BITS_24;
        let tail = identity.tail.or((next == 0).then(|| Fingerprint::of(&[])))?;
        fits.then(|| FinishedFile {
            serial,
            path: path_hash(path),
            is_part,
            start,
            end,
            next,
            ends_in_half_line: split.continues_half_line,
            head: if is_part { 0 } else { head(identity.head, next) },
            tail: tail.0 & if is_part { BITS_32 } else { BITS_48 },
            number: identity.file.map_or(0, |(id, _)| number_sign(id)),
            stamp: identity.stamp.filter(|_| !is_part).map_or(0, |stamp| stamp.0),
        })
    }

    /// Whether a file holds what was read of this one, at its beginning and before where it was read to. A
    /// compressed file is decompressed up to there; one that ends or is damaged before does not hold it.
    pub(super) fn is_in(&self, file: &InputFile) -> Result<bool> {
        let from = self.next.saturating_sub(SAMPLE_BYTES as u64);
        let begins = self.begins(file);
        let holds = begins.and_then(|begins| {
            Ok(begins && self.has_tail(Fingerprint::of(&Contents::sample(file, from..self.next)?)))
        });
        match holds {
            // It was there just before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            // Those of the system have a number, those of a decompressor have none.
            Err(error) if error.raw_os_error().is_none() => {
                let is_plain = Compression::of(&file.path).is_plain();
                if is_plain { Err(unreadable(&file.path, error)) } else { Ok(false) }
            }
            holds => holds.map_err(|error| unreadable(&file.path, error)),
        }
    }

    /// Whether a file begins as this one did, as far as its first bytes tell.
    pub(super) fn begins(&self, file: &InputFile) -> io::Result<bool> {
        const LENGTH: u64 = SAMPLE_BYTES as u64;
        if self.next <= LENGTH {
            return Ok(self.has_tail(Fingerprint::of(&Contents::sample(file, 0..self.next)?)));
        }
        Ok(self.is_part
            || self.has_head(Some(Fingerprint::of(&Contents::sample(file, 0..LENGTH)?))))
    }

    /// Whether this is the hash of the last bytes before where it was read to.
    fn has_tail(&self, tail: Fingerprint) -> bool {
        self.tail == tail.0 & if self.is_part { BITS_32 } else { BITS_48 }
    }

    /// Whether this is the hash of the first bytes of its contents.
    fn has_head(&self, head: Option<Fingerprint>) -> bool {
        self.is_part || self.head == self::head(head, self.next)
    }

    /// As the source remembers it.
    pub(super) fn encode(&self) -> FinishedSplit {
        let kind = if self.is_part { PART } else { STAMPED }
            | (u8::from(self.ends_in_half_line) * HALF_LINE);
        let mut bytes = Vec::with_capacity(40);
        let mut put = |number: u64, length: usize| bytes.extend(&number.to_le_bytes()[..length]);
        put(u64::from(kind), 1);
        put(u64::from(self.serial), 4);
        put(self.path, 8);
        if self.is_part {
            put(self.start, 6);
            put(self.end, 6);
            put(self.next - self.end, 3);
            put(self.tail, 4);
            put(u64::from(self.number), 4);
        } else {
            put(self.end, 6);
            put(self.head, 4);
            put(self.tail, 6);
            put(u64::from(self.number), 3);
            put(self.stamp, 8);
        }
        FinishedSplit(bytes)
    }

    /// What was remembered; none if the bytes mean nothing.
    pub(super) fn decode(FinishedSplit(bytes): &FinishedSplit) -> Option<Self> {
        let mut rest = bytes.as_slice();
        let mut take = |length: usize| {
            let (number, after) = rest.split_at_checked(length)?;
            rest = after;
            let mut whole = [0; 8];
            whole[..length].copy_from_slice(number);
            Some(u64::from_le_bytes(whole))
        };
        let (kind, serial, path) = (take(1)? as u8, take(4)? as u32, take(8)?);
        let (is_part, ends_in_half_line) = (kind & PART != 0, kind & HALF_LINE != 0);
        let finished = if is_part {
            let (start, end) = (take(6)?, take(6)?);
            let (next, head, tail) = (end + take(3)?, 0, take(4)?);
            let (number, stamp) = (take(4)? as u32, 0);
            FinishedFile {
                serial,
                path,
                is_part,
                start,
                end,
                next,
                ends_in_half_line,
                head,
                tail,
                number,
                stamp,
            }
        } else {
            let (end, head, tail) = (take(6)?, take(4)?, take(6)?);
            let (number, stamp) = match kind & STAMPED {
                0 => (take(4).map(|_| 0)?, 0),
                _ => (take(3)? as u32, take(8)?),
            };
            let (start, next) = (0, end);
            FinishedFile {
                serial,
                path,
                is_part,
                start,
                end,
                next,
                ends_in_half_line,
                head,
                tail,
                number,
                stamp,
            }
        };
        let is_whole =
            kind <= STAMPED | HALF_LINE && rest.is_empty() && finished.start <= finished.end;
        is_whole.then_some(finished)
    }
}

/// The first bytes tell something where they are not the last ones, too.
fn head(head: Option<Fingerprint>, next: u64) -> u64 {
    let counts = head.filter(|_| next > SAMPLE_BYTES as u64);
    counts.map_or(0, |head| head.0 & BITS_32)
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
                serial: device & 0xffff_ffff,
                identity: Identity {
                    file: Some((FileId { device, inode }, modified_ns)),
                    stamp: Some(Fingerprint(head.rotate_left(7))),
                    head: Some(Fingerprint(head)),
                    tail: Some(Fingerprint(tail)),
                },
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_read_in_few_bytes(split in finished()) {
            let finished = FinishedFile::of(&split).unwrap();
            let bytes = finished.encode();
            prop_assert_eq!(bytes.0.len(), if finished.is_part { 36 } else { 40 });
            prop_assert_eq!(FinishedFile::decode(&bytes), Some(finished));
            let Identity { head, tail, .. } = split.identity;
            prop_assert!(finished.has_head(head) && finished.has_tail(tail.unwrap()));
            prop_assert!(!finished.has_tail(Fingerprint(!tail.unwrap().0)));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(finished) = FinishedFile::decode(&FinishedSplit(bytes.clone())) {
                let is_old = bytes[0] <= HALF_LINE;
                prop_assert!(is_old || finished.encode().0 == bytes);
            }
        }
    }
}
