//! A moving window over contents: one buffer that is read into directly and used over and over.
//!
//! The last bytes that were passed stay in it, to tell later which contents they were. It knows line ends,
//! because that is where reading begins and what is too long ends, and nothing else of what the bytes mean.

use std::io::{self, Read};
use std::ops::Range;

use steadfast_core::disk::FileStatus;

use super::compression::Contents;
use super::cursor::Opened;
use super::identity::{Fingerprint, SAMPLE_BYTES};

/// Smaller ones cost system calls, larger ones fall out of the nearer caches.
const BUFFER_BYTES: usize = 256 * 1024;
/// How much is read at a time behind the end of a split, where only the rest of one record is of
/// interest.
const TAIL_BYTES: u64 = 16 * 1024;
/// How much is kept of something too long to be kept whole.
pub(super) const KEPT_BYTES: usize = 64 * 1024;

/// See the module.
pub(super) struct ReadBuffer {
    contents: Contents,
    buffer: Vec<u8>,
    /// The part of the buffer that has been read and not been passed.
    filled: Range<usize>,
    /// Where the first byte of `filled` stands in the contents.
    position: u64,
    /// Where the split ends, if that is known.
    until: Option<u64>,
    at_end: bool,
    /// Of the first bytes of the contents, once they have been seen.
    head: Option<Fingerprint>,
    /// Whether the contents may be replaced while they are read.
    may_change: bool,
    has_changed: bool,
}

impl ReadBuffer {
    /// A buffer over the contents of `opened`. The last `again` of the bytes before its position are read
    /// once more.
    pub(super) fn new(opened: Opened, again: usize, until: Option<u64>) -> Self {
        let Opened { contents, before, position, head } = opened;
        let mut buffer = vec![0; BUFFER_BYTES];
        buffer[..before.len()].copy_from_slice(&before);
        let (filled, position) = (before.len() - again..before.len(), position - again as u64);
        let (at_end, may_change, has_changed) = (false, false, false);
        ReadBuffer {
            contents,
            buffer,
            filled,
            position,
            until,
            at_end,
            head,
            may_change,
            has_changed,
        }
    }

    /// The same, of a file that goes on growing and may be truncated.
    pub(super) fn growing(self) -> Self {
        ReadBuffer { may_change: true, ..self }
    }

    /// Whether the contents are not any more those that were read.
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// What is known of the file now.
    pub(super) fn status(&self) -> io::Result<FileStatus> {
        self.contents.status()
    }

    /// There may be more by now. Meanwhile no more memory is kept than what is needed.
    pub(super) fn look_again(&mut self) {
        self.at_end = false;
        let kept = self.filled.start.min(SAMPLE_BYTES);
        if self.filled.len() < SAMPLE_BYTES && self.buffer.len() > 4 * SAMPLE_BYTES {
            self.buffer = self.buffer[self.filled.start - kept..self.filled.end].to_vec();
            self.filled = kept..kept + self.filled.len();
        }
    }

    /// The last bytes before [`ReadBuffer::position`] of those that were passed, as far as they count for a
    /// fingerprint.
    pub(super) fn passed(&self) -> &[u8] {
        &self.buffer[self.filled.start.saturating_sub(SAMPLE_BYTES)..self.filled.start]
    }

    /// The fingerprint of the first bytes of the contents, if it is known.
    pub(super) fn head(&self) -> Option<Fingerprint> {
        self.head
    }

    /// The bytes that have been read and not been passed.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.filled.clone()]
    }

    /// Where the first of [`ReadBuffer::bytes`] stands in the contents.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether nothing follows [`ReadBuffer::bytes`].
    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    /// Bytes taken from the file itself since the last call.
    pub(super) fn taken(&self) -> u64 {
        self.contents.taken()
    }

    /// Leaves the first `bytes` behind.
    #[inline]
    pub(super) fn pass(&mut self, bytes: usize) {
        self.filled.start += bytes;
        self.position += bytes as u64;
    }

    /// Reads more, or finds that there is no more.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        let kept = self.filled.start.min(SAMPLE_BYTES);
        self.buffer.copy_within(self.filled.start - kept..self.filled.end, 0);
        self.filled = kept..kept + self.filled.len();
        if self.filled.end == self.buffer.len() {
            self.buffer.resize((self.buffer.len() * 2).max(BUFFER_BYTES), 0);
        }
        let mut room = self.buffer.len() - self.filled.end;
        if let Some(until) = self.until {
            let left = until.saturating_sub(self.position + self.filled.len() as u64);
            room = usize::try_from(left.max(TAIL_BYTES)).map_or(room, |left| room.min(left));
        }
        let free = self.filled.end..self.filled.end + room;
        let read = self.contents.read(&mut self.buffer[free])?;
        if self.may_change && !self.is_unchanged(read)? {
            self.has_changed = true;
            return Ok(());
        }
        self.filled.end += read;
        self.at_end = read == 0;
        let begins_at_first_byte = self.position == self.filled.start as u64;
        if self.head.is_none() && begins_at_first_byte && self.filled.end >= SAMPLE_BYTES {
            self.head = Some(Fingerprint::of(&self.buffer[..SAMPLE_BYTES]));
        }
        Ok(())
    }

    /// Whether what lies before the `read` bytes that were read last is still what it was. Asked after they were
    /// read: a file that was truncated and has grown again before that does not pass.
    fn is_unchanged(&mut self, read: usize) -> io::Result<bool> {
        let before = &self.buffer[self.filled.end.saturating_sub(SAMPLE_BYTES)..self.filled.end];
        let position = self.position + self.filled.len() as u64;
        self.contents.still_have(before, position, read)
    }

    /// Passes everything up to and including the next line end, without holding it in memory.
    /// Returns how it begins, and whether there was a line end.
    pub(super) fn skip_line(&mut self) -> io::Result<(Vec<u8>, bool)> {
        let mut kept = Vec::new();
        loop {
            let found = memchr::memchr(b'\n', self.bytes());
            let line = &self.bytes()[..found.unwrap_or(self.filled.len())];
            kept.extend_from_slice(&line[..line.len().min(KEPT_BYTES - kept.len())]);
            self.pass(found.map_or(self.filled.len(), |found| found + 1));
            if found.is_some() || self.at_end || self.has_changed {
                return Ok((kept, found.is_some()));
            }
            self.fill()?;
        }
    }
}
