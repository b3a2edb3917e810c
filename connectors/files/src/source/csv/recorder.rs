//! The bytes behind the row that is being parsed, so that a bad one can be shown as it stands.

use std::io::{self, Read};

use super::super::compression::Contents;
use super::super::read_buffer::KEPT_BYTES;

/// Contents that remember what has been read of them since the last row ended.
pub(super) struct Recorder {
    contents: Contents,
    bytes: Vec<u8>,
    /// The position of the first of `bytes` in the contents.
    start: u64,
    /// What lies before this position is no longer needed.
    keep: u64,
    longest: usize,
    /// Whether everything has been read.
    at_end: bool,
    /// Whether reading was refused because the row is too long.
    is_full: bool,
}

impl Recorder {
    /// `contents` begin at `position`.
    pub(super) fn new(contents: Contents, position: u64, longest: usize) -> Self {
        let (start, keep, bytes) = (position, position, Vec::new());
        // What is kept of a row must not depend on how much of it came with one read.
        let longest = longest.max(KEPT_BYTES);
        Recorder { contents, bytes, start, keep, longest, at_end: false, is_full: false }
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
        let passed = ((self.keep - self.start) as usize).min(self.bytes.len());
        self.bytes.drain(..passed);
        self.start += passed as u64;
        // Blank lines belong to no row: however many there are, they do not make it too long.
        let blank = blank_prefix(self.kept());
        if blank == self.bytes.len() {
            self.start += blank as u64;
            self.keep = self.keep.max(self.start);
            self.bytes.clear();
        } else if self.bytes.len() - blank > self.longest {
            self.is_full = true;
            return Err(io::Error::other("the row is too long"));
        }
        let read = self.contents.read(buffer)?;
        self.bytes.extend_from_slice(&buffer[..read]);
        self.at_end = read == 0;
        Ok(read)
    }
}

/// The line ends before a row: of blank lines, or the second half of the one before.
pub(super) fn blank_prefix(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}
