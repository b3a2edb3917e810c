//! Finding lines: whole lines are handed out in blocks, so that what is done once for a block
//! (such as checking its encoding) is not done for every line.

use std::io;

use memchr::{memchr, memrchr};

use super::read_buffer::ReadBuffer;

/// A block stays in the nearest cache between being checked and being parsed.
const BLOCK_BYTES: usize = 32 * 1024;

/// Lines from some position on.
pub(super) struct Lines {
    read_buffer: ReadBuffer,
    /// This many bytes at the front of the read_buffer hold no line end.
    searched: usize,
    longest: usize,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// This many bytes are whole lines, each with its line end.
    Lines(usize),
    /// This many bytes are the last line, which has no line end.
    Last(usize),
    /// A line longer than allowed, and whether it has a line end. It has been passed already; here
    /// is how it begins.
    TooLong(Vec<u8>, bool),
    /// There is nothing more.
    End,
    /// The contents are not any more those that were read.
    Changed,
}

impl Lines {
    /// The lines in `read_buffer`, none of them longer than `longest` bytes.
    pub(super) fn new(read_buffer: ReadBuffer, longest: usize) -> Self {
        Lines { read_buffer, searched: 0, longest }
    }

    /// Where the next line begins.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        self.read_buffer.position()
    }

    /// There may be more by now.
    pub(super) fn look_again(&mut self) {
        self.read_buffer.look_again();
    }

    /// The bytes that they are read from.
    pub(super) fn buffer(&self) -> &ReadBuffer {
        &self.read_buffer
    }

    /// Bytes taken from the file itself since the last call.
    pub(super) fn taken(&self) -> u64 {
        self.read_buffer.taken()
    }

    /// The first `length` bytes of what comes next.
    #[inline]
    pub(super) fn bytes(&self, length: usize) -> &[u8] {
        &self.read_buffer.bytes()[..length]
    }

    /// Leaves the first `bytes` behind; they must be whole lines, or the last one.
    #[inline]
    pub(super) fn pass(&mut self, bytes: usize) {
        self.read_buffer.pass(bytes);
        self.searched = 0;
    }

    /// Passes one line, however long. Returns how it begins, and whether it had a line end.
    pub(super) fn skip_line(&mut self) -> io::Result<(Vec<u8>, bool)> {
        self.searched = 0;
        self.read_buffer.skip_line()
    }

    /// What comes next. Lines are not passed by this; see [`Lines::pass`].
    pub(super) fn next(&mut self) -> io::Result<Next> {
        loop {
            let bytes = self.read_buffer.bytes();
            let block = bytes.len().min(BLOCK_BYTES).max(self.searched);
            if let Some(found) = memrchr(b'\n', &bytes[self.searched..block]) {
                return Ok(Next::Lines(self.searched + found + 1));
            }
            if let Some(found) = memchr(b'\n', &bytes[block..]) {
                return Ok(Next::Lines(block + found + 1));
            }
            self.searched = bytes.len();
            if self.searched > self.longest {
                let (kept, ended) = self.skip_line()?;
                return Ok(Next::TooLong(kept, ended));
            }
            if self.read_buffer.at_end() {
                return Ok(if bytes.is_empty() { Next::End } else { Next::Last(bytes.len()) });
            }
            self.read_buffer.fill()?;
            if self.read_buffer.has_changed() {
                return Ok(Next::Changed);
            }
        }
    }
}
