//! Whose a table is, and that nobody empties what is not theirs.

mod support;

use std::path::Path;

use rusqlite::Connection;
use steadfast_core::ErrorKind;
use steadfast_core::target::{Conditional, TargetState};
use support::*;

const DONE: Conditional<()> = Conditional::Done(());

fn listing(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            // The index of the log is shared memory, in which readers leave marks.
            let shared = name.ends_with("-shm");
            let bytes = if shared { Vec::new() } else { std::fs::read(file.path()).unwrap() };
            (name, bytes)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn looking_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/out.db");
    let sink = append(&path, "t");
    let mut target = open(&sink, "s");
    assert_eq!(target.look().unwrap(), TargetState::Absent);
    assert_eq!(target.contents().unwrap(), "0 rows of table t");
    assert_eq!(target.acquire(Some(&at(1)), &at(2), false).unwrap(), Conditional::Unexpected(None));
    assert_eq!(target.reset(&at(1), &at(2)).unwrap(), Conditional::Unexpected(None));
    assert_eq!(try_apply(&mut target, (at(1), at(2)), &[]).unwrap(), Conditional::Unexpected(None));
    assert_eq!(listing(folder.path()), []);

    let mut target = acquired(&sink, "s");
    apply(&mut target, (at(0), at(1)), &[staged(&sink, &[("a", 1)])]);
    let beside = path.parent().unwrap();
    let look = |path: &Path| {
        let (sink, before) = (append(path, "t"), listing(path.parent().unwrap()));
        assert_eq!(open(&sink, "s").look().unwrap(), created(at(1)));
        assert_eq!(open(&sink, "s").contents().unwrap(), "1 row of table t");
        assert_eq!(listing(path.parent().unwrap()), before);
        before.len()
    };
    // While another process writes, and with what it leaves behind when it dies.
    assert_eq!(look(&path), 3);
    let dead = folder.path().join("dead");
    std::fs::create_dir(&dead).unwrap();
    for file in std::fs::read_dir(beside).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), dead.join(file.file_name())).unwrap();
    }
    assert_eq!(look(&dead.join("out.db")), 3);
    drop(target);
    assert_eq!(look(&path), 1);

    let plain = folder.path().join("plain.db");
    by_hand(&plain, "CREATE TABLE t(id, n)");
    let before = std::fs::read(&plain).unwrap();
    let mut target = open(&append(&plain, "t"), "s");
    let foreign = TargetState::Foreign("table 't' was there before the job".into());
    assert_eq!(target.look().unwrap(), foreign);
    let error = target.acquire(None, &at(0), false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(std::fs::read(&plain).unwrap(), before);
}

#[test]
fn job_and_sink_are_both_part_of_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let names = [("job", "s"), ("job", "other"), ("other", "s"), ("other", "other")];
    for (index, (job, name)) in names.iter().enumerate() {
        let sink = append(&path, &format!("t{index}"));
        let mut target = open_as(&sink, job, name);
        assert_eq!(target.look().unwrap(), TargetState::Absent);
        assert_eq!(target.acquire(None, &at(0), false).unwrap(), DONE);
        apply(&mut target, (at(0), at(index as u64 + 1)), &[staged(&sink, &[("a", 1)])]);
    }
    let mut first = open_as(&append(&path, "t0"), "job", "s");
    assert_eq!(first.reset(&at(1), &next(0)).unwrap(), DONE);
    assert_eq!((first.look().unwrap(), read(&path, "t0")), (created(next(0)), vec![]));
    for (index, (job, name)) in names.iter().enumerate().skip(1) {
        let table = format!("t{index}");
        let mut target = open_as(&append(&path, &table), job, name);
        assert_eq!(target.look().unwrap(), created(at(index as u64 + 1)));
        assert_eq!(read(&path, &table), owned(&[("a", 1)]));
    }
}

#[test]
fn a_table_of_another_sink_is_foreign_and_a_shared_one_is_never_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = append(&path, "t");
    let mut first = acquired(&sink, "first");
    apply(&mut first, (at(0), at(1)), &[staged(&sink, &[("a", 1)])]);

    // SQLite takes both names for the same.
    let again = append(&path, "T");
    let mut second = open(&again, "second");
    let foreign = "table 'T' belongs to sink 'first' of job 'job'";
    assert_eq!(second.look().unwrap(), TargetState::Foreign(foreign.into()));
    let error = second.acquire(None, &at(0), false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains(foreign), "{error}");
    assert_eq!(second.acquire(None, &at(0), true).unwrap(), DONE);
    assert_eq!(second.look().unwrap(), adopted(at(0)));
    assert_eq!(open(&again, "first").look().unwrap(), created(at(1)));
    apply(&mut second, (at(0), at(2)), &[staged(&sink, &[("b", 2)])]);

    for (target, from, other) in [(&mut first, at(1), "second"), (&mut second, at(2), "first")] {
        let error = target.reset(&from, &next(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let reason = format!("is shared with sink '{other}' of job 'job'");
        assert!(error.to_string().contains(&reason), "{error}");
        assert_eq!(
            target.look().unwrap(),
            TargetState::Owned { marker: from, created: other == "second" }
        );
    }
    assert_eq!(read(&path, "t"), owned(&[("a", 1), ("b", 2)]));
    by_hand(&path, "DELETE FROM t");
    assert_eq!(first.reset(&at(1), &next(0)).unwrap(), DONE);
}

#[test]
fn an_adopted_table_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    by_hand(&path, "CREATE TABLE t(id, n); INSERT INTO t VALUES ('mine', 1)");
    let sink = append(&path, "t");
    let mut target = open(&sink, "s");
    assert_eq!(target.acquire(None, &at(0), true).unwrap(), DONE);
    // A later claim does not turn what was adopted into what was created, whatever it says.
    for (from, to, adopt) in [(at(0), next(0), false), (next(0), at(0), true)] {
        assert_eq!(target.acquire(Some(&from), &to, adopt).unwrap(), DONE);
        assert_eq!(target.look().unwrap(), adopted(to));
    }
    apply(&mut target, (at(0), at(1)), &[staged(&sink, &[("a", 1)])]);
    let error = target.reset(&at(1), &next(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("was there before the job: its rows are not"), "{error}");
    assert!(error.to_string().contains("with --reset (RunOptions::reset) again"), "{error}");
    assert_eq!(read(&path, "t"), owned(&[("a", 1), ("mine", 1)]));
    assert_eq!(target.look().unwrap(), adopted(at(1)));

    by_hand(&path, "DELETE FROM t");
    assert_eq!(target.reset(&at(1), &next(0)).unwrap(), DONE);
    assert_eq!(target.look().unwrap(), adopted(next(0)));
}

#[test]
fn a_table_that_was_dropped_is_noticed_and_a_reset_makes_it_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    for (table, sink) in [("t", append(&path, "t")), ("u", upsert(&path, "u"))] {
        let mut target = acquired(&sink, table);
        let chunks = [staged(&sink, &[("a", 1)])];
        apply(&mut target, (at(0), at(1)), &chunks);
        by_hand(&path, &format!("DROP TABLE {table}"));
        assert_eq!(target.look().unwrap(), created(at(1)));
        for error in [
            try_apply(&mut target, (at(1), at(2)), &chunks).unwrap_err(),
            target.acquire(Some(&at(1)), &next(1), true).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Damaged);
            assert!(error.to_string().contains("--reset"), "{error}");
        }
        assert_eq!(target.look().unwrap(), created(at(1)));
        assert_eq!(target.reset(&at(1), &next(0)).unwrap(), DONE);
        assert_eq!((target.look().unwrap(), read(&path, table)), (created(next(0)), vec![]));
        // A table that held nothing is no loss.
        by_hand(&path, &format!("DROP TABLE {table}"));
        assert_eq!(target.acquire(Some(&next(0)), &at(0), false).unwrap(), DONE);
        apply(&mut target, (at(0), at(2)), &chunks);
        assert_eq!(read(&path, table), owned(&[("a", 1)]));
    }
}

#[test]
fn a_sink_that_is_given_another_table_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    acquired(&append(&path, "t"), "s");
    let mut target = open(&append(&path, "u"), "s");
    for error in [
        target.look().unwrap_err(),
        target.acquire(Some(&at(0)), &at(1), true).unwrap_err(),
        target.reset(&at(0), &at(1)).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("writing to table 't', and not to 'u'"), "{error}");
    }
}

#[test]
fn a_marker_that_cannot_be_read_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let mut target = acquired(&append(&path, "t"), "s");
    for change in [
        "UPDATE steadfast_markers SET checkpoint = -1",
        "UPDATE steadfast_markers SET checkpoint = 1, claim = 'x'",
        "UPDATE steadfast_markers SET lineage = x'00'",
        "ALTER TABLE steadfast_markers DROP COLUMN lineage",
    ] {
        by_hand(&path, change);
        assert_eq!(target.look().unwrap_err().kind(), ErrorKind::Damaged, "{change}");
        let acquired = target.acquire(Some(&at(0)), &at(1), true);
        assert_eq!(acquired.unwrap_err().kind(), ErrorKind::Damaged, "{change}");
    }
    by_hand(&path, "DROP TABLE steadfast_markers");
    assert!(matches!(target.look().unwrap(), TargetState::Foreign(_)));
}

#[test]
fn a_file_that_is_no_database_is_a_wrong_setting_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "precious\n".repeat(1000);
    std::fs::write(&path, &text).unwrap();
    let mut target = open(&append(&path, "t"), "s");
    for error in [target.look().unwrap_err(), target.acquire(None, &at(0), true).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        let error = error.to_string();
        assert!(error.contains("the file is not a SQLite database"), "{error}");
        assert!(error.contains("give the sink another path"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_database_that_looks_unfit_is_refused_before_it_is_acquired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    by_hand(&path, "CREATE TABLE t(id); CREATE TABLE u(id, n)");
    for (sink, reason) in
        [(append(&path, "t"), "no column 'n'"), (upsert(&path, "u"), "index over (id)")]
    {
        let error = open(&sink, "s").look().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(reason), "{error}");
    }
    let tables = "SELECT count(*) FROM sqlite_schema";
    let connection = Connection::open(&path).unwrap();
    assert_eq!(connection.query_row(tables, (), |row| row.get::<_, i64>(0)).unwrap(), 2);
}

#[test]
fn a_table_that_was_adopted_and_has_lost_its_marker_is_still_not_taken_for_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    by_hand(&path, "CREATE TABLE t(id TEXT, n INTEGER); INSERT INTO t VALUES ('theirs', 1)");
    let sink = append(&path, "t");
    let _ = open(&sink, "s").acquire(None, &at(0), true).unwrap();
    by_hand(&path, "DELETE FROM steadfast_markers");
    let mut target = open(&sink, "s");
    let _ = target.acquire(None, &next(0), true).unwrap();
    assert_eq!(target.look().unwrap(), adopted(next(0)));
    assert!(target.reset(&next(0), &next(0)).is_err(), "their rows stay");
    assert_eq!(read(&path, "t"), owned(&[("theirs", 1)]));
}

/// The same of a table that it had created: whose the rows are by now, nobody can tell.
#[test]
fn a_created_table_that_has_lost_its_marker_counts_as_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = append(&path, "t");
    let mut target = acquired(&sink, "s");
    apply(&mut target, (at(0), at(1)), &[staged(&sink, &[("a", 1)])]);
    by_hand(&path, "DELETE FROM steadfast_markers");
    let mut target = open(&sink, "s");
    let _ = target.acquire(None, &next(0), true).unwrap();
    assert_eq!(target.look().unwrap(), adopted(next(0)));
}
