//! What a database remembers of who writes to it: a marker for every sink, and the tables that each
//! sink created or adopted.
//!
//! It decides nothing: whether a marker is the expected one is for the target to say.

use rusqlite::{Connection, OptionalExtension};
use steadfast_core::id::{CheckpointId, MalformedId};
use steadfast_core::target::{Marker, TargetIdentity};
use steadfast_core::{Error, Result};

use crate::failure::unreadable_records;

/// The names of tables compare without regard to case in SQLite, and so they do here. A row that
/// was set aside is an array in JSON, a BLOB in it an object with its bytes in hexadecimal.
const CREATE: &str = "
    CREATE TABLE IF NOT EXISTS steadfast_markers(
        job TEXT NOT NULL, sink TEXT NOT NULL, lineage TEXT NOT NULL, claim TEXT NOT NULL,
        checkpoint INTEGER NOT NULL, applied_at_ms INTEGER NOT NULL, PRIMARY KEY(job, sink));
    CREATE TABLE IF NOT EXISTS steadfast_tables(
        name TEXT NOT NULL COLLATE NOCASE, job TEXT NOT NULL, sink TEXT NOT NULL,
        created INTEGER NOT NULL CHECK (created IN (0, 1)), PRIMARY KEY(name, job, sink));
    CREATE TABLE IF NOT EXISTS steadfast_rejected(
        job TEXT NOT NULL, sink TEXT NOT NULL, checkpoint INTEGER NOT NULL,
        table_name TEXT NOT NULL, row TEXT NOT NULL, reason TEXT NOT NULL,
        at_ms INTEGER NOT NULL);";

const READ_MARKER: &str =
    "SELECT lineage, claim, checkpoint FROM steadfast_markers WHERE job = ?1 AND sink = ?2";

/// The time is for people; SQLite's clock serves.
const WRITE_MARKER: &str = "INSERT INTO steadfast_markers VALUES
    (?1, ?2, ?3, ?4, ?5, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
    ON CONFLICT(job, sink) DO UPDATE SET lineage = excluded.lineage, claim = excluded.claim,
        checkpoint = excluded.checkpoint, applied_at_ms = excluded.applied_at_ms";

const WRITE_TABLE: &str = "INSERT INTO steadfast_tables VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT(name, job, sink) DO UPDATE SET created = excluded.created";

const WRITE_REJECTED: &str = "INSERT INTO steadfast_rejected VALUES
    (?1, ?2, ?3, ?4, ?5, ?6, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))";

pub(crate) fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch(CREATE).map_err(unreadable_records)
}

/// Whether there is a table or a view of that name.
pub(crate) fn exists(connection: &Connection, table: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema
        WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE)";
    connection.query_row(sql, [table], |row| row.get(0)).map_err(unreadable_records)
}

pub(crate) fn read_marker(connection: &Connection, of: &TargetIdentity) -> Result<Option<Marker>> {
    let mut read = match connection.prepare_cached(READ_MARKER) {
        Ok(read) => read,
        // Asked last, because it is hardly ever so.
        Err(_) if !exists(connection, "steadfast_markers")? => return Ok(None),
        Err(error) => return Err(unreadable_records(error)),
    };
    let marker = read.query_row((&of.job, &of.sink), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
    });
    let Some((lineage, claim, checkpoint)) = marker.optional().map_err(unreadable_records)? else {
        return Ok(None);
    };
    let malformed = |error: MalformedId| damaged_marker().caused_by(error);
    let (lineage, claim) = (lineage.parse().map_err(malformed)?, claim.parse().map_err(malformed)?);
    let checkpoint = u64::try_from(checkpoint).map_err(|e| damaged_marker().caused_by(e))?;
    Ok(Some(Marker { lineage, claim, checkpoint: CheckpointId(checkpoint) }))
}

fn damaged_marker() -> Error {
    Error::damaged("the marker of the sink in steadfast_markers cannot be read")
        .hint("restore the database from a copy, or correct the row by hand")
}

pub(crate) fn write_marker(
    connection: &Connection,
    of: &TargetIdentity,
    marker: &Marker,
) -> Result<()> {
    let (lineage, claim) = (marker.lineage.to_string(), marker.claim.to_string());
    let checkpoint = number(marker.checkpoint)?;
    let mut write = connection.prepare_cached(WRITE_MARKER).map_err(unreadable_records)?;
    let written = write.execute((&of.job, &of.sink, lineage, claim, checkpoint));
    written.map(drop).map_err(unreadable_records)
}

/// Which sinks write to a table, with whether they created it.
pub(crate) fn writers(connection: &Connection, table: &str) -> Result<Vec<(TargetIdentity, bool)>> {
    if !exists(connection, "steadfast_tables")? {
        return Ok(Vec::new());
    }
    let sql = "SELECT job, sink, created FROM steadfast_tables WHERE name = ?1 ORDER BY job, sink";
    let mut read = connection.prepare(sql).map_err(unreadable_records)?;
    let rows = read.query_map([table], |row| {
        Ok((TargetIdentity { job: row.get(0)?, sink: row.get(1)? }, row.get(2)?))
    });
    rows.and_then(Iterator::collect).map_err(unreadable_records)
}

/// The tables that a sink writes to.
pub(crate) fn tables(connection: &Connection, of: &TargetIdentity) -> Result<Vec<String>> {
    if !exists(connection, "steadfast_tables")? {
        return Ok(Vec::new());
    }
    let sql = "SELECT name FROM steadfast_tables WHERE job = ?1 AND sink = ?2 ORDER BY name";
    let mut read = connection.prepare(sql).map_err(unreadable_records)?;
    let rows = read.query_map((&of.job, &of.sink), |row| row.get(0));
    rows.and_then(Iterator::collect).map_err(unreadable_records)
}

pub(crate) fn write_table(
    connection: &Connection,
    table: &str,
    of: &TargetIdentity,
    created: bool,
) -> Result<()> {
    let written = connection.execute(WRITE_TABLE, (table, &of.job, &of.sink, created));
    written.map(drop).map_err(unreadable_records)
}

/// Keeps a row that its table refused. The errors are SQLite's own: the row may be too big.
pub(crate) fn write_rejected(
    connection: &Connection,
    of: &TargetIdentity,
    checkpoint: i64,
    (table, row, reason): (&str, &str, &str),
) -> rusqlite::Result<()> {
    let mut write = connection.prepare_cached(WRITE_REJECTED)?;
    write.execute((&of.job, &of.sink, checkpoint, table, row, reason)).map(drop)
}

/// How many rows of a sink have been set aside, of one checkpoint or of all.
pub(crate) fn count_rejected(
    connection: &Connection,
    of: &TargetIdentity,
    checkpoint: Option<CheckpointId>,
) -> Result<u64> {
    if !exists(connection, "steadfast_rejected")? {
        return Ok(0);
    }
    let sql = "SELECT count(*) FROM steadfast_rejected
        WHERE job = ?1 AND sink = ?2 AND checkpoint = coalesce(?3, checkpoint)";
    let checkpoint = checkpoint.map(number).transpose()?;
    let count =
        connection.query_row(sql, (&of.job, &of.sink, checkpoint), |row| row.get::<_, i64>(0));
    count.map(i64::cast_unsigned).map_err(unreadable_records)
}

pub(crate) fn delete_rejected(connection: &Connection, of: &TargetIdentity) -> Result<()> {
    let sql = "DELETE FROM steadfast_rejected WHERE job = ?1 AND sink = ?2";
    connection.execute(sql, (&of.job, &of.sink)).map(drop).map_err(unreadable_records)
}

/// Forgets what was set aside of checkpoints after this one: they are taken again.
pub(crate) fn delete_rejected_after(
    connection: &Connection,
    of: &TargetIdentity,
    checkpoint: CheckpointId,
) -> Result<()> {
    let sql = "DELETE FROM steadfast_rejected WHERE job = ?1 AND sink = ?2 AND checkpoint > ?3";
    let deleted = connection.execute(sql, (&of.job, &of.sink, number(checkpoint)?));
    deleted.map(drop).map_err(unreadable_records)
}

/// SQLite's integers have a sign.
pub(crate) fn number(checkpoint: CheckpointId) -> Result<i64> {
    i64::try_from(checkpoint.0)
        .map_err(|_| Error::internal(format!("checkpoint {checkpoint} is beyond 63 bits")))
}
