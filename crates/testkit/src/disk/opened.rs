//! A file of the simulated disk that is open for reading: it grows while it is open, and stays when its name
//! goes.

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use steadfast_core::disk::{FileStatus, OpenFile};

use crate::baton::DiskCall;

use super::SimulatedDisk;

/// See the module.
pub(super) struct Opened {
    disk: SimulatedDisk,
    path: PathBuf,
    /// Its number on the disk.
    file: usize,
    position: u64,
    /// What was read of it and not consumed.
    ahead: Vec<u8>,
}

/// How much is read at once where nobody says how much.
const AHEAD: usize = 8 * 1024;

impl Opened {
    pub(super) fn new(disk: SimulatedDisk, path: &Path, file: usize) -> Self {
        Opened { disk, path: path.to_path_buf(), file, position: 0, ahead: Vec::new() }
    }
}

impl OpenFile for Opened {
    fn status(&self) -> io::Result<FileStatus> {
        self.disk.call(DiskCall::Read, &self.path, |contents| contents.status(self.file))
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.ahead.is_empty() {
            let length = self.ahead.len().min(buffer.len());
            buffer[..length].copy_from_slice(&self.ahead[..length]);
            self.ahead.drain(..length);
            return Ok(length);
        }
        let (file, position) = (self.file, self.position);
        let length = self.disk.call(DiskCall::Read, &self.path, |contents| {
            let bytes = contents.bytes(file)?;
            let rest = bytes.get(position as usize..).unwrap_or_default();
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            Ok(length)
        })?;
        self.position += length as u64;
        Ok(length)
    }
}

impl BufRead for Opened {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ahead.is_empty() {
            let mut ahead = vec![0; AHEAD];
            let length = self.read(&mut ahead)?;
            ahead.truncate(length);
            self.ahead = ahead;
        }
        Ok(&self.ahead)
    }

    fn consume(&mut self, length: usize) {
        self.ahead.drain(..length);
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let from =
            |from: u64, by: i64| from.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput);
        let position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(by) => from(self.position - self.ahead.len() as u64, by)?,
            SeekFrom::End(by) => from(self.disk.disk.contents().status(self.file)?.length, by)?,
        };
        (self.position, self.ahead) = (position, Vec::new());
        Ok(position)
    }
}
