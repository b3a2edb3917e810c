//! The database as a file: how it is opened to be looked at, to be written to, or to come into being.
//!
//! It never opens the database file by any other way than SQLite: closing such a handle would drop
//! the locks that SQLite holds on the file in this process. It knows nothing of tables.

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use steadfast_core::{Cause, Error, Result};

use crate::failure::{code, not_permitted, refused, unreachable};

/// How long to wait for another process that is writing to the same database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// With `FULL` a transaction that has been committed survives the loss of power. The cache, in KiB,
/// holds the pages that a large transaction has changed, which would otherwise be written twice.
const PRAGMAS: &str = "PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;";

const NOT_REACHED: &str = "the database cannot be reached";

/// Where a database is, or will be.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    path: PathBuf,
    busy_timeout: Duration,
    /// The file that rows are written to, since it was opened for that.
    opened: Cell<Option<(u64, u64)>>,
    /// How it is opened: as SQLite opens a file that may not be written to, in a test.
    access: OpenFlags,
}

impl Database {
    pub(crate) fn new(path: &Path) -> Result<Self> {
        if path.as_os_str().is_empty() || path == Path::new(":memory:") {
            let what = "a database that is no file would lose its output when the process ends";
            return Err(Error::configuration(what).hint("give the sink the path of a file"));
        }
        Ok(Self::opened_with(path, BUSY_TIMEOUT, OpenFlags::SQLITE_OPEN_READ_WRITE))
    }

    fn opened_with(path: &Path, busy_timeout: Duration, access: OpenFlags) -> Self {
        Database { path: path.to_owned(), busy_timeout, opened: Cell::new(None), access }
    }

    #[cfg(test)]
    pub(crate) fn without_patience(path: &Path) -> Self {
        Self::opened_with(path, Duration::ZERO, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// As if the file could not be written to, which nothing can be for a privileged user.
    #[cfg(test)]
    pub(crate) fn read_only(path: &Path) -> Self {
        Self::opened_with(path, BUSY_TIMEOUT, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    pub(crate) fn exists(&self) -> Result<bool> {
        let exists = self.path.try_exists();
        exists.map_err(|e| unreachable(NOT_REACHED, e))
    }

    /// A connection for reading that leaves no trace, even beside a database in WAL mode.
    /// `None` if there is no database.
    pub(crate) fn look(&self) -> Result<Option<Connection>> {
        let wal = PathBuf::from({
            let mut name = self.path.clone().into_os_string();
            name.push("-wal");
            name
        });
        let was_there = wal.exists();
        let Some(connection) = self.open_existing()? else { return Ok(None) };
        // The files beside a WAL database come and go with its connections: those that this
        // connection makes are removed when it is closed, those that it found are left alone.
        // Only a connection that may write can do either.
        let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection.set_db_config(keep, was_there).map_err(refused)?;
        Ok(Some(connection))
    }

    /// Notes that the file that is there now has been opened for writing.
    pub(crate) fn note_opened(&self) -> Result<()> {
        self.opened.set(self.file_id()?);
        Ok(())
    }

    /// The file that has the name of the database now. `None` if there is none; whoever cannot look
    /// does not know.
    fn file_id(&self) -> Result<Option<(u64, u64)>> {
        match std::fs::metadata(&self.path) {
            Ok(file) => Ok(id_of(&file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreachable(NOT_REACHED, error)),
        }
    }

    /// Refuses a database whose file is not the one that was opened for writing: rows would go where
    /// nobody sees them. One that is not there may come back, such as from a folder that is not mounted
    /// for a moment; in the place of one that was replaced there is another.
    pub(crate) fn refuse_replaced(&self) -> Result<()> {
        let now = self.file_id()?;
        if self.opened.get() == now {
            return Ok(());
        }
        Err(match now {
            None => Error::because(
                Cause::TARGET_AWAY,
                "the file of the database is gone while it is written to",
            )
            .hint(
                "put it back; if it is lost, start from scratch with --reset (RunOptions::reset)",
            ),
            Some(_) => {
                Error::damaged("the file of the database was replaced while it was written to")
                    .hint("put it back, or start from scratch with --reset (RunOptions::reset)")
            }
        })
    }

    /// A connection for writing. `None` if there is no database.
    pub(crate) fn open_existing(&self) -> Result<Option<Connection>> {
        match self.exists()? {
            true => self.open(OpenFlags::empty()).map(Some),
            false => Ok(None),
        }
    }

    /// A connection for writing to a database that is created, with its folder, if it is missing.
    pub(crate) fn create(&self) -> Result<Connection> {
        std::fs::create_dir_all(self.folder())
            .map_err(|e| unreachable("the folder of the database cannot be created", e))?;
        self.open(OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Makes the names of the database file and of its folders survive the loss of power. It is
    /// done however long the folders have been there: whoever created them may have died before.
    pub(crate) fn sync_folders(&self) -> Result<()> {
        if !cfg!(unix) {
            return Ok(());
        }
        let folder = self.folder();
        let whole = folder.canonicalize();
        let whole = whole.map_err(|e| unreachable("the folder of the database is gone", e))?;
        for ancestor in whole.ancestors() {
            match File::open(ancestor).and_then(|folder| folder.sync_all()) {
                // Folders further up may belong to others, who made them durable.
                Err(_) if ancestor != whole => {}
                synced => synced.map_err(|e| unreachable("the folder cannot be synced", e))?,
            }
        }
        Ok(())
    }

    fn folder(&self) -> &Path {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    fn open(&self, create: OpenFlags) -> Result<Connection> {
        let flags = self.access | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
        let opened = Connection::open_with_flags(&self.path, flags).and_then(|connection| {
            connection.busy_timeout(self.busy_timeout)?;
            connection.execute_batch(PRAGMAS)?;
            Ok(connection)
        });
        opened.map_err(|error| match code(&error) {
            Some(ErrorCode::CannotOpen) if self.path.is_dir() => {
                Error::configuration("the path of the database is a folder")
            }
            Some(ErrorCode::CannotOpen) => not_permitted().caused_by(error),
            _ => refused(error),
        })
    }
}

/// Refuses a database that SQLite could only open for reading, which it does without a word.
pub(crate) fn refuse_read_only(connection: &Connection) -> Result<()> {
    match connection.is_readonly("main").map_err(refused)? {
        true => Err(not_permitted()),
        false => Ok(()),
    }
}

/// Device and number of a file, where there is such a thing.
#[cfg(unix)]
fn id_of(file: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((file.dev(), file.ino()))
}

/// Elsewhere a file that is open cannot be replaced.
#[cfg(not(unix))]
fn id_of(_file: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Lets others read while a checkpoint is being written. The mode stays with the database.
pub(crate) fn let_others_read(connection: &Connection) -> Result<()> {
    connection.execute_batch("PRAGMA journal_mode = WAL").map_err(refused)
}
