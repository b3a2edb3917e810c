//! The baseline is a measure only if it is right: it must agree with the slow and plain way.

#[path = "../../examples/payments/event.rs"]
#[allow(dead_code, reason = "the example uses all of it")]
mod event;
#[path = "../../examples/payments/generate.rs"]
#[allow(dead_code, reason = "the example uses all of it")]
mod generate;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::process::Command;

use event::Payment;
use generate::{Generated, Spec, generate};

type Balances = BTreeMap<String, (i64, i64)>;

fn plainly(file: &Path, dedup: bool) -> Balances {
    let mut seen = HashSet::new();
    let mut balances = Balances::new();
    for line in std::fs::read(file).unwrap().split(|&byte| byte == b'\n') {
        let Ok(payment) = serde_json::from_slice::<Payment>(line) else { continue };
        if dedup && !seen.insert(payment.event_id.clone()) {
            continue;
        }
        let balance = balances.entry(payment.account_id.to_string()).or_default();
        balance.0 += payment.signed_cents();
        balance.1 += 1;
    }
    balances
}

fn baseline(file: &Path, output: &Path, dedup: bool) -> (serde_json::Value, Balances) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baseline"));
    command.arg(file).arg("--output").arg(output).args(dedup.then_some("--dedup"));
    let run = command.output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let database = rusqlite::Connection::open(output).unwrap();
    let sql = "SELECT account_id, balance_cents, payments FROM balances";
    let mut read = database.prepare(sql).unwrap();
    let rows = read.query_map((), |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).unwrap();
    (serde_json::from_slice(&run.stdout).unwrap(), rows.map(Result::unwrap).collect())
}

#[test]
fn the_yardstick_agrees_with_the_plain_way() {
    let folder = tempfile::tempdir().unwrap();
    let (file, output) = (folder.path().join("payments.jsonl"), folder.path().join("out.db"));
    let spec = Spec { events: 50_000, accounts: 700, bad_lines: 21, ..Spec::default() };
    let mut lines = File::create(&file).unwrap();
    let Generated { events, duplicates, .. } = generate(&mut lines, &spec).unwrap();
    for dedup in [false, true] {
        let (report, balances) = baseline(&file, &output, dedup);
        assert_eq!(balances, plainly(&file, dedup));
        assert_eq!(report["events"], events);
        assert_eq!(report["duplicates"], if dedup { duplicates } else { 0 });
        assert_eq!((&report["bad"], &report["accounts"]), (&21.into(), &balances.len().into()));
    }
}

#[test]
fn ids_with_escapes_long_lines_and_a_missing_line_feed_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (file, output) = (folder.path().join("payments.jsonl"), folder.path().join("out.db"));
    let long = "x".repeat(300_000);
    let lines = format!(
        r#"{{"eventId":"e\u0031","accountId":"a\"b","amount":0.1,"type":"deposit","timestamp":1}}

{{"event_id":"e1","account_id":"{long}","amount":0.2,"type":"withdraw","timestamp":1}}
{{"event_id":"e2","account_id":"{long}","amount":1e2,"type":"withdraw","timestamp":1}}"#
    );
    std::fs::write(&file, lines).unwrap();
    let (report, balances) = baseline(&file, &output, true);
    let expected = [("a\"b".to_owned(), (10, 1)), (long, (-10_000, 1))];
    assert_eq!(balances, Balances::from(expected));
    assert_eq!((&report["events"], &report["duplicates"]), (&3.into(), &1.into()));
}
