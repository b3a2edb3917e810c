//! What the tests of this crate share: sinks, markers and reading as anyone could.

#![allow(dead_code)]

use std::path::Path;

use rusqlite::Connection;
use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{
    Applied, Conditional, Marker, RejectedRows, Target, TargetIdentity, TargetState,
};
use steadfast_core::{Error, Result};
use steadfast_sqlite::Sqlite;

pub type Row = (String, i64);

pub fn append(path: &Path, table: &str) -> Sqlite<Row> {
    Sqlite::new(path).table(table).columns(["id", "n"]).row(|(id, n): &Row, row| {
        row.text(id);
        row.integer(*n);
    })
}

pub fn upsert(path: &Path, table: &str) -> Sqlite<Row> {
    append(path, table).key(["id"])
}

pub fn staged(sink: &Sqlite<Row>, rows: &[(&str, i64)]) -> Vec<u8> {
    let mut writer = sink.writer().unwrap();
    let mut rows = owned(rows);
    writer.write(&mut rows).unwrap();
    assert!(rows.is_empty());
    let size = writer.staged_bytes();
    let part = writer.take_staged();
    assert_eq!((part.len(), writer.staged_bytes()), (size, 0));
    part
}

pub fn open_as(sink: &Sqlite<Row>, job: &str, name: &str) -> Box<dyn Target> {
    sink.target(&TargetIdentity { job: job.into(), sink: name.into() }).unwrap()
}

pub fn open(sink: &Sqlite<Row>, name: &str) -> Box<dyn Target> {
    open_as(sink, "job", name)
}

/// The marker of the first claim of the first lineage.
pub fn at(checkpoint: u64) -> Marker {
    let claim = ClaimId { generation: Generation(1), nonce: 11 };
    Marker { lineage: Lineage(1), claim, checkpoint: CheckpointId(checkpoint) }
}

/// The marker of the next claim of the same lineage.
pub fn next(checkpoint: u64) -> Marker {
    let claim = ClaimId { generation: Generation(2), nonce: 22 };
    Marker { claim, ..at(checkpoint) }
}

/// A target that has been taken over with a marker that stands for no output.
pub fn acquired(sink: &Sqlite<Row>, name: &str) -> Box<dyn Target> {
    let mut target = open(sink, name);
    assert_eq!(target.acquire(None, &at(0), false).unwrap(), Conditional::Done(()));
    target
}

pub fn try_apply(
    target: &mut Box<dyn Target>,
    (from, to): (Marker, Marker),
    chunks: &[Vec<u8>],
) -> Result<Conditional<Applied>, Error> {
    target.apply(&from, &to, &chunks, RejectedRows::Fail)
}

pub fn apply(target: &mut Box<dyn Target>, step: (Marker, Marker), chunks: &[Vec<u8>]) {
    let done = try_apply(target, step, chunks).unwrap();
    assert_eq!(done, Conditional::Done(Applied::default()));
}

pub fn created(marker: Marker) -> TargetState {
    TargetState::Owned { marker, created: true }
}

pub fn adopted(marker: Marker) -> TargetState {
    TargetState::Owned { marker, created: false }
}

/// Read by a connection of its own, as anyone could.
pub fn read(path: &Path, table: &str) -> Vec<Row> {
    let connection = Connection::open(path).unwrap();
    let sql = format!("SELECT id, n FROM \"{}\" ORDER BY id, n", table.replace('"', "\"\""));
    let mut read = connection.prepare(&sql).unwrap();
    let rows = read.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Changed by a connection of its own, as anyone could.
pub fn by_hand(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

pub fn owned(rows: &[(&str, i64)]) -> Vec<Row> {
    rows.iter().map(|&(id, n)| (id.to_owned(), n)).collect()
}

/// A folder in memory where there is one: for tests that are about steps, not about durability.
pub fn fast_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
