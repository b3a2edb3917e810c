//! Opening a file at a position of its contents, whatever it is compressed with.
//!
//! Gzip and Zstandard streams have no positions of their own: to resume, the stream is decompressed
//! from its beginning and everything up to the position is thrown away. That costs time, not
//! correctness; files that are resumed often are better left plain or kept small.

use std::io::{self, Read, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use steadfast_core::disk::{FileStatus, OpenFile};

use super::files::InputFile;

/// How a file is compressed, by its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Plain,
    Gzip,
    Zstandard,
}

impl Compression {
    pub(super) fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Compression::Gzip,
            Some("zst") => Compression::Zstandard,
            _ => Compression::Plain,
        }
    }

    pub(super) fn is_plain(self) -> bool {
        self == Compression::Plain
    }
}

/// A file's contents from some position on.
pub(super) struct Contents {
    reader: Reader,
    /// What was known of the file when it was opened.
    pub(super) status: FileStatus,
    /// Bytes taken from the file itself, where it is compressed.
    taken: Arc<AtomicU64>,
}

enum Reader {
    /// So many bytes may still be read.
    Plain {
        file: Box<dyn OpenFile>,
        left: u64,
    },
    Compressed(Box<dyn Read + Send>),
}

impl Contents {
    /// The contents of `input` from byte `offset` of the uncompressed contents on. Plain contents
    /// end at byte `length`, even if the file has grown since: every reader of one run must see
    /// the same file, or what lies between what two of them saw would be lost.
    pub(super) fn open(input: &InputFile, offset: u64, length: u64) -> io::Result<Self> {
        let mut file = input.open()?;
        let status = file.status()?;
        let taken = Arc::new(AtomicU64::new(0));
        let compression = Compression::of(&input.path);
        if compression.is_plain() {
            file.seek(SeekFrom::Start(offset))?;
            let reader = Reader::Plain { file, left: length.saturating_sub(offset) };
            return Ok(Contents { reader, status, taken });
        }
        let counted = Counted { file, taken: Arc::clone(&taken) };
        let mut reader: Box<dyn Read + Send> = match compression {
            Compression::Zstandard => Box::new(zstd::Decoder::new(counted)?),
            _ => Box::new(flate2::read::MultiGzDecoder::new(counted)),
        };
        let skipped = io::copy(&mut (&mut reader).take(offset), &mut io::sink())?;
        if skipped < offset {
            let what = format!("the contents end at byte {skipped}, before byte {offset}");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        Ok(Contents { reader: Reader::Compressed(reader), status, taken })
    }

    /// The bytes in `range` of the contents of `input`, or as many of them as there are.
    pub(super) fn sample(input: &InputFile, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut sample = Vec::new();
        Contents::open(input, range.start, range.end)?
            .take(range.end - range.start)
            .read_to_end(&mut sample)?;
        Ok(sample)
    }

    /// How long the contents of `input` are, and the last `most` bytes of them.
    pub(super) fn end(input: &InputFile, most: usize) -> io::Result<(u64, Vec<u8>)> {
        let mut contents = Contents::open(input, 0, u64::MAX)?;
        let (mut length, mut last, mut block) = (0, Vec::new(), vec![0; 64 * 1024]);
        loop {
            let read = contents.read(&mut block)?;
            if read == 0 {
                return Ok((length, last));
            }
            length += read as u64;
            last.extend_from_slice(&block[..read]);
            last.drain(..last.len().saturating_sub(most));
        }
    }

    /// What is known of the file now.
    pub(super) fn status(&self) -> io::Result<FileStatus> {
        match &self.reader {
            Reader::Plain { file, .. } => file.status(),
            Reader::Compressed(_) => Ok(self.status),
        }
    }

    /// Whether plain contents still have the bytes `before` just before `position`, behind which `read` bytes
    /// have been read: if not, those may be of other contents.
    pub(super) fn still_have(
        &mut self,
        before: &[u8],
        position: u64,
        read: usize,
    ) -> io::Result<bool> {
        let Reader::Plain { file, .. } = &mut self.reader else { return Ok(true) };
        file.seek(SeekFrom::Start(position - before.len() as u64))?;
        let mut found = vec![0; before.len()];
        let is_there = match file.read_exact(&mut found) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            read => read.map(|()| found == before)?,
        };
        file.seek(SeekFrom::Start(position + read as u64))?;
        Ok(is_there)
    }

    /// Bytes taken from the file itself since the last call, where it is compressed.
    pub(super) fn taken(&self) -> u64 {
        self.taken.swap(0, Ordering::Relaxed)
    }
}

impl Read for Contents {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match &mut self.reader {
                Reader::Plain { file, left } => {
                    let room =
                        usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
                    let read = file.read(&mut buffer[..room]);
                    *left -= *read.as_ref().unwrap_or(&0) as u64;
                    read
                }
                Reader::Compressed(reader) => reader.read(buffer),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

struct Counted {
    file: Box<dyn OpenFile>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.taken.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}
