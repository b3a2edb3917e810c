//! A disk that tells of no changes, and on which something may happen in the middle of a look.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use steadfast_core::disk::{Disk, FileStatus, OpenFile};
use steadfast_disk::SystemDisk;

type Happening = Box<dyn FnOnce() + Send>;

/// See the module. It is only read from.
#[derive(Default)]
pub struct SilentDisk {
    /// What happens, once, before the next file is opened.
    pub before_open: Mutex<Option<Happening>>,
}

impl Disk for SilentDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let before = self.before_open.lock().unwrap().take();
        before.into_iter().for_each(|happens| happens());
        SystemDisk.open(path)
    }

    fn status(&self, path: &Path) -> io::Result<FileStatus> {
        SystemDisk.status(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        SystemDisk.list(dir)
    }

    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        SystemDisk.list_dirs(dir)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        SystemDisk.read(path)
    }

    fn write(&self, _: &Path, _: &mut dyn BufRead) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn link(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
