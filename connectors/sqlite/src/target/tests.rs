//! What can be known before a step, and two connections at once.

use steadfast_core::ErrorKind;
use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};

use super::*;

#[test]
fn a_reset_that_would_be_refused_can_be_known_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let person = Connection::open(&path).unwrap();
    person.execute_batch("CREATE TABLE t(id); INSERT INTO t VALUES (1)").unwrap();
    let table = Table { name: "t".into(), columns: vec!["id".into()], ..Table::default() };
    let identity = TargetIdentity { job: "job".into(), sink: "s".into() };
    let claim = ClaimId { generation: Generation(1), nonce: 1 };
    let at = |id| Marker { lineage: Lineage(1), claim, checkpoint: CheckpointId(id) };
    let database = Database::without_patience(&path);
    let mut target = SqliteTarget::of(database, &table, &identity, "here".into());
    assert_eq!(target.acquire(None, &at(0), true).unwrap(), Conditional::Done(()));
    let told = target.check(PlannedStep::Reset).unwrap_err().to_string();
    assert_eq!(told, target.reset(&at(0), &at(1)).unwrap_err().to_string());
    person.execute_batch("DELETE FROM t").unwrap();
    target.check(PlannedStep::Reset).unwrap();
    assert_eq!(target.reset(&at(0), &at(1)).unwrap(), Conditional::Done(()));
}

#[test]
fn a_database_that_cannot_be_written_to_is_refused_before_anybody_is_fenced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let table = Table { name: "t".into(), columns: vec!["id".into()], ..Table::default() };
    let identity = TargetIdentity { job: "job".into(), sink: "s".into() };
    let open = |database| SqliteTarget::of(database, &table, &identity, "here".into());
    // Also where the table is not there yet.
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE other(id)").unwrap();
    for planned in [PlannedStep::Acquire, PlannedStep::Reset] {
        open(Database::without_patience(&path)).check(planned).unwrap();
        let error = open(Database::read_only(&path)).check(planned).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("may not be written to"), "{error}");
    }
}

/// What a step reads before it writes must stay true: a transaction that becomes a writer only with
/// its first change has read a marker that another may have moved meanwhile.
#[test]
fn a_step_is_the_only_writer_before_it_reads_its_first_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    for mode in ["DELETE", "WAL"] {
        let [mut first, mut second] = [(), ()].map(|()| {
            let connection = Connection::open(&path).unwrap();
            connection.busy_timeout(std::time::Duration::ZERO).unwrap();
            connection.execute_batch(&format!("PRAGMA journal_mode = {mode}")).unwrap();
            connection
        });
        let done = in_transaction(&mut first, |_| {
            let error = in_transaction::<()>(&mut second, |_| panic!("two writers in {mode}"));
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable);
            Ok(Conditional::Done(()))
        });
        assert_eq!(done.unwrap(), Conditional::Done(()));
        let next = in_transaction(&mut second, |_| Ok(Conditional::Done(())));
        assert_eq!(next.unwrap(), Conditional::Done(()));
    }
}

#[test]
fn a_locked_database_is_unavailable_and_can_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let columns = vec!["id".to_owned()];
    let table = Table { name: "t".into(), columns, ..Table::default() };
    let identity = TargetIdentity { job: "job".into(), sink: "s".into() };
    let claim = ClaimId { generation: Generation(1), nonce: 1 };
    let at = |id| Marker { lineage: Lineage(1), claim, checkpoint: CheckpointId(id) };
    let database = Database::without_patience(&path);
    let mut target = SqliteTarget::of(database, &table, &identity, "here".into());
    assert_eq!(target.acquire(None, &at(0), false).unwrap(), Conditional::Done(()));

    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for error in [
        target.apply(&at(0), &at(1), &[], RejectedRows::Fail).unwrap_err(),
        target.reset(&at(0), &at(1)).unwrap_err(),
        target.acquire(Some(&at(0)), &at(1), false).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let text = error.to_string();
        assert!(text.starts_with("here: the database is locked by another process"), "{text}");
        assert!(text.contains("what to do: "), "{text}");
    }
    let state = TargetState::Owned { marker: at(0), created: true };
    assert_eq!(target.look().unwrap(), state);
    other.execute_batch("ROLLBACK").unwrap();
    let applied = target.apply(&at(0), &at(1), &[], RejectedRows::Fail).unwrap();
    assert_eq!(applied, Conditional::Done(Applied::default()));
}

/// What is committed must survive the loss of power, whatever the library was built to do by itself.
#[test]
fn every_connection_waits_until_what_it_commits_is_on_the_disk() {
    const FULL: i64 = 2;
    let folder = tempfile::tempdir().unwrap();
    let database = Database::new(&folder.path().join("out.db")).unwrap();
    let created = database.create().unwrap();
    let [existing, looking] = [database.open_existing(), database.look()];
    for connection in [created, existing.unwrap().unwrap(), looking.unwrap().unwrap()] {
        let level = connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0));
        assert_eq!(level.unwrap(), FULL);
    }
}
