//! What a target promises, against real databases.

use std::path::Path;

use rusqlite::Connection;
use steadfast_core::ErrorKind;
use steadfast_core::id::CheckpointId;
use steadfast_core::sink::{DeliveryGuarantee, Sink, SinkWriter, Target, TargetIdentity};
use steadfast_sqlite::Sqlite;

type Row = (String, i64);

fn append(path: &Path, table: &str) -> Sqlite<Row> {
    Sqlite::new(path).table(table).columns(["id", "n"]).row(|(id, n): &Row, row| {
        row.text(id);
        row.integer(*n);
    })
}

fn upsert(path: &Path, table: &str) -> Sqlite<Row> {
    append(path, table).key(["id"])
}

fn staged(sink: &Sqlite<Row>, rows: &[(&str, i64)]) -> Vec<u8> {
    let mut writer = sink.writer().unwrap();
    let mut rows: Vec<_> = rows.iter().map(|&(id, n)| (id.to_owned(), n)).collect();
    writer.write(&mut rows).unwrap();
    assert!(rows.is_empty());
    let size = writer.staged_bytes();
    let part = writer.take_staged();
    assert_eq!((part.len(), writer.staged_bytes()), (size, 0));
    part
}

fn open(sink: &Sqlite<Row>, name: &str) -> Box<dyn Target> {
    sink.target(&TargetIdentity { job: "job".into(), sink: name.into() }).unwrap()
}

/// Read by a connection of its own, as anyone could.
fn read(path: &Path, table: &str) -> Vec<Row> {
    let connection = Connection::open(path).unwrap();
    let sql = format!("SELECT id, n FROM \"{}\" ORDER BY id, n", table.replace('"', "\"\""));
    let mut read = connection.prepare(&sql).unwrap();
    let rows = read.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn owned(rows: &[(&str, i64)]) -> Vec<Row> {
    rows.iter().map(|&(id, n)| (id.to_owned(), n)).collect()
}

#[test]
fn applying_twice_appends_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/out.db");
    let sink = append(&path, "log");
    let parts = [staged(&sink, &[("a", 1), ("a", 1)]), Vec::new(), staged(&sink, &[("b", 2)])];
    let mut target = open(&sink, "s");
    assert_eq!(target.guarantee(), DeliveryGuarantee::AppendOnce);
    assert_eq!(target.applied().unwrap(), None);
    target.apply(CheckpointId(5), &parts).unwrap();
    target.apply(CheckpointId(5), &parts).unwrap();
    target.apply(CheckpointId(4), &parts).unwrap();
    assert_eq!(target.applied().unwrap(), Some(CheckpointId(5)));
    drop(target);

    let mut target = open(&sink, "s");
    assert_eq!(target.applied().unwrap(), Some(CheckpointId(5)));
    target.apply(CheckpointId(5), &parts).unwrap();
    assert_eq!(read(&path, "log"), owned(&[("a", 1), ("a", 1), ("b", 2)]));
    target.apply(CheckpointId(9), &parts[2..]).unwrap();
    assert_eq!(read(&path, "log"), owned(&[("a", 1), ("a", 1), ("b", 2), ("b", 2)]));
}

#[test]
fn the_last_row_of_a_key_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = upsert(&path, "balances");
    let mut target = open(&sink, "s");
    assert_eq!(target.guarantee(), DeliveryGuarantee::UpsertOnce);
    let first = staged(&sink, &[("b", 1), ("a", 2), ("b", 3)]);
    let second = staged(&sink, &[("c", 4), ("b", 5)]);
    target.apply(CheckpointId(1), &[first, second]).unwrap();
    assert_eq!(read(&path, "balances"), owned(&[("a", 2), ("b", 5), ("c", 4)]));
    target.apply(CheckpointId(2), &[staged(&sink, &[("a", 7)])]).unwrap();
    assert_eq!(read(&path, "balances"), owned(&[("a", 7), ("b", 5), ("c", 4)]));
}

#[test]
fn a_checkpoint_without_rows_moves_the_marker() {
    let folder = tempfile::tempdir().unwrap();
    let sink = upsert(&folder.path().join("out.db"), "t");
    let mut target = open(&sink, "s");
    target.apply(CheckpointId(3), &[]).unwrap();
    assert_eq!(target.applied().unwrap(), Some(CheckpointId(3)));
}

#[test]
fn a_damaged_part_leaves_neither_rows_nor_marker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = append(&path, "log");
    let mut target = open(&sink, "s");
    let good = staged(&sink, &[("a", 1), ("b", 2)]);
    let checkpoint = good[..good.len() - 1].to_vec();
    for bad in [checkpoint, b"garbage".to_vec(), vec![1, 3, 0, 0, 0]] {
        let error = target.apply(CheckpointId(1), &[good.clone(), bad]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("out.db, table log"), "{error}");
        assert_eq!((target.applied().unwrap(), read(&path, "log")), (None, Vec::new()));
    }
    target.apply(CheckpointId(1), &[good]).unwrap();
    assert_eq!(read(&path, "log"), owned(&[("a", 1), ("b", 2)]));
}

#[test]
fn sinks_in_one_file_have_markers_and_resets_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let (one, two) = (append(&path, "one"), upsert(&path, "two"));
    let (mut first, mut second) = (open(&one, "1"), open(&two, "2"));
    first.apply(CheckpointId(1), &[staged(&one, &[("a", 1)])]).unwrap();
    second.apply(CheckpointId(8), &[staged(&two, &[("b", 2)])]).unwrap();
    assert_eq!(first.applied().unwrap(), Some(CheckpointId(1)));
    assert_eq!(second.applied().unwrap(), Some(CheckpointId(8)));

    first.reset().unwrap();
    assert_eq!((first.applied().unwrap(), read(&path, "one")), (None, Vec::new()));
    assert_eq!(second.applied().unwrap(), Some(CheckpointId(8)));
    assert_eq!(read(&path, "two"), owned(&[("b", 2)]));
    first.apply(CheckpointId(1), &[staged(&one, &[("c", 3)])]).unwrap();
    assert_eq!(read(&path, "one"), owned(&[("c", 3)]));
}

#[test]
fn any_name_is_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let name = "select \"x\"; DROP TABLE steadfast_markers --";
    let sink = upsert(&path, name);
    open(&sink, "o'clock").apply(CheckpointId(1), &[staged(&sink, &[("a", 1)])]).unwrap();
    assert_eq!(open(&sink, "o'clock").applied().unwrap(), Some(CheckpointId(1)));
    assert_eq!(read(&path, name), owned(&[("a", 1)]));
}

#[test]
fn a_database_that_does_not_fit_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let identity = TargetIdentity { job: "j".into(), sink: "s".into() };
    let refusal = |sink: Sqlite<Row>| {
        let error = sink.target(&identity).err().unwrap();
        (error.kind(), error.to_string())
    };
    for (sink, reason) in [
        (append(&path, "t").create("CREATE TABLE IF NOT EXISTS t(id TEXT)"), "no column 'n'"),
        (append(&path, "u").create("CREATE TABLE IF NOT EXISTS v(id)"), "no table 'u'"),
        (append(&path, "w").create("CREATE TABEL w"), "syntax error"),
        (upsert(&path, "x").create("CREATE TABLE x(id, n)"), "ON CONFLICT"),
        (append(&path, "y").key(["z"]), "'z'"),
        (Sqlite::new(&path), "no table is named"),
    ] {
        let (kind, text) = refusal(sink);
        assert_eq!(kind, ErrorKind::Configuration, "{text}");
        assert!(text.contains(reason) && text.contains("out.db"), "{text}");
    }
    std::fs::write(folder.path().join("no.db"), [b'x'; 4096]).unwrap();
    assert_eq!(refusal(append(&folder.path().join("no.db"), "t")).0, ErrorKind::Damaged);
}

#[test]
fn a_row_that_the_table_refuses_names_the_reason_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let create = "CREATE TABLE IF NOT EXISTS t(id TEXT, n INTEGER CHECK (n > 0))";
    let sink = append(&path, "t").create(create);
    let mut target = open(&sink, "s");
    let parts = [staged(&sink, &[("a", 1), ("b", -1)])];
    let error = target.apply(CheckpointId(1), &parts).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("CHECK"), "{error}");
    assert_eq!((target.applied().unwrap(), read(&path, "t")), (None, Vec::new()));
}

#[test]
fn a_reader_sees_whole_checkpoints_and_does_not_hold_the_writer_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = append(&path, "log");
    let mut target = open(&sink, "s");
    target.apply(CheckpointId(1), &[staged(&sink, &[("a", 1)])]).unwrap();
    let mut reader = Connection::open(&path).unwrap();
    let snapshot = reader.transaction().unwrap();
    let count = |of: &Connection| -> i64 {
        of.query_row("SELECT count(*) FROM log", (), |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&snapshot), 1);
    target.apply(CheckpointId(2), &[staged(&sink, &[("b", 2), ("c", 3)])]).unwrap();
    assert_eq!(count(&snapshot), 1);
    drop(snapshot);
    assert_eq!(count(&reader), 3);
}

#[test]
fn the_last_row_stays_where_the_table_takes_different_keys_for_one() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (key, first, second)) in [
        ("TEXT COLLATE NOCASE PRIMARY KEY", "a", "A"),
        ("TEXT PRIMARY KEY", "b", "a"),
        ("INTEGER PRIMARY KEY", "1", "01"),
        ("NUMERIC PRIMARY KEY", "1", "01"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(format!("{number}.db"));
        let create = format!("CREATE TABLE IF NOT EXISTS t(id {key}, n INTEGER)");
        let sink = upsert(&path, "t").create(create);
        let rows = [(second, 1), (first, 2), (second, 3)];
        open(&sink, "s").apply(CheckpointId(1), &[staged(&sink, &rows)]).unwrap();
        let connection = Connection::open(&path).unwrap();
        let sql = "SELECT n FROM t WHERE id = ?1";
        let last: i64 = connection.query_row(sql, [second], |row| row.get(0)).unwrap();
        assert_eq!(last, 3, "{key}");
        let rows = [(first, 4), (second, 5), (first, 6)];
        open(&sink, "s").apply(CheckpointId(2), &[staged(&sink, &rows)]).unwrap();
        let last: i64 = connection.query_row(sql, [first], |row| row.get(0)).unwrap();
        assert_eq!(last, 6, "{key}");
    }
}
