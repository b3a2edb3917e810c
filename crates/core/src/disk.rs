//! The contract of a file system whose durability is explicit.
//!
//! What [`Disk::write`] has written survives a power failure; a name that was created, linked, renamed
//! or removed survives only after [`Disk::sync_dir`] of its folder. Every durable write of the engine goes
//! through this contract, so that a simulated disk can lose exactly what a real one may lose.

use std::io::{self, BufRead, Seek};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

mod watch;

pub use watch::{Change, OnChange, Watch};

/// Whether it may help to wait and try again: not if somebody has to do something about it first, such as
/// giving a permission. A full disk is waited out.
pub fn may_pass(error: &io::Error) -> bool {
    use io::ErrorKind::{
        InvalidFilename, IsADirectory, NotADirectory, PermissionDenied, ReadOnlyFilesystem,
        Unsupported,
    };
    !matches!(
        error.kind(),
        InvalidFilename
            | IsADirectory
            | NotADirectory
            | PermissionDenied
            | ReadOnlyFilesystem
            | Unsupported
    )
}

/// A file that is open for reading. It stays readable when its name is taken away or given to another.
pub trait OpenFile: BufRead + Seek + Send {
    /// What is known of it now: it may have grown since it was opened.
    ///
    /// # Errors
    /// Those of the operating system.
    fn status(&self) -> io::Result<FileStatus>;
}

impl OpenFile for io::Cursor<Vec<u8>> {
    fn status(&self) -> io::Result<FileStatus> {
        Ok(FileStatus::of_length(self.get_ref().len() as u64))
    }
}

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// How many bytes it has.
    pub length: u64,
    /// What it is.
    pub kind: FileKind,
    /// Which file it is, whatever it is called; none where the system does not tell.
    pub id: Option<FileId>,
    /// When it was changed last, in nanoseconds since 1970; 0 where the system does not tell.
    pub modified_ns: i64,
    /// When anything about it was changed last, its name and its times included (`ctime`), in nanoseconds since
    /// 1970. Nobody can set it but by setting the clock. 0 where the system does not tell.
    pub changed_ns: i64,
}

impl FileStatus {
    /// A file of so many bytes of which nothing else is known.
    pub fn of_length(length: u64) -> Self {
        FileStatus { length, kind: FileKind::File, id: None, modified_ns: 0, changed_ns: 0 }
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Bytes with positions.
    File,
    /// A folder.
    Folder,
    /// A pipe, a socket or a device: what was read from it cannot be read again.
    Stream,
}

/// Which file it is, on this machine. The number of a file that was removed may be given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// The device that it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// A file system. Paths are absolute or relative to the process's working folder.
pub trait Disk: Send + Sync {
    /// Creates `path` with all of `contents`, replacing what was there, and makes them durable, but not
    /// its name. They are synced through the handle that has written them: a system may tell nobody else
    /// that it could not write them back.
    ///
    /// # Errors
    /// Those of the operating system and of `contents`. After an error the contents are unknown, and
    /// the file may be there: write another.
    fn write(&self, path: &Path, contents: &mut dyn BufRead) -> io::Result<()>;

    /// Opens a file for reading from its beginning. It may be larger than memory: a disk that does not
    /// say otherwise reads it whole.
    ///
    /// # Errors
    /// `NotFound` if it is not there, and those of the operating system.
    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        Ok(Box::new(io::Cursor::new(self.read(path)?)))
    }

    /// What is known of what `path` stands for, without reading it.
    ///
    /// # Errors
    /// `NotFound` if it is not there, and those of the operating system.
    fn status(&self, path: &Path) -> io::Result<FileStatus> {
        self.open(path)?.status()
    }

    /// Makes the names in the folder `path` durable.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Gives the file `from` a second name `to`.
    ///
    /// # Errors
    /// `AlreadyExists` if `to` is there, and those of the operating system.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Moves `from` to `to`, replacing what was there in one step.
    ///
    /// # Errors
    /// Those of the operating system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` if it is not there, and those of the operating system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Reads a whole file.
    ///
    /// # Errors
    /// `NotFound` if it is not there, and those of the operating system.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files (not folders) in a folder, in ascending order; none if the folder is not there.
    ///
    /// # Errors
    /// Those of the operating system.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;

    /// The files in a folder as [`Disk::list`] has them, each with what is known of it without reading it. A
    /// file that is gone by the time it is looked at is not there.
    ///
    /// # Errors
    /// Those of the operating system.
    fn list_with_status(&self, dir: &Path) -> io::Result<Vec<(PathBuf, FileStatus)>> {
        let mut files = Vec::new();
        for path in self.list(dir)? {
            match self.status(&path) {
                Ok(status) if status.kind == FileKind::File => files.push((path, status)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// The folders in a folder, in ascending order; none if the folder is not there.
    ///
    /// # Errors
    /// Those of the operating system.
    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;

    /// Whether there is a folder `dir`: in listings one that is not there looks as if it were empty.
    ///
    /// # Errors
    /// Those of the operating system.
    fn has_dir(&self, dir: &Path) -> io::Result<bool> {
        match self.sync_dir(dir) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Tells `on_change` of changes in the folders that it is given then; none where the system does not.
    ///
    /// # Errors
    /// Those of the operating system.
    fn watch(&self, _on_change: OnChange) -> io::Result<Option<Box<dyn Watch>>> {
        Ok(None)
    }

    /// Whether this process may make and remove files in a folder that is there, as far as the system says
    /// before it is tried.
    ///
    /// # Errors
    /// Those of the operating system.
    fn may_write(&self, _dir: &Path) -> io::Result<bool> {
        Ok(true)
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// `NotFound` if it is not there, `DirectoryNotEmpty` if it is not empty, and those of the
    /// operating system.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Creates a folder in one that is there, and makes its name durable; one that is there already is fine.
    /// Where the folder above may be away for a while, this is the way: what is made above would hide it.
    ///
    /// # Errors
    /// `NotFound` if the folder above is not there, and those of the operating system.
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        match dir.parent() {
            Some(parent) if !self.has_dir(parent)? => Err(io::ErrorKind::NotFound.into()),
            _ => self.create_dir_all(dir),
        }
    }

    /// Creates a folder and those above it, and makes their names durable.
    ///
    /// # Errors
    /// Those of the operating system.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
}
