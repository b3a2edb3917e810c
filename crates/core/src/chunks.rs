//! What writers have staged of an epoch for one sink, in a fixed order.
//!
//! It may be more than fits into memory: a target reads one chunk after the other, as often as it
//! needs. Where they lie is not its business.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use crate::error::{Error, Result};

/// See the module. Chunks keep the order in which they were staged; where one ends means nothing.
pub trait Chunks {
    /// How many there are.
    fn count(&self) -> usize;

    /// How many bytes they have in all.
    fn bytes(&self) -> u64;

    /// Reads one of them, counted from 0.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be read now, `Damaged` if it is not what was staged.
    fn chunk(&self, number: usize) -> Result<Cow<'_, [u8]>>;
}

impl dyn Chunks + '_ {
    /// All of them in one piece, where they are known to fit into memory.
    ///
    /// # Errors
    /// As [`Chunks::chunk`].
    pub fn concat(&self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        for number in 0..self.count() {
            all.extend_from_slice(&self.chunk(number)?);
        }
        Ok(all)
    }
}

impl<C: AsRef<[Vec<u8>]> + ?Sized> Chunks for C {
    fn count(&self) -> usize {
        self.as_ref().len()
    }

    fn bytes(&self) -> u64 {
        self.as_ref().iter().map(|chunk| chunk.len() as u64).sum()
    }

    fn chunk(&self, number: usize) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Borrowed(&self.as_ref()[number]))
    }
}

/// All chunks as one stream of bytes.
pub struct ChunkReader<'a> {
    chunks: &'a dyn Chunks,
    next: usize,
    current: Cow<'a, [u8]>,
    read: usize,
    error: Option<Error>,
}

impl<'a> ChunkReader<'a> {
    /// From the first byte on.
    pub fn new(chunks: &'a dyn Chunks) -> Self {
        ChunkReader { chunks, next: 0, current: Cow::Borrowed(&[]), read: 0, error: None }
    }

    /// Why a chunk could not be read, if that is why reading has failed.
    pub fn into_error(self) -> Option<Error> {
        self.error
    }
}

impl Read for ChunkReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for ChunkReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.read == self.current.len() && self.next < self.chunks.count() {
            self.current = self.chunks.chunk(self.next).map_err(|error| {
                let told = io::Error::other(error.to_string());
                self.error = Some(error);
                told
            })?;
            (self.next, self.read) = (self.next + 1, 0);
        }
        Ok(&self.current[self.read..])
    }

    fn consume(&mut self, length: usize) {
        self.read += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_chunks_are_one_stream_empty_ones_included() {
        let chunks = [b"".to_vec(), b"ab".to_vec(), Vec::new(), b"c".to_vec(), Vec::new()];
        let mut read = Vec::new();
        ChunkReader::new(&chunks).read_to_end(&mut read).unwrap();
        assert_eq!((read.as_slice(), chunks.bytes(), chunks.count()), (&b"abc"[..], 3, 5));
    }

    struct Broken;

    impl Chunks for Broken {
        fn count(&self) -> usize {
            1
        }
        fn bytes(&self) -> u64 {
            1
        }
        fn chunk(&self, _number: usize) -> Result<Cow<'_, [u8]>> {
            Err(Error::damaged("it is not what was staged"))
        }
    }

    #[test]
    fn what_was_wrong_with_a_chunk_is_not_lost_on_the_way() {
        let mut reader = ChunkReader::new(&Broken);
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
        assert_eq!(reader.into_error().unwrap().kind(), crate::ErrorKind::Damaged);
    }
}
