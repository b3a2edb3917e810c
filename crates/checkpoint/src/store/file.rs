//! A store in a local folder.
//!
//! An object is written under a temporary name, synced, and linked to its own name: linking fails
//! if the name is taken, so creation is atomic and conditional. Then the folder is synced. Only
//! after that is the object said to exist.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use steadfast_core::disk::Disk;
use steadfast_core::fault::{Fault, Faults};
use steadfast_core::store::{Put, Store};
use steadfast_core::{Error, Result};
use steadfast_disk::{Existing, SystemDisk, Written, write_durably};

/// Keeps objects as files below a folder.
pub struct FileStore {
    root: PathBuf,
    disk: Arc<dyn Disk>,
    /// Sets this store's temporary names apart from those of other processes.
    writer: String,
    sequence: AtomicU64,
    faults: Faults,
}

impl FileStore {
    /// A store below `root` on the machine's disk. `writer` must be unique among the processes that
    /// use the folder at the same time, such as a process id with a start time.
    pub fn new(root: impl Into<PathBuf>, writer: impl Into<String>) -> Self {
        Self::on_disk(Arc::new(SystemDisk), root, writer)
    }

    /// A store on another disk, such as a simulated one.
    pub fn on_disk(
        disk: Arc<dyn Disk>,
        root: impl Into<PathBuf>,
        writer: impl Into<String>,
    ) -> Self {
        let (root, writer) = (root.into(), writer.into());
        FileStore { root, disk, writer, sequence: AtomicU64::new(0), faults: Faults::NONE }
    }

    /// Switches on a deliberate fault.
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn failed(&self, verb: &str, path: &Path, error: std::io::Error) -> Error {
        Error::unavailable(format!("cannot {verb} {}", path.display()))
            .caused_by(error)
            .hint("check that the folder exists, has room and may be written")
    }
}

impl Store for FileStore {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let path = self.path(name);
        let dir = path.parent().unwrap_or(&self.root);
        let failed = |error| self.failed("create", &path, error);
        self.disk.create_dir_all(dir).map_err(failed)?;
        if self.faults.has(Fault::SyncSkipped) {
            return match self.disk.read(&path) {
                Ok(_) => Ok(Put::AlreadyExists),
                Err(_) => self.disk.write(&path, bytes).map(|()| Put::Created).map_err(failed),
            };
        }
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{}-{sequence}", self.writer);
        match write_durably(&*self.disk, &path, bytes, &temporary, Existing::Keep) {
            Ok(Written::Created) => Ok(Put::Created),
            Ok(Written::Kept) => Ok(Put::AlreadyExists),
            Err(error) => Err(failed(error)),
        }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(name);
        match self.disk.read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", &path, error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let dir = self.path(folder);
        let files = self.disk.list(&dir).map_err(|error| self.failed("list", &dir, error))?;
        let mut names: Vec<String> = files
            .iter()
            .filter_map(|path| path.file_name()?.to_str())
            .filter(|file| !file.starts_with('.'))
            .map(
                |file| {
                    if folder.is_empty() { file.to_string() } else { format!("{folder}/{file}") }
                },
            )
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match self.disk.remove(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.failed("delete", &path, error))
            }
            _ => Ok(()),
        }
    }

    fn describe(&self) -> String {
        format!("file://{}", self.root.display())
    }
}
