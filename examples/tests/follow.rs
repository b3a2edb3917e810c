//! Payments from logs that never end, are rotated in two ways and are read by a process that is killed: the
//! balances are those of the lines that were written.

mod process;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use process::{Folder, Started};
use serde_json::Value;

type Balances = BTreeMap<String, (i64, i64)>;

/// What the balances must be if each line counts, those that come twice too.
fn expected(lines: &str) -> Balances {
    let mut balances = Balances::new();
    for line in lines.lines() {
        let payment: Value = serde_json::from_str(line).unwrap();
        let cents = (payment["amount"].as_f64().unwrap() * 100.0).round() as i64;
        let sign = if payment["type"] == "withdraw" { -1 } else { 1 };
        let account = payment["account_id"].as_str().unwrap().to_string();
        let (sum, payments) = balances.entry(account).or_default();
        *sum += sign * cents;
        *payments += 1;
    }
    balances
}

fn table(folder: &Folder) -> Balances {
    let database = folder.path("payments-naive.sqlite");
    let Ok(database) = rusqlite::Connection::open(database) else { return Balances::new() };
    let select = "SELECT account_id, balance_cents, payments FROM balances";
    let Ok(mut select) = database.prepare(select) else { return Balances::new() };
    let rows = select.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
    rows.unwrap().collect::<Result<_, _>>().unwrap_or_default()
}

fn start(folder: &Folder) -> Started {
    let job = ["run", "--naive", "--follow", "--input", "logs/app.jsonl*", "--bad-input", "fail"];
    let job = [&job[..], &["--checkpoint-interval", "20ms", "--parallelism", "2"]].concat();
    let mut started = folder.start(&job);
    started.says("payments-naive:");
    started
}

/// What the file holds goes on under another name.
fn rotate(folder: &Folder, by_copying: bool) {
    let name = |number: u32| match number {
        0 => folder.path("logs/app.jsonl"),
        number => folder.path(&format!("logs/app.jsonl.{number}")),
    };
    for number in (1..40).rev().filter(|number| name(*number).exists()) {
        fs::rename(name(number), name(number + 1)).unwrap();
    }
    if by_copying {
        fs::copy(name(0), name(1)).unwrap();
        File::options().write(true).truncate(true).open(name(0)).unwrap();
    } else {
        fs::rename(name(0), name(1)).unwrap();
    }
}

#[test]
fn rotated_logs_are_followed_through_kills_and_a_stop_ends_well() {
    let folder = Folder::of("payments");
    let args = ["generate", "--output", "all", "--events", "6000", "--accounts", "50"];
    folder.job(&args).exits(0);
    let all = fs::read_to_string(folder.path("all")).unwrap();
    fs::create_dir(folder.path("logs")).unwrap();
    let (_never, pause) = mpsc::channel::<()>();
    let mut running = Some(start(&folder));
    let bytes = all.as_bytes();
    let mut written = 0;
    for piece in 0..60 {
        // Pieces end anywhere, in the middle of lines too.
        let until = if piece == 59 { bytes.len() } else { bytes.len() * (piece + 1) / 60 };
        let log = folder.path("logs/app.jsonl");
        let mut log = File::options().append(true).create(true).open(log).unwrap();
        log.write_all(&bytes[written..until]).unwrap();
        written = until;
        let _ = pause.recv_timeout(Duration::from_millis(10));
        if piece % 6 == 3 {
            // A rotation does not come in the middle of a line.
            let rest = all[written..].find('\n').map_or(0, |end| end + 1);
            log.write_all(&bytes[written..written + rest]).unwrap();
            written += rest;
            rotate(&folder, piece % 12 == 3);
        }
        match piece % 10 {
            4 => drop(running.take().unwrap().kill().ends(None)),
            7 => running = Some(start(&folder)),
            _ => {}
        }
    }
    let expected = expected(&all);
    let is_there = (0..3_000).any(|_| {
        let _ = pause.recv_timeout(Duration::from_millis(10));
        table(&folder) == expected
    });
    let ended = running.unwrap().terminate().exits(0);
    assert!(is_there, "{:?} instead of {:?}\n{}", table(&folder), expected, ended.err);
    assert_eq!(table(&folder), expected);
}
