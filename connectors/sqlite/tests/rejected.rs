//! Rows that the table will never take: named in an error, or set aside with the reason.

mod support;

use rusqlite::Connection;
use steadfast_core::ErrorKind;
use steadfast_core::target::{Applied, Conditional, RejectedRows};
use steadfast_sqlite::Sqlite;
use support::*;

const POSITIVE: &str = "CREATE TABLE IF NOT EXISTS t(id TEXT PRIMARY KEY, n INTEGER CHECK (n > 0))";

#[test]
fn a_refused_row_is_named_with_the_reason_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    for sink in [append(&path, "t").create(POSITIVE), upsert(&path, "t").create(POSITIVE)] {
        let mut target = open(&sink, "s");
        let _ = target.acquire(None, &at(0), false).unwrap();
        let chunks = [staged(&sink, &[("a", 1), ("b\u{1b}[2J", -1), ("c", 2)])];
        let error = try_apply(&mut target, (at(0), at(7)), &chunks).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected);
        let text = error.to_string();
        assert!(text.contains("table 't' refuses a row of checkpoint 7"), "{text}");
        assert!(text.contains(r#"["b\u001b[2J",-1]: CHECK constraint failed: n > 0"#), "{text}");
        assert!(text.contains("--rejected-rows set-aside") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(target.look().unwrap(), created(at(0)));
        assert_eq!(read(&path, "t"), []);
    }
}

#[test]
fn no_more_than_five_rows_are_named_and_long_values_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let sink = append(&folder.path().join("out.db"), "t").create(POSITIVE);
    let mut target = acquired(&sink, "s");
    let long = "x".repeat(10_000);
    let rows: Vec<_> = (0..9).map(|n| (long.as_str(), -n)).collect();
    let error = try_apply(&mut target, (at(0), at(1)), &[staged(&sink, &rows)]).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("at least 5 rows") && text.contains(",-4]"), "{text}");
    assert!(!text.contains(",-5]") && text.len() < 1_500, "{text}");
}

#[test]
fn refused_rows_are_set_aside_in_the_same_step_and_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let create = "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0))";
    let sink = append(&path, "t").create(create);
    let mut target = acquired(&sink, "s");
    // The second breaks a constraint, the third is no integer, the fifth is there already.
    let rows = [("1", 1), ("2", -1), ("x", 1), ("4", 4), ("4", 5)];
    let chunks = [staged(&sink, &rows)];
    for _ in 0..2 {
        let done = target.apply(&at(0), &at(7), &chunks, RejectedRows::SetAside).unwrap();
        assert_eq!(done, Conditional::Done(Applied { rejected: 3 }));
    }
    let connection = Connection::open(&path).unwrap();
    let count = |sql: &str| -> i64 { connection.query_row(sql, (), |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM t"), 2);
    let sql = "SELECT job || sink || checkpoint || table_name || row || reason
        FROM steadfast_rejected WHERE at_ms > 0";
    let mut kept = connection.prepare(sql).unwrap();
    let kept = kept.query_map((), |row| row.get(0)).unwrap();
    let kept: Vec<String> = kept.map(Result::unwrap).collect();
    assert_eq!(kept[0], r#"jobs7t["2",-1]CHECK constraint failed: n > 0"#);
    assert_eq!(kept[1], r#"jobs7t["x",1]datatype mismatch"#);
    assert_eq!(kept[2], r#"jobs7t["4",5]UNIQUE constraint failed: t.id"#);
    assert_eq!(kept.len(), 3);
    assert_eq!(target.contents().unwrap(), "2 rows of table t, 3 more set aside");

    let other = append(&path, "u").create("CREATE TABLE IF NOT EXISTS u(id, n CHECK (n > 0))");
    let mut other_target = acquired(&other, "other");
    let chunks = [staged(&other, &[("z", 0)])];
    let done = other_target.apply(&at(0), &at(7), &chunks, RejectedRows::SetAside).unwrap();
    assert_eq!(done, Conditional::Done(Applied { rejected: 1 }));
    assert_eq!(target.reset(&at(7), &next(0)).unwrap(), Conditional::Done(()));
    assert_eq!(count("SELECT count(*) FROM steadfast_rejected"), 1);
    assert_eq!(count("SELECT count(*) FROM steadfast_rejected WHERE sink = 'other'"), 1);
}

#[test]
fn rows_set_aside_disappear_with_a_step_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = append(&path, "t").create(POSITIVE);
    let mut target = acquired(&sink, "s");
    by_hand(
        &path,
        "CREATE TRIGGER fault BEFORE UPDATE ON steadfast_markers
            BEGIN SELECT RAISE(ABORT, 'fault'); END",
    );
    let chunks = [staged(&sink, &[("a", 1), ("b", -1)])];
    let error = target.apply(&at(0), &at(1), &chunks, RejectedRows::SetAside).unwrap_err();
    assert!(error.to_string().contains("fault"), "{error}");
    assert_eq!(target.contents().unwrap(), "0 rows of table t");
}

#[test]
fn the_last_row_that_is_taken_stays_whatever_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = upsert(&path, "t").create(POSITIVE);
    let mut target = acquired(&sink, "s");
    let rows = [("b", 1), ("a", -1), ("b", 2), ("b", -2), ("c", -3), ("a", 4), ("b", -5)];
    let chunks = [staged(&sink, &rows)];
    let done = target.apply(&at(0), &at(1), &chunks, RejectedRows::SetAside).unwrap();
    // The row of `a` that was refused had been replaced by another one anyway.
    assert_eq!(done, Conditional::Done(Applied { rejected: 3 }));
    assert_eq!(read(&path, "t"), owned(&[("a", 4), ("b", 2)]));
}

#[test]
fn a_constraint_that_ends_the_transaction_sets_nothing_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let create = "CREATE TABLE IF NOT EXISTS t(id UNIQUE ON CONFLICT ROLLBACK, n)";
    let sink = append(&path, "t").create(create);
    let mut target = acquired(&sink, "s");
    let chunks = [staged(&sink, &[("a", 1), ("a", 2), ("b", 3)])];
    let error = target.apply(&at(0), &at(1), &chunks, RejectedRows::SetAside).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("ON CONFLICT ROLLBACK"), "{error}");
    assert_eq!(read(&path, "t"), []);
    assert_eq!(target.look().unwrap(), created(at(0)));
}

#[test]
fn a_constraint_that_is_checked_at_the_end_takes_all_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let create = "CREATE TABLE IF NOT EXISTS p(n PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS t(id, n REFERENCES p DEFERRABLE INITIALLY DEFERRED)";
    let sink = append(&path, "t").create(create);
    let mut target = acquired(&sink, "s");
    let chunks = [staged(&sink, &[("a", 1)])];
    let error = target.apply(&at(0), &at(1), &chunks, RejectedRows::SetAside).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert_eq!(read(&path, "t"), []);
    assert_eq!(target.look().unwrap(), created(at(0)));
}

#[test]
fn a_column_that_went_missing_is_not_the_rows_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = append(&path, "t");
    let mut target = acquired(&sink, "s");
    by_hand(&path, "ALTER TABLE t DROP COLUMN n");
    let chunks = [staged(&sink, &[("a", 1)])];
    let error = target.apply(&at(0), &at(1), &chunks, RejectedRows::SetAside).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("no column 'n'"), "{error}");
}

/// A call that is repeated because its answer was lost says what was refused in its own checkpoint.
#[test]
fn a_repeated_call_counts_the_refusals_of_its_own_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let sink = append(&folder.path().join("out.db"), "t").create(POSITIVE);
    let mut target = acquired(&sink, "s");
    for (checkpoint, rejected) in [(1, 2), (2, 0), (3, 1)] {
        let rows: Vec<_> = (0..rejected).map(|n| ("bad", -n)).collect();
        let chunks = [staged(&sink, &rows)];
        let step = (at(checkpoint - 1), at(checkpoint));
        for _ in 0..2 {
            let done = target.apply(&step.0, &step.1, &chunks, RejectedRows::SetAside).unwrap();
            let rejected = rejected.unsigned_abs();
            assert_eq!(done, Conditional::Done(Applied { rejected }), "checkpoint {checkpoint}");
        }
    }
}

/// Row A9 of the attack of 2026-11-22: to SQLite no NULL equals another.
#[test]
fn a_row_without_its_key_is_refused_because_it_would_replace_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let create = "CREATE TABLE IF NOT EXISTS t(id REAL PRIMARY KEY, n INTEGER)";
    for bad in [None, Some(f64::NAN)] {
        let table = Sqlite::new(&path).table("t").create(create).columns(["id", "n"]).key(["id"]);
        let sink: Sqlite<Row> = table.row(move |(id, n): &Row, row| {
            match (id.parse::<f64>(), bad) {
                (Ok(id), _) => row.real(id),
                (Err(_), None) => row.null(),
                (Err(_), Some(bad)) => row.real(bad),
            }
            row.integer(*n);
        });
        let mut target = acquired(&sink, "s");
        let chunks = [staged(&sink, &[("1", 1), ("without", 0), ("2", 2)])];
        let applied = target.apply(&at(0), &at(7), &chunks, RejectedRows::SetAside).unwrap();
        assert_eq!(applied, Conditional::Done(Applied { rejected: 1 }));
        let connection = Connection::open(&path).unwrap();
        let count = |sql: &str| -> i64 { connection.query_row(sql, (), |row| row.get(0)).unwrap() };
        assert_eq!(count("SELECT count(*) FROM t WHERE id IS NULL"), 0);
        drop(connection);
        std::fs::remove_file(&path).unwrap();
    }
}

/// Row B3 of the attack of 2026-11-22.
#[test]
fn what_was_set_aside_of_checkpoints_that_are_taken_again_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = upsert(&path, "t").create(POSITIVE);
    let mut target = acquired(&sink, "s");
    let chunks = [staged(&sink, &[("a", -1)])];
    for (before, now) in [(0, 3), (3, 4)] {
        target.apply(&at(before), &at(now), &chunks, RejectedRows::SetAside).unwrap();
    }
    let _ = target.acquire(Some(&at(4)), &next(3), false).unwrap();
    let connection = Connection::open(&path).unwrap();
    let mut read = connection.prepare("SELECT checkpoint FROM steadfast_rejected").unwrap();
    let kept: Vec<i64> =
        read.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(kept, [3]);
}
