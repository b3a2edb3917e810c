//! Length and checksum of a part, taken while it is written or read: it may be larger than memory.

use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum {
    /// How many bytes there are.
    pub(super) bytes: u64,
    /// Of all of them.
    pub(super) crc32c: u32,
}

impl Sum {
    /// The sum of everything that can be read.
    pub(super) fn of(contents: impl BufRead) -> io::Result<Self> {
        let mut summing = Summing::new(contents);
        io::copy(&mut summing, &mut io::sink())?;
        Ok(summing.sum)
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
    }
}

/// Passes on what it reads, and sums it up.
pub(super) struct Summing<R> {
    /// Of what has been read.
    pub(super) sum: Sum,
    pub(super) inner: R,
}

impl<R> Summing<R> {
    pub(super) fn new(inner: R) -> Self {
        Summing { sum: Sum::default(), inner }
    }
}

impl<R: BufRead> Read for Summing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Summing<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        // What is in the buffer is handed out again without being read again.
        if length > 0
            && let Ok(bytes) = self.inner.fill_buf()
        {
            self.sum.add(&bytes[..length]);
        }
        self.inner.consume(length);
    }
}
