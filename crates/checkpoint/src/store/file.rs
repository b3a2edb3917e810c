//! A store in a local folder.
//!
//! An object is written under a temporary name, synced, and linked to its own name: linking fails
//! if the name is taken, so creation is atomic and conditional. Then the folder is synced. Only
//! after that is the object said to exist.
//!
//! A folder may be gone for a moment: not mounted, or moved. Once a store has seen its folder, it takes
//! nothing for absent and makes nothing where the folder is not, but says that it does not answer.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use steadfast_core::disk::{Disk, may_pass};
use steadfast_core::store::{Put, Store};
use steadfast_core::{Cause, Error, Result};
use steadfast_disk::{Existing, SystemDisk, TEMPORARY, Written, sync_above, write_durably};

/// Keeps objects as files below a folder.
pub struct FileStore {
    root: PathBuf,
    disk: Arc<dyn Disk>,
    /// Sets this store's temporary names apart from those of other processes.
    writer: String,
    sequence: AtomicU64,
    /// Folders whose names this store has made durable: whoever created one may have died before that.
    durable: Mutex<BTreeSet<PathBuf>>,
    /// Whether the store's own folder has been there. It is never removed, so it must be there since.
    seen: AtomicBool,
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
        let (sequence, durable, seen) = (AtomicU64::new(0), Mutex::default(), false.into());
        FileStore { root, disk, writer, sequence, durable, seen }
    }

    /// For whoever finds nothing, or is about to make a folder: fails if that is because the store's own
    /// folder is gone. A folder that nobody has seen yet may be absent.
    fn check_root(&self) -> io::Result<()> {
        if self.disk.has_dir(&self.root)? {
            self.seen.store(true, Ordering::Relaxed);
        } else if self.has_been_seen() {
            return Err(io::Error::new(ErrorKind::NotFound, "the folder of the store is gone"));
        }
        Ok(())
    }

    fn has_been_seen(&self) -> bool {
        self.seen.load(Ordering::Relaxed)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn failed(&self, verb: &str, path: &Path, error: io::Error) -> Error {
        let what = format!("cannot {verb} {}", path.display());
        let failed = match may_pass(&error) {
            true => Error::because(Cause::STORE_AWAY, what),
            false => Error::because(Cause::NOT_WRITABLE, what),
        };
        failed.caused_by(error).hint("check that the folder exists, has room and may be written")
    }
}

impl FileStore {
    /// What there is under a name.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let read = || match self.disk.read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        };
        match read()? {
            Some(bytes) => {
                self.seen.store(true, Ordering::Relaxed);
                Ok(Some(bytes))
            }
            None => {
                self.check_root()?;
                // The folder may have come back in between.
                read()
            }
        }
    }

    /// Adds the names in `folder` and below it that begin with `prefix`.
    fn collect(&self, folder: &str, prefix: &str, names: &mut Vec<String>) -> Result<()> {
        let dir = self.path(folder);
        let failed = |error| self.failed("list", &dir, error);
        let named = |path: &Path| {
            let file = path.file_name()?.to_str().filter(|file| !file.starts_with('.'))?;
            let name =
                if folder.is_empty() { file.to_string() } else { format!("{folder}/{file}") };
            Some(name)
        };
        let files = self.disk.list(&dir).map_err(failed)?;
        names.extend(files.iter().filter_map(|path| named(path)).filter(|n| n.starts_with(prefix)));
        for path in self.disk.list_dirs(&dir).map_err(failed)? {
            let Some(name) = named(&path).map(|name| name + "/") else { continue };
            if name.starts_with(prefix) || prefix.starts_with(&name) {
                self.collect(name.trim_end_matches('/'), prefix, names)?;
            }
        }
        Ok(())
    }

    /// Removes what other writers have left half written. Whoever holds the claim of the job may do it:
    /// all who came before are fenced, and to one that only sleeps it is harmless, as it is to a later
    /// one. A call finds its temporary file gone and begins again with another.
    ///
    /// # Errors
    /// `Unavailable` if the folder cannot be read or changed.
    pub fn sweep(&self) -> Result<()> {
        self.check_root().map_err(|error| self.failed("list", &self.root, error))?;
        self.sweep_below(&self.root)
    }

    fn sweep_below(&self, dir: &Path) -> Result<()> {
        let folders = match self.disk.list_dirs(dir) {
            // Such as the `lost+found` of a file system of its own: what we may not read we have not made.
            Err(error) if error.kind() == ErrorKind::PermissionDenied && dir != self.root => {
                return Ok(());
            }
            folders => folders.map_err(|e| self.failed("list", dir, e))?,
        };
        folders.iter().try_for_each(|folder| self.sweep_below(folder))?;
        let own = format!("{TEMPORARY}{}-", self.writer);
        let is_left = |path: &&PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(TEMPORARY) && !name.starts_with(&own)
        };
        let files = self.disk.list(dir).map_err(|e| self.failed("list", dir, e))?;
        let mut left = files.iter().filter(is_left).peekable();
        let had_any = left.peek().is_some();
        left.try_for_each(|path| self.remove(path))?;
        if had_any {
            self.remove_if_empty(dir);
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        match self.disk.remove(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.check_root(),
            removed => removed,
        }
        .map_err(|error| self.failed("delete", path, error))
    }

    /// A folder is not needed once it is empty; if it is not, or somebody fills it again at this
    /// moment, it stays or is made again.
    fn remove_if_empty(&self, dir: &Path) {
        if dir != self.root && self.disk.remove_dir(dir).is_ok() {
            self.durable.lock().unwrap_or_else(PoisonError::into_inner).remove(dir);
        }
    }

    /// Makes the names of a folder and of all above it durable, once.
    fn make_durable(&self, dir: &Path) -> io::Result<()> {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        for folder in dir.ancestors().take_while(|folder| folder.starts_with(&self.root)) {
            if durable.contains(folder) {
                break;
            }
            match folder.parent() {
                Some(_) if folder == self.root => sync_above(&*self.disk, folder)?,
                Some(parent) => self.disk.sync_dir(parent)?,
                None => {}
            }
            durable.insert(folder.to_path_buf());
        }
        Ok(())
    }

    fn is_durable(&self, dir: &Path) -> bool {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(dir)
    }

    /// Makes a folder in the store, if it is not there.
    fn make_folder(&self, dir: &Path) -> io::Result<()> {
        self.check_root()?;
        let is_new = !self.has_been_seen();
        if is_new {
            self.disk.create_dir_all(dir)?;
        } else {
            // What was seen and is away since is not to be made again: it would hide what is there.
            let below = dir.ancestors().take_while(|folder| *folder != self.root);
            let mut below: Vec<&Path> = below.collect();
            while let Some(folder) = below.pop() {
                self.disk.create_dir(folder)?;
            }
        }
        self.seen.store(true, Ordering::Relaxed);
        self.make_durable(dir)
    }

    /// Writes an object into its folder, which is made if it is not there.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<Written> {
        let dir = path.parent().unwrap_or(&self.root);
        loop {
            if !self.is_durable(dir) {
                self.make_folder(dir)?;
            }
            let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
            let temporary = format!("{}-{sequence}", self.writer);
            match write_durably(&*self.disk, path, &mut &*bytes, &temporary, Existing::Keep) {
                // Somebody has removed the folder because it was empty, or all of the store is gone.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.durable.lock().unwrap_or_else(PoisonError::into_inner).remove(dir);
                }
                written => return written,
            }
        }
    }
}

impl Store for FileStore {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let path = self.path(name);
        let failed = |error| self.failed("create", &path, error);
        match self.write(&path, bytes) {
            Ok(Written::Created) => Ok(Put::Created),
            Ok(Written::Kept) => Ok(Put::AlreadyExists),
            Err(error) => Err(failed(error)),
        }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(name);
        self.read(&path).map_err(|error| self.failed("read", &path, error))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.collect(folder, prefix, &mut names)?;
        if names.is_empty() {
            self.check_root().map_err(|error| self.failed("list", &self.path(prefix), error))?;
        }
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        self.remove(&path)?;
        if let Some(dir) = path.parent() {
            self.remove_if_empty(dir);
        }
        Ok(())
    }

    fn describe(&self) -> String {
        format!("file://{}", self.root.display())
    }
}

#[cfg(test)]
mod tests;
