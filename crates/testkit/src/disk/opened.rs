//! A file of the simulated disk that is open for reading.

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::baton::DiskCall;

use super::SimulatedDisk;

/// See the module.
pub(super) struct Opened {
    disk: SimulatedDisk,
    path: PathBuf,
    contents: Cursor<Shared>,
}

impl Opened {
    pub(super) fn new(disk: SimulatedDisk, path: &Path, contents: Arc<Vec<u8>>) -> Self {
        let (path, contents) = (path.to_path_buf(), Cursor::new(Shared(contents)));
        Opened { disk, path, contents }
    }
}

struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let contents = &mut self.contents;
        self.disk.call(DiskCall::Read, &self.path, |_| contents.read(buffer))
    }
}

impl BufRead for Opened {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.contents.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        self.contents.consume(length);
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.contents.seek(to)
    }
}
