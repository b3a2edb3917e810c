//! What an error of SQLite means for whoever runs the job.
//!
//! It knows nothing of tables, rows or markers.

use rusqlite::{ErrorCode, ffi};
use steadfast_core::{Cause, Error};

/// An error of SQLite while it is being used; its kind says whether trying again can help.
pub(crate) fn refused(error: rusqlite::Error) -> Error {
    match code(&error) {
        // The last is what is said after ten seconds in which another process has not come to an end
        // with opening the database.
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed,
        ) => Error::because(Cause::TARGET_AWAY, "the database is locked by another process")
            .caused_by(error)
            .hint("end the transaction of the program that is writing to it, then try again"),
        Some(ErrorCode::DatabaseCorrupt) => {
            Error::damaged("SQLite cannot read the database").caused_by(error)
        }
        // Far more often a path that is wrong than a database that has lost its first page.
        Some(ErrorCode::NotADatabase) => {
            Error::configuration("the file is not a SQLite database").caused_by(error).hint(
                "give the sink another path; if this was a database, it is damaged: restore it from a copy",
            )
        }
        Some(ErrorCode::DiskFull) => {
            Error::because(Cause::TARGET_AWAY, "SQLite has no room to write")
                .caused_by(error)
                .hint("make room on the disk of the database; what is committed waits and is applied then")
        }
        // Said also when the look at the name has failed: whoever tries again sees which it was.
        Some(ErrorCode::ReadOnly) if is_moved(&error) => {
            Error::because(Cause::TARGET_AWAY, "SQLite does not find the database under its name")
                .caused_by(error)
        }
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied,
        ) => not_permitted().caused_by(error),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
            Error::configuration("SQLite refused").caused_by(error)
        }
        _ => Error::because(Cause::TARGET_AWAY, "SQLite refused").caused_by(error),
    }
}

/// That the database must be written to and may not be.
pub(crate) fn not_permitted() -> Error {
    Error::because(Cause::NOT_WRITABLE, "the database may not be written to").hint(
        "give this user the permission to write to the database file and to create files in its \
         folder",
    )
}

/// An error of SQLite about the sink's own statements.
pub(crate) fn unfit(purpose: &str, error: rusqlite::Error) -> Error {
    // Of everything that can go wrong, this alone is about the text of a statement.
    if code(&error) != Some(ErrorCode::Unknown) {
        return refused(error);
    }
    Error::because(
        Cause::TABLE_UNFIT,
        format!("the statement to {purpose} does not fit the database"),
    )
    .caused_by(error)
}

/// An error of SQLite about the tables in which this crate keeps its own records.
pub(crate) fn unreadable_records(error: rusqlite::Error) -> Error {
    // No code at all: a value is not of the type that was written there.
    if !matches!(code(&error), None | Some(ErrorCode::Unknown)) {
        return refused(error);
    }
    Error::damaged("the tables steadfast_… of the database cannot be read")
        .caused_by(error)
        .hint("they were changed by hand or made by another version: restore the database")
}

/// Whether the error is about the values of one row, so that the next row may still be taken.
pub(crate) fn concerns_one_row(error: &rusqlite::Error) -> bool {
    matches!(
        code(error),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    )
}

/// Whether SQLite writes no more because its file seems to be gone from its place.
fn is_moved(error: &rusqlite::Error) -> bool {
    let inner = error.sqlite_error();
    inner.is_some_and(|inner| inner.extended_code == ffi::SQLITE_READONLY_DBMOVED)
}

pub(crate) fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    match error {
        rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
        _ => error.sqlite_error_code(),
    }
}

/// An error of the file system on the way to the database.
pub(crate) fn unreachable(what: &str, error: std::io::Error) -> Error {
    use std::io::ErrorKind as Io;
    let cause = match error.kind() {
        Io::PermissionDenied
        | Io::NotADirectory
        | Io::IsADirectory
        | Io::AlreadyExists
        | Io::ReadOnlyFilesystem => Cause::NOT_WRITABLE,
        _ => Cause::TARGET_AWAY,
    };
    Error::because(cause, what).caused_by(error)
}

#[cfg(test)]
mod tests {
    use steadfast_core::ErrorKind;

    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn only_what_a_row_can_be_blamed_for_is_blamed_on_a_row() {
        for code in [
            ffi::SQLITE_CONSTRAINT_CHECK,
            ffi::SQLITE_CONSTRAINT_DATATYPE,
            ffi::SQLITE_MISMATCH,
            ffi::SQLITE_TOOBIG,
        ] {
            assert!(concerns_one_row(&failure(code)), "{code}");
        }
        let text = refused(failure(ffi::SQLITE_PROTOCOL)).to_string();
        assert!(text.contains("is locked by another process"), "{text}");
        let text = refused(failure(ffi::SQLITE_FULL)).to_string();
        assert!(text.contains("SF0402") && text.contains("make room"), "{text}");
        for (code, kind) in [
            (ffi::SQLITE_FULL, ErrorKind::Unavailable),
            (ffi::SQLITE_BUSY, ErrorKind::Unavailable),
            (ffi::SQLITE_IOERR_WRITE, ErrorKind::Unavailable),
            (ffi::SQLITE_NOMEM, ErrorKind::Unavailable),
            (ffi::SQLITE_READONLY, ErrorKind::Configuration),
            (ffi::SQLITE_READONLY_DBMOVED, ErrorKind::Unavailable),
            (ffi::SQLITE_PERM, ErrorKind::Configuration),
            (ffi::SQLITE_CORRUPT, ErrorKind::Damaged),
            (ffi::SQLITE_NOTADB, ErrorKind::Configuration),
        ] {
            assert!(!concerns_one_row(&failure(code)), "{code}");
            assert_eq!(refused(failure(code)).kind(), kind, "{code}");
            assert_eq!(unfit("write rows", failure(code)).kind(), kind, "{code}");
            assert_eq!(unreadable_records(failure(code)).kind(), kind, "{code}");
        }
        assert_eq!(unfit("x", failure(ffi::SQLITE_ERROR)).kind(), ErrorKind::Configuration);
        assert_eq!(unreadable_records(failure(ffi::SQLITE_ERROR)).kind(), ErrorKind::Damaged);
    }
}
