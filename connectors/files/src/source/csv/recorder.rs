//! The bytes behind the row that is being parsed, so that a bad one can be shown as it stands.

use std::io::{self, Read};

use steadfast_core::disk::FileStatus;

use super::super::compression::Contents;
use super::super::cursor::Opened;
use super::super::identity::{Fingerprint, SAMPLE_BYTES};
use super::super::read_buffer::KEPT_BYTES;

/// Contents that remember what has been read of them since the last row ended.
pub(super) struct Recorder {
    contents: Contents,
    bytes: Vec<u8>,
    /// Whether the last of `bytes` is to be read once more.
    again: bool,
    /// The position of the first of `bytes` in the contents.
    start: u64,
    /// What lies before this position is no longer needed.
    keep: u64,
    longest: usize,
    /// Whether everything has been read.
    at_end: bool,
    /// Whether reading was refused because the row is too long.
    is_full: bool,
    head: Option<Fingerprint>,
}

impl Recorder {
    /// The last byte before the position of what is open is read once more.
    pub(super) fn new(opened: Opened, longest: usize) -> Self {
        let Opened { contents, before: bytes, position, head } = opened;
        let (start, keep) = (position - bytes.len() as u64, position);
        let again = !bytes.is_empty();
        // What is kept of a row must not depend on how much of it came with one read.
        let longest = longest.max(KEPT_BYTES);
        let (at_end, is_full) = (false, false);
        Recorder { contents, bytes, again, start, keep, longest, at_end, is_full, head }
    }

    /// The last bytes before `position`, which has been read, as far as they count for a fingerprint.
    pub(super) fn passed(&self, position: u64) -> &[u8] {
        let end = ((position - self.start) as usize).min(self.bytes.len());
        &self.bytes[end.saturating_sub(SAMPLE_BYTES)..end]
    }

    /// The fingerprint of the first bytes of the contents, if they have been read.
    pub(super) fn head(&self) -> Option<Fingerprint> {
        self.head
    }

    /// What was known of the file when it was opened.
    pub(super) fn status(&self) -> FileStatus {
        self.contents.status
    }

    /// A row ends at `position`.
    pub(super) fn pass(&mut self, position: u64) {
        self.keep = position;
    }

    /// The position of the first byte that is kept.
    pub(super) fn position(&self) -> u64 {
        self.keep
    }

    /// What has been read from there on.
    pub(super) fn kept(&self) -> &[u8] {
        self.bytes.get((self.keep - self.start) as usize..).unwrap_or_default()
    }

    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Bytes taken from the file itself since the last call.
    pub(super) fn taken(&self) -> u64 {
        self.contents.taken()
    }

    /// Reads on without remembering.
    pub(super) fn read_past(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.contents.read(buffer)
    }
}

impl Read for Recorder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let (true, Some(last), [first, ..]) = (self.again, self.bytes.last(), &mut *buffer) {
            *first = *last;
            self.again = false;
            return Ok(1);
        }
        let blank = blank_prefix(self.kept());
        let kept = self.kept().len();
        if blank == kept {
            // Blank lines belong to no row: however many there are, they do not make it too long.
            self.keep += blank as u64;
        } else if kept - blank > self.longest {
            self.is_full = true;
            return Err(io::Error::other("the row is too long"));
        }
        let passed = ((self.keep - self.start) as usize).min(self.bytes.len());
        let dropped = passed.saturating_sub(SAMPLE_BYTES);
        self.bytes.drain(..dropped);
        self.start += dropped as u64;
        let read = self.contents.read(buffer)?;
        self.bytes.extend_from_slice(&buffer[..read]);
        self.at_end = read == 0;
        if self.head.is_none() && self.start == 0 && self.bytes.len() >= SAMPLE_BYTES {
            self.head = Some(Fingerprint::of(&self.bytes[..SAMPLE_BYTES]));
        }
        Ok(read)
    }
}

/// The line ends before a row: of blank lines, or the second half of the one before.
pub(super) fn blank_prefix(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}
