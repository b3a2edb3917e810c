//! Tables whose columns are the fields of a struct.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use steadfast_core::ErrorKind;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{Conditional, TargetIdentity};
use steadfast_sqlite::Sqlite;
use support::*;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account {
    id: String,
    #[serde(rename = "Balance")]
    cents: i64,
    share: Option<f64>,
    is_open: bool,
    tags: Vec<String>,
}

fn accounts(path: &Path) -> Sqlite<Account> {
    Sqlite::rows(path, "accounts").key(["id"])
}

fn account(id: &str, cents: i64) -> Account {
    let tags = vec!["a".to_owned(), "\"b\"".to_owned()];
    Account { id: id.to_owned(), cents, share: Some(0.5), is_open: true, tags }
}

fn identity() -> TargetIdentity {
    TargetIdentity { job: "job".into(), sink: "s".into() }
}

fn part<T: Send + Serialize + 'static>(sink: &Sqlite<T>, mut rows: Vec<T>) -> Vec<u8> {
    let mut writer = sink.writer().unwrap();
    writer.write(&mut rows).unwrap();
    writer.take_staged()
}

/// With which error the sink is refused before anybody is fenced.
fn refused<T: Send + 'static>(sink: &Sqlite<T>) -> String {
    let error = sink.target(&identity()).and_then(|mut target| target.look()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("out.db, table accounts"), "{error}");
    error.to_string()
}

#[test]
fn a_table_is_made_for_the_fields_and_takes_what_they_hold() {
    let folder = fast_folder();
    let path = folder.path().join("out.db");
    let sink = accounts(&path);
    let mut target = sink.target(&identity()).unwrap();
    assert_eq!(target.acquire(None, &at(0), false).unwrap(), Conditional::Done(()));
    let closed = Account { share: None, is_open: false, tags: Vec::new(), ..account("b", -2) };
    let chunks = [part(&sink, vec![account("a", 1), closed, account("a", i64::MAX)])];
    apply(&mut target, (at(0), at(1)), &chunks);

    let connection = Connection::open(&path).unwrap();
    let columns =
        "SELECT group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || pk, ', ')
                   FROM pragma_table_info('accounts')";
    let columns: String = connection.query_row(columns, (), |row| row.get(0)).unwrap();
    assert_eq!(
        columns,
        "id TEXT 1 1, Balance INTEGER 1 0, share REAL 0 0, is_open INTEGER 1 0, tags TEXT 1 0"
    );
    let mut read = connection.prepare("SELECT * FROM accounts ORDER BY id").unwrap();
    type Row = (String, i64, Option<f64>, bool, String);
    let rows = read.query_map((), |row| Row::try_from(row)).unwrap().map(Result::unwrap);
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            ("a".into(), i64::MAX, Some(0.5), true, r#"["a","\"b\""]"#.into()),
            ("b".into(), -2, None, false, "[]".into()),
        ]
    );
}

#[test]
fn a_table_that_does_not_fit_is_refused_with_its_column() {
    let folder = fast_folder();
    let path = folder.path().join("out.db");
    let rest = "share REAL, is_open BOOLEAN, tags TEXT";
    for (create, named) in [
        (format!("id TEXT PRIMARY KEY, {rest}"), "has no column 'Balance'"),
        (format!("id TEXT, balance INT, {rest}"), "no primary key or unique index over (id)"),
        (format!("id TEXT, balance INT, {rest}, PRIMARY KEY (id, balance)"), "over (id)"),
        (
            format!("id TEXT PRIMARY KEY, balance REAL, {rest}"),
            "'Balance' of table 'accounts' is declared REAL",
        ),
        (
            format!("id NUMERIC PRIMARY KEY, balance INT, {rest}"),
            "'id' of table 'accounts' is declared NUMERIC",
        ),
        (format!("id TEXT PRIMARY KEY, balance VARCHAR(9), {rest}"), "is declared VARCHAR(9)"),
    ] {
        let sql = format!("DROP TABLE IF EXISTS accounts; CREATE TABLE accounts({create})");
        by_hand(&path, &sql);
        let error = refused(&accounts(&path));
        assert!(error.contains(named), "{create}: {error}");
    }
    for fits in [
        format!("id TEXT UNIQUE, balance BIGINT, {rest}, more"),
        "id, balance, share, is_open, tags, PRIMARY KEY (id)".to_owned(),
    ] {
        by_hand(&path, &format!("DROP TABLE accounts; CREATE TABLE accounts({fits})"));
        accounts(&path).target(&identity()).unwrap().look().unwrap();
    }
}

#[test]
fn what_is_no_row_is_refused_before_anything_is_begun() {
    #[derive(Serialize, Deserialize)]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    let folder = fast_folder();
    let path = folder.path().join("out.db");
    let flat = Sqlite::<Flat>::rows(&path, "accounts");
    let error = refused(&flat);
    assert!(error.contains("Flat") && error.contains("flatten"), "{error}");
    assert_eq!(flat.writer().unwrap_err().to_string(), error);
    assert!(refused(&accounts(&path).key(["share"])).contains("'share' may be missing"));
    assert!(refused(&accounts(&path).key(["cents"])).contains("'cents' is named in key()"));
    assert!(!path.exists());
}

#[test]
fn the_values_may_be_written_by_hand_all_the_same() {
    let folder = fast_folder();
    let path = folder.path().join("out.db");
    let by_serde = accounts(&path);
    let by_hand = accounts(&path).row(|account, row| {
        row.text(&account.id);
        row.integer(account.cents);
        match account.share {
            Some(share) => row.real(share),
            None => row.null(),
        }
        row.integer(account.is_open.into());
        row.text(&serde_json::to_string(&account.tags).unwrap());
    });
    let rows = vec![account("a", 1), account("b", 2)];
    assert_eq!(part(&by_serde, rows.clone()), part(&by_hand, rows));
    let other = accounts(&path).columns(["id"]);
    assert!(other.writer().unwrap_err().to_string().contains("nothing says how a record"));
}
