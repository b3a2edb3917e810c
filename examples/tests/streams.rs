//! Payments from standard input: real pipes, real processes, real kills.

mod process;

use std::collections::BTreeMap;
use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use process::{Folder, Started, json};
use serde_json::Value;

const READ: [&str; 4] = ["run", "--naive", "--input", "-"];
const WARNING: &str = "source 'payments' cannot be read again";

type Balances = BTreeMap<String, (i64, i64)>;

/// What the balances must be if each of these lines counts once.
fn expected<'a>(lines: impl Iterator<Item = &'a str>) -> Balances {
    let mut balances = Balances::new();
    for line in lines {
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
    let Ok(database) = rusqlite::Connection::open(folder.path("payments-naive.sqlite")) else {
        return Balances::new();
    };
    let select = "SELECT account_id, balance_cents, payments FROM balances";
    let Ok(mut select) = database.prepare(select) else { return Balances::new() };
    let rows = select.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
    rows.unwrap().collect::<Result<_, _>>().unwrap_or_default()
}

/// A folder, and payments that are all different.
fn payments(number: u64) -> (Folder, String) {
    let folder = Folder::of("payments");
    let events = number.to_string();
    let args = ["generate", "--output", "all", "--events", &events, "--accounts", "50"];
    folder.job(&[&args[..], &["--duplicates-per-mille", "0"]].concat()).exits(0);
    let all = fs::read_to_string(folder.path("all")).unwrap();
    (folder, all)
}

fn start(folder: &Folder, more: &[&str]) -> Started {
    let is_given = more.contains(&"--checkpoint-interval");
    let often: &[&str] = if is_given { &[] } else { &["--checkpoint-interval", "10ms"] };
    let other = ["--parallelism", "2", "--bad-input", "fail"];
    folder.start_fed(&[&READ[..], &other, often, more].concat())
}

fn pause(milliseconds: u64) {
    let (_never, pause) = mpsc::channel::<()>();
    let _ = pause.recv_timeout(Duration::from_millis(milliseconds));
}

#[test]
fn a_pipe_is_read_to_its_end_and_the_job_says_what_it_cannot_promise() {
    let (folder, all) = payments(1000);
    // The last line counts without its end, too, as that of a file.
    let mut job = start(&folder, &["--quiet", "--json"]);
    job.feed(all.trim_end().as_bytes());
    let ended = job.close_input().exits(0);
    let summary = json(&ended.out);
    assert_eq!((&summary["events"], &summary["finished"]), (&1000.into(), &true.into()));
    assert_eq!(summary["not_replayable"], serde_json::json!(["payments"]));
    assert!(ended.err.contains(WARNING), "also when it is to be quiet: {}", ended.err);
    assert!(ended.err.contains("at most once, and not exactly once"), "{}", ended.err);
    assert_eq!(table(&folder), expected(all.lines()));

    // Who starts it again sends something else.
    let mut job = start(&folder, &[]);
    job.feed(all.lines().next().unwrap().as_bytes());
    let ended = job.close_input().exits(0);
    assert!(!ended.err.contains("did not end well"), "{}", ended.err);
    assert!(ended.err.contains("cannot be read again  payments"), "{}", ended.err);
    let twice = all.lines().chain(all.lines().take(1));
    assert_eq!(table(&folder), expected(twice));
}

#[test]
fn a_file_as_standard_input_is_read_to_its_end() {
    let (folder, all) = payments(10_000);
    folder.job_reading("all", &READ).exits(0);
    assert_eq!(table(&folder), expected(all.lines()));
}

#[test]
fn plans_and_logs_say_it_too() {
    let (folder, all) = payments(1);
    let graph = folder.job(&["graph", "--input", "-"]).exits(0).out;
    assert!(graph.contains("standard input, which cannot be read again"), "{graph}");
    let said = folder.job(&[&READ[..], &["--dry-run"]].concat()).exits(0).out;
    assert!(said.contains(WARNING), "{said}");
    let said = folder.job(&[&READ[..], &["--dry-run", "--json"]].concat()).exits(0).out;
    assert_eq!(json(&said)["not_replayable"], serde_json::json!(["payments"]));
    let mut job = start(&folder, &["--log-format", "json"]);
    job.feed(all.as_bytes());
    let ended = job.close_input().exits(0);
    let is_told = |line: &str| json(line)["event"] == "source_not_replayable";
    assert!(ended.err.lines().any(is_told), "{}", ended.err);
    // Where nothing is promised that cannot be kept, nobody is warned.
    let ended = start(&folder, &["--consistency", "at-most-once"]).close_input().exits(0);
    assert!(!ended.err.contains(WARNING), "{}", ended.err);
}

#[test]
fn what_is_read_beside_it_is_refused() {
    let (folder, _) = payments(1);
    for more in [&["all"][..], &["--follow"]] {
        let ended = folder.job(&[&READ[..], more].concat()).exits(2);
        assert!(ended.err.contains("--input - is read alone"), "{}", ended.err);
    }
    // Positions of files are none of a stream, nor the other way round.
    folder.job(&["run", "--naive", "--input", "all"]).exits(0);
    let ended = start(&folder, &[]).close_input().exits(2);
    assert!(ended.err.contains("--reset"), "{}", ended.err);
}

#[test]
fn a_killed_process_loses_what_no_checkpoint_has_and_the_next_counts_nothing_twice() {
    for round in 0..6 {
        let (folder, all) = payments(20_000);
        let lines: Vec<&str> = all.lines().collect();
        let mut job = start(&folder, &[]);
        // More than what waits in pipes and buffers, so that a good deal has been read.
        let sent = 15_000 + 500 * round;
        for piece in lines[..sent].chunks(500) {
            job.feed((piece.join("\n") + "\n").as_bytes());
            pause(2);
        }
        job.kill().ends(None);

        let mut job = start(&folder, &["--json"]);
        job.feed((lines[sent..].join("\n") + "\n").as_bytes());
        let ended = job.close_input().exits(0);
        let summary = json(&ended.out);
        let [events, new] =
            ["events", "events_this_run"].map(|name| summary[name].as_u64().unwrap() as usize);
        assert_eq!(new, lines.len() - sent);
        // A prefix of what the killed process was sent, and all that the next was sent.
        let kept = events - new;
        assert!(kept > 0 && kept <= sent, "round {round}: {kept} of {sent}");
        let counted = lines[..kept].iter().chain(&lines[sent..]).copied();
        assert_eq!(table(&folder), expected(counted), "round {round}: {kept} of {sent}");
        assert!(ended.err.contains("did not end well"), "{}", ended.err);
    }
}

#[test]
fn a_stop_takes_a_last_checkpoint_and_a_wait_costs_nothing() {
    let (folder, all) = payments(1000);
    let mut job = start(&folder, &[]);
    job.feed(all.as_bytes());
    let all_are_there = expected(all.lines());
    let is_there = (0..2000).any(|_| {
        pause(10);
        table(&folder) == all_are_there
    });
    assert!(is_there);
    drop(job.terminate().exits(0));

    // Half a line waits, and the process sleeps meanwhile.
    let mut job = start(&folder, &["--checkpoint-interval", "10s"]);
    job.feed(&all.as_bytes()[..20]);
    job.says(WARNING);
    pause(300);
    let before = job.ticks();
    pause(1000);
    assert!(job.ticks() - before <= 2, "{} of 100 ticks", job.ticks() - before);
    let ended = job.terminate().exits(0);
    assert!(!ended.err.contains("did not end well"), "{}", ended.err);
    assert_eq!(table(&folder), all_are_there);
}
