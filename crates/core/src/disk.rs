//! The contract of a file system whose durability is explicit.
//!
//! What [`Disk::write`] has written survives a power failure; a name that was created, linked, renamed
//! or removed survives only after [`Disk::sync_dir`] of its folder. Every durable write of the engine goes
//! through this contract, so that a simulated disk can lose exactly what a real one may lose.

use std::io::{self, BufRead, Seek, SeekFrom};
use std::path::{Path, PathBuf};

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

/// A file that is open for reading.
pub trait OpenFile: BufRead + Seek + Send {}

impl<T: BufRead + Seek + Send> OpenFile for T {}

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

    /// How many bytes a file has.
    ///
    /// # Errors
    /// Those of [`Disk::open`].
    fn length(&self, path: &Path) -> io::Result<u64> {
        self.open(path)?.seek(SeekFrom::End(0))
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

    /// Creates a folder and those above it, and makes their names durable.
    ///
    /// # Errors
    /// Those of the operating system.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
}
