//! Cutting contents into lines, in one buffer that is used over and over.

use std::io::{self, Read};
use std::ops::Range;

use super::compression::Contents;

const BUFFER_BYTES: usize = 256 * 1024;

/// Lines from some position on.
pub(super) struct Lines {
    contents: Contents,
    buffer: Vec<u8>,
    /// The bytes in the buffer that have been read and not been handed out.
    filled: Range<usize>,
    /// Bytes of `filled` that are known to hold no line end.
    searched: usize,
    /// The position of the first byte of `filled` in the contents.
    position: u64,
    at_end: bool,
    longest: usize,
}

/// What comes next.
pub(super) enum Line {
    /// A line in the buffer, without its line end, and whether it had one.
    Whole { range: Range<usize>, ended: bool },
    /// A line longer than allowed; its first bytes are in the buffer, the rest is skipped.
    TooLong { range: Range<usize> },
    /// There are no more.
    End,
}

impl Lines {
    /// The lines of `contents`, which begin at `position`.
    pub(super) fn new(contents: Contents, position: u64, longest: usize) -> Self {
        let buffer = vec![0; BUFFER_BYTES];
        let (filled, searched, at_end) = (0..0, 0, false);
        Lines { contents, buffer, filled, searched, position, at_end, longest }
    }

    /// The position of the next line.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes taken from the file itself since the last call.
    pub(super) fn taken(&self) -> u64 {
        self.contents.taken()
    }

    /// The bytes of a line.
    #[inline]
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// The next line. It is passed over: [`Lines::position`] is behind it then.
    #[inline]
    pub(super) fn next(&mut self) -> io::Result<Line> {
        loop {
            let from = self.filled.start + self.searched;
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[from..self.filled.end]) {
                let range = self.filled.start..from + found;
                self.pass(range.len() + 1);
                return Ok(Line::Whole { range, ended: true });
            }
            self.searched = self.filled.len();
            if self.at_end {
                let range = self.filled.clone();
                self.pass(range.len());
                let whole = !range.is_empty();
                return Ok(if whole { Line::Whole { range, ended: false } } else { Line::End });
            }
            if self.filled.len() > self.longest {
                return self.skip_long();
            }
            self.fill()?;
        }
    }

    #[inline]
    fn pass(&mut self, bytes: usize) {
        self.filled.start += bytes;
        self.position += bytes as u64;
        self.searched = 0;
    }

    /// Makes room and reads more.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.filled.clone(), 0);
        self.filled = 0..self.filled.len();
        if self.filled.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let read = loop {
            match self.contents.read(&mut self.buffer[self.filled.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.filled.end += read;
        self.at_end = read == 0;
        Ok(())
    }

    /// Keeps the first bytes of a line that is too long and skips to its end.
    fn skip_long(&mut self) -> io::Result<Line> {
        const KEPT: usize = 64 * 1024;
        let kept = self.filled.len().min(KEPT);
        self.buffer.copy_within(self.filled.start..self.filled.start + kept, 0);
        self.position += self.filled.len() as u64;
        self.searched = 0;
        // What is kept stays at the front; the rest of the buffer takes what follows.
        loop {
            self.filled = kept..kept;
            let read = self.contents.read(&mut self.buffer[kept..])?;
            self.filled.end = kept + read;
            if read == 0 {
                self.at_end = true;
                break;
            }
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[self.filled.clone()]) {
                self.pass(found + 1);
                break;
            }
            self.position += read as u64;
        }
        Ok(Line::TooLong { range: 0..kept })
    }
}
