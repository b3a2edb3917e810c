//! Opening a file at a position of its contents, whatever it is compressed with.
//!
//! Gzip and Zstandard streams have no positions of their own: to resume, the stream is decompressed
//! from its beginning and everything up to the position is thrown away. That costs time, not
//! correctness; files that are resumed often are better left plain or kept small.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use steadfast_core::disk::OpenFile;

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
    reader: Box<dyn Read + Send>,
    /// Bytes taken from the file itself.
    taken: Arc<AtomicU64>,
}

impl Contents {
    /// The contents of `input` from byte `offset` of the uncompressed contents on. Plain contents
    /// end at byte `length`, even if the file has grown since: every reader of one run must see
    /// the same file, or what lies between what two of them saw would be lost.
    pub(super) fn open(input: &InputFile, offset: u64, length: u64) -> io::Result<Self> {
        let mut file = input.open()?;
        let taken = Arc::new(AtomicU64::new(0));
        let compression = Compression::of(&input.path);
        if compression.is_plain() {
            file.seek(SeekFrom::Start(offset))?;
        }
        let counted = Counted { file, taken: Arc::clone(&taken) };
        let mut reader: Box<dyn Read + Send> = match compression {
            Compression::Plain => Box::new(counted.take(length.saturating_sub(offset))),
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(counted)),
            Compression::Zstandard => Box::new(zstd::Decoder::new(counted)?),
        };
        if !compression.is_plain() {
            let skipped = io::copy(&mut (&mut reader).take(offset), &mut io::sink())?;
            if skipped < offset {
                let what = format!("the contents end at byte {skipped}, before byte {offset}");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
        }
        Ok(Contents { reader, taken })
    }

    /// Bytes taken from the file itself since the last call.
    pub(super) fn taken(&self) -> u64 {
        self.taken.swap(0, Ordering::Relaxed)
    }
}

impl Read for Contents {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buffer) {
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
