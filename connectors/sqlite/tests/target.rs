//! What a target promises, against real databases.

mod support;

use rusqlite::Connection;
use steadfast_core::ErrorKind;
use steadfast_core::sink::Sink;
use steadfast_core::target::{Conditional, DeliveryGuarantee, TargetIdentity, TargetState};
use steadfast_sqlite::Sqlite;
use support::*;

#[test]
fn applying_twice_appends_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/out.db");
    let sink = append(&path, "log");
    let chunks = [staged(&sink, &[("a", 1), ("a", 1)]), Vec::new(), staged(&sink, &[("b", 2)])];
    let mut target = open(&sink, "s");
    assert_eq!(target.guarantee(), DeliveryGuarantee::AppendOnce);
    assert_eq!(target.look().unwrap(), TargetState::Absent);
    assert_eq!(target.acquire(None, &at(0), false).unwrap(), Conditional::Done(()));
    apply(&mut target, (at(0), at(5)), &chunks);
    apply(&mut target, (at(0), at(5)), &chunks);
    drop(target);

    let mut target = open(&sink, "s");
    assert_eq!(target.look().unwrap(), created(at(5)));
    apply(&mut target, (at(0), at(5)), &chunks);
    assert_eq!(read(&path, "log"), owned(&[("a", 1), ("a", 1), ("b", 2)]));
    apply(&mut target, (at(5), at(9)), &chunks[2..]);
    assert_eq!(read(&path, "log"), owned(&[("a", 1), ("a", 1), ("b", 2), ("b", 2)]));
    assert_eq!(target.contents().unwrap(), "4 rows of table log");
}

#[test]
fn the_last_row_of_a_key_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = upsert(&path, "balances");
    let mut target = acquired(&sink, "s");
    assert_eq!(target.guarantee(), DeliveryGuarantee::UpsertOnce);
    let first = staged(&sink, &[("b", 1), ("a", 2), ("b", 3)]);
    let second = staged(&sink, &[("c", 4), ("b", 5)]);
    apply(&mut target, (at(0), at(1)), &[first, second]);
    assert_eq!(read(&path, "balances"), owned(&[("a", 2), ("b", 5), ("c", 4)]));
    apply(&mut target, (at(1), at(2)), &[staged(&sink, &[("a", 7)])]);
    assert_eq!(read(&path, "balances"), owned(&[("a", 7), ("b", 5), ("c", 4)]));
}

#[test]
fn a_checkpoint_without_rows_moves_the_marker() {
    let folder = tempfile::tempdir().unwrap();
    let mut target = acquired(&upsert(&folder.path().join("out.db"), "t"), "s");
    apply(&mut target, (at(0), at(3)), &[]);
    assert_eq!(target.look().unwrap(), created(at(3)));
}

#[test]
fn a_damaged_chunk_leaves_neither_rows_nor_marker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = append(&path, "log");
    let mut target = acquired(&sink, "s");
    let good = staged(&sink, &[("a", 1), ("b", 2)]);
    let cut_off = good[..good.len() - 1].to_vec();
    for bad in [cut_off, b"garbage".to_vec(), vec![1, 3, 0, 0, 0]] {
        let error = try_apply(&mut target, (at(0), at(1)), &[good.clone(), bad]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("out.db, table log"), "{error}");
        assert_eq!(target.look().unwrap(), created(at(0)));
        assert_eq!(read(&path, "log"), []);
    }
    apply(&mut target, (at(0), at(1)), &[good]);
    assert_eq!(read(&path, "log"), owned(&[("a", 1), ("b", 2)]));
}

#[test]
fn any_name_is_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let name = "select \"x\"; DROP TABLE steadfast_markers --";
    let sink = upsert(&path, name);
    apply(&mut acquired(&sink, "o'clock"), (at(0), at(1)), &[staged(&sink, &[("a", 1)])]);
    assert_eq!(open(&sink, "o'clock").look().unwrap(), created(at(1)));
    assert_eq!(read(&path, name), owned(&[("a", 1)]));
}

#[test]
fn a_database_that_does_not_fit_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let identity = TargetIdentity { job: "j".into(), sink: "s".into() };
    let refusal = |sink: Sqlite<Row>| {
        let target = sink.target(&identity);
        let error = match target {
            Ok(mut target) => target.acquire(None, &at(0), false).unwrap_err(),
            Err(error) => error,
        };
        (error.kind(), error.to_string())
    };
    for (sink, reason) in [
        (append(&path, "t").create("CREATE TABLE IF NOT EXISTS t(id TEXT)"), "no column 'n'"),
        (append(&path, "u").create("CREATE TABLE IF NOT EXISTS v(id)"), "no table 'u'"),
        (append(&path, "w").create("CREATE TABEL w"), "syntax error"),
        (append(&path, "w").create("CREATE TABLE w(id, n); SELECT nothing"), "nothing"),
        (upsert(&path, "x").create("CREATE TABLE x(id, n)"), "unique index over (id)"),
        (append(&path, "y").key(["z"]), "'z'"),
        (Sqlite::new(&path), "no table is named"),
    ] {
        let (kind, text) = refusal(sink);
        assert_eq!(kind, ErrorKind::Configuration, "{text}");
        assert!(text.contains(reason) && text.contains("out.db"), "{text}");
        let count = "SELECT count(*) FROM sqlite_schema";
        let connection = Connection::open(&path).unwrap();
        let tables: i64 = connection.query_row(count, (), |row| row.get(0)).unwrap();
        assert_eq!(tables, 0, "{reason}");
    }
    let ends = append(&path, "z").create("CREATE TABLE z(id, n); COMMIT");
    let (kind, text) = refusal(ends);
    assert_eq!(kind, ErrorKind::Configuration, "{text}");
    assert!(text.contains("ends the transaction"), "{text}");
    std::fs::write(folder.path().join("no.db"), [b'x'; 4096]).unwrap();
    let sink = append(&folder.path().join("no.db"), "t");
    assert_eq!(open(&sink, "s").look().unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(refusal(sink).0, ErrorKind::Configuration);
    assert_eq!(refusal(append(folder.path(), "t")).0, ErrorKind::Configuration);
    let under_a_file = append(&path.join("out.db"), "t");
    assert_eq!(open(&under_a_file, "s").look().unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(refusal(append(":memory:".as_ref(), "t")).0, ErrorKind::Configuration);
}

#[test]
fn a_reader_sees_whole_checkpoints_and_does_not_hold_the_writer_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = append(&path, "log");
    let mut target = acquired(&sink, "s");
    apply(&mut target, (at(0), at(1)), &[staged(&sink, &[("a", 1)])]);
    let mut reader = Connection::open(&path).unwrap();
    let snapshot = reader.transaction().unwrap();
    let count = |of: &Connection| -> i64 {
        of.query_row("SELECT count(*) FROM log", (), |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&snapshot), 1);
    apply(&mut target, (at(1), at(2)), &[staged(&sink, &[("b", 2), ("c", 3)])]);
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
        apply(&mut acquired(&sink, "s"), (at(0), at(1)), &[staged(&sink, &rows)]);
        let connection = Connection::open(&path).unwrap();
        let sql = "SELECT n FROM t WHERE id = ?1";
        let last: i64 = connection.query_row(sql, [second], |row| row.get(0)).unwrap();
        assert_eq!(last, 3, "{key}");
        let rows = [(first, 4), (second, 5), (first, 6)];
        apply(&mut open(&sink, "s"), (at(1), at(2)), &[staged(&sink, &rows)]);
        let last: i64 = connection.query_row(sql, [first], |row| row.get(0)).unwrap();
        assert_eq!(last, 6, "{key}");
    }
}

/// What the table ignores stays as it was, as it would with a checkpoint between the two rows.
#[test]
fn what_a_table_ignores_does_not_depend_on_where_checkpoints_fall() {
    for (number, create) in [
        "CREATE TABLE t(id TEXT PRIMARY KEY, n INTEGER NOT NULL ON CONFLICT IGNORE)",
        "CREATE TABLE t(id TEXT PRIMARY KEY, n INTEGER NOT NULL on/**/Conflict Ignore)",
    ]
    .into_iter()
    .enumerate()
    {
        let rows = |name: &str, epochs: &[&[(&str, i64)]]| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(format!("{name}-{number}.db"));
            let sink = Sqlite::new(&path).table("t").columns(["id", "n"]).key(["id"]);
            let sink = sink.create(create).row(|(id, n): &Row, row| {
                row.text(id);
                if *n < 0 { row.null() } else { row.integer(*n) }
            });
            let mut target = acquired(&sink, "s");
            for (before, epoch) in (0..).zip(epochs) {
                apply(&mut target, (at(before), at(before + 1)), &[staged(&sink, epoch)]);
            }
            read(&path, "t")
        };
        let apart = rows("apart", &[&[("a", 5)], &[("a", -1)]]);
        assert_eq!(apart, owned(&[("a", 5)]));
        assert_eq!(rows("together", &[&[("a", 5), ("a", -1)]]), apart, "{create}");
    }
}
