//! The order of SQLite's own steps, as `PRAGMA synchronous = FULL` promises it: whoever lets go of the
//! database has made durable what it has committed.

use std::collections::BTreeSet;

use super::unsynced::Unsynced;
use crate::recording::Noted;

/// The byte of the shared memory whose lock makes a connection the one that writes to the log of a
/// database in WAL mode.
const WRITER: i64 = 120;

pub(super) fn check(noted: &Noted, unsynced: &Unsynced, found: &mut BTreeSet<String>) {
    let Some(database) = database(noted) else { return };
    let [journal, log] = ["-journal", "-wal"].map(|end| format!("{database}{end}"));
    let mut breach = |what: &str| {
        found.insert(format!("{database}: {what}"));
    };
    match (noted.verb(), noted.kind()) {
        // Letting go of that lock is the end of a transaction.
        ("unlock", "sqlite-shm")
            if covers(&noted.detail, WRITER) && unsynced.bytes_by(noted.thread(), &log) =>
        {
            breach("a transaction ends before the log of the database is synced");
        }
        // A journal that is gone, or empty, was for a transaction that is committed.
        ("unlink" | "truncate", "sqlite-journal") if unsynced.bytes_of(&database) => {
            breach("a transaction ends before the database is synced");
        }
        ("write", "sqlite") => {
            if unsynced.bytes_of(&journal) || unsynced.name_of(&journal) {
                breach("it is written to before its journal is durable");
            }
            if unsynced.bytes_of(&log) {
                breach("it is written to before its log is synced");
            }
        }
        // The log is begun again, or goes: all that it held is in the database.
        ("write", "sqlite-wal") if noted.detail == "0" && unsynced.bytes_of(&database) => {
            breach("its log begins again before the database is synced");
        }
        ("unlink", "sqlite-wal") if unsynced.bytes_of(&database) => {
            breach("its log is removed before the database is synced");
        }
        _ => {}
    }
}

/// The database that a file of SQLite belongs to.
fn database(noted: &Noted) -> Option<String> {
    if noted.kind() == "sqlite" {
        return Some(noted.path.clone());
    }
    let end = noted.kind().strip_prefix("sqlite")?;
    noted.path.strip_suffix(end).map(str::to_string)
}

/// Whether `begin+length` covers a byte; a length of 0 is all the rest.
fn covers(lock: &str, byte: i64) -> bool {
    let Some((begin, length)) = lock.split_once('+') else { return false };
    let (Ok(begin), Ok(length)) = (begin.parse::<i64>(), length.parse::<i64>()) else {
        return false;
    };
    begin <= byte && (length == 0 || byte < begin + length)
}
