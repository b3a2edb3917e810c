//! A table keeps the contract of all targets, appended to and upserted into.

mod support;

use std::path::PathBuf;

use rusqlite::Connection;
use steadfast_conformance::{TargetFixture, target};
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_sqlite::Sqlite;

struct Database {
    folder: tempfile::TempDir,
    upserts: bool,
}

const CREATE: &str =
    "CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, small INTEGER CHECK (small < 1000))";
const CREATE_APPENDED: &str =
    "CREATE TABLE IF NOT EXISTS t(n INTEGER, small INTEGER CHECK (small < 1000))";

impl Database {
    fn path(&self) -> PathBuf {
        self.folder.path().join("t.db")
    }

    fn create(&self) -> &'static str {
        if self.upserts { CREATE } else { CREATE_APPENDED }
    }

    fn sink(&self) -> Sqlite<u64> {
        let sink = Sqlite::new(self.path()).table("t").columns(["n", "small"]);
        let sink = sink.create(self.create()).row(|n: &u64, row| {
            row.integer(*n as i64);
            row.integer(if *n == POISON { 1000 } else { 0 });
        });
        if self.upserts { sink.key(["n"]) } else { sink }
    }
}

const POISON: u64 = 987_654_321;

impl TargetFixture for Database {
    fn target(&self, identity: &TargetIdentity) -> Box<dyn Target> {
        self.sink().target(identity).unwrap()
    }

    fn chunk(&self, rows: &[u64]) -> Vec<u8> {
        let mut writer = self.sink().writer().unwrap();
        writer.write(&mut rows.to_vec()).unwrap();
        writer.take_staged()
    }

    fn rows(&self) -> Vec<u64> {
        if !self.path().exists() {
            return Vec::new();
        }
        let connection = Connection::open(self.path()).unwrap();
        let order = if self.upserts { "n" } else { "rowid" };
        let Ok(mut read) = connection.prepare(&format!("SELECT n FROM t ORDER BY {order}")) else {
            return Vec::new();
        };
        let rows = read.query_map((), |row| row.get::<_, i64>(0)).unwrap();
        rows.map(|n| n.unwrap() as u64).collect()
    }

    fn occupy(&self) -> Option<()> {
        support::by_hand(&self.path(), self.create());
        support::by_hand(&self.path(), "INSERT INTO t VALUES (77, 0)");
        Some(())
    }

    fn poison(&self) -> Option<Vec<u8>> {
        Some(self.chunk(&[POISON]))
    }
}

#[test]
fn an_appended_table_is_a_target() {
    target(|| Database { folder: support::fast_folder(), upserts: false });
}

#[test]
fn an_upserted_table_is_a_target() {
    target(|| Database { folder: support::fast_folder(), upserts: true });
}
