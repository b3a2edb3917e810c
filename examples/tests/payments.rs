//! The payments job as its users meet it: real processes, real signals, real files.

mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use process::{Folder, json};
use serde_json::Value;

const EVENTS: &str = "5000";

/// A folder with an input of `events` payments, three bad lines among them.
fn folder_with(events: &str) -> Folder {
    let folder = Folder::of("payments");
    let args = ["--accounts", "300", "--bad-lines", "3", "--duplicates-per-mille", "20"];
    let args = [&["generate", "--output", "in.jsonl", "--events", events], &args[..]].concat();
    folder.job(&args).exits(0);
    folder
}

/// What the balances must be, by an independent way: all amounts as decimals, all ids in a set.
fn expected(folder: &Folder) -> BTreeMap<String, (i64, i64)> {
    let mut seen = BTreeSet::new();
    let mut balances = BTreeMap::<String, (i64, i64)>::new();
    let input = fs::read(folder.path("in.jsonl")).unwrap();
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(payment) = serde_json::from_slice::<Value>(line) else { continue };
        let cents = payment["amount"].as_f64().unwrap_or(0.001) * 100.0;
        let is_good = (cents - cents.round()).abs() < 1e-6 && cents < 1e10;
        if is_good && seen.insert(payment["event_id"].to_string()) {
            let sign = if payment["type"] == "withdraw" { -1 } else { 1 };
            let account = payment["account_id"].as_str().unwrap().to_string();
            let (sum, payments) = balances.entry(account).or_default();
            *sum += sign * cents.round() as i64;
            *payments += 1;
        }
    }
    balances
}

/// What the table shows.
fn table(folder: &Folder, file: &str) -> BTreeMap<String, (i64, i64)> {
    let database = rusqlite::Connection::open(folder.path(file)).unwrap();
    let select = "SELECT account_id, balance_cents, payments FROM balances";
    let mut select = database.prepare(select).unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_run_ends_with_exact_balances_and_a_summary() {
    let folder = folder_with(EVENTS);
    let summary = json(&folder.job(&["run", "--input", "in.jsonl", "--json"]).exits(0).out);
    let rows = table(&folder, "payments.sqlite");
    assert_eq!(rows, expected(&folder));
    assert_eq!(summary["finished"], true);
    assert_eq!(summary["job"], "payments");
    assert_eq!([&summary["events"], &summary["events_this_run"]], [5000, 5000]);
    assert_eq!([&summary["dead_letters"], &summary["skipped"]], [3, 0]);
    assert_eq!(summary["accounts"], rows.len());
    let payments: i64 = rows.values().map(|(_, payments)| payments).sum();
    assert_eq!(summary["duplicates"], 5000 - payments);
    assert!(summary["duplicates"].as_u64() > Some(50), "{summary}");
    assert_eq!(summary["resumed_from"], Value::Null);
    assert!(summary["checkpoints"].as_u64() >= Some(1));
    for name in [
        "seconds",
        "events_per_second",
        "sync_ms_median",
        "sync_ms_max",
        "first_event_ms",
        "loading_ms",
    ] {
        assert!(summary[name].is_number(), "{name}: {summary}");
    }
}

#[test]
fn a_finished_job_has_nothing_to_do_until_it_begins_anew() {
    let folder = folder_with(EVENTS);
    let run = ["run", "--input", "in.jsonl"];
    folder.job(&run).exits(0);
    let again = folder.job(&run).exits(0);
    assert!(again.err.contains("nothing to do: the job finished at checkpoint"), "{}", again.err);
    let restart = folder.job(&[&run[..], &["--reset", "--json"]].concat()).exits(0);
    assert_eq!(json(&restart.out)["events_this_run"], 5000);
    assert_eq!(table(&folder, "payments.sqlite"), expected(&folder));
}

#[test]
fn without_deduplication_the_balances_are_wrong() {
    let folder = folder_with(EVENTS);
    folder.job(&["run", "--input", "in.jsonl", "--naive"]).exits(0);
    let rows = table(&folder, "payments-naive.sqlite");
    assert_ne!(rows, expected(&folder));
    assert_eq!(rows.values().map(|(_, payments)| payments).sum::<i64>(), 5000);
}

#[test]
fn bad_input_and_wrong_settings_have_exit_codes_of_their_own() {
    let folder = folder_with(EVENTS);
    let run = ["run", "--input", "in.jsonl"];
    let with = |more: &[&str]| folder.job(&[&run[..], more].concat());
    let failed = with(&["--bad-input", "fail"]).exits(4);
    assert!(failed.err.contains("in.jsonl"), "{}", failed.err);
    with(&["--checkpoint-interval", "soon"]).exits(2);
    with(&["--parallelism", "1000"]).exits(2);
    with(&["--sink", "postgres:x"]).exits(2);
    let skipped = with(&["--bad-input", "skip", "--reset", "--json"]).exits(0);
    assert_eq!(json(&skipped.out)["skipped"], 3);
}

#[test]
fn an_interrupted_job_goes_on_where_it_stopped() {
    let folder = folder_with("400000");
    let run = ["run", "--input", "in.jsonl", "--json", "--parallelism", "1"];
    let args = [&run[..], &["--checkpoint-interval", "1ms"]].concat();
    let child = folder.start(&args);
    // The claim, and what it was before it got its name: the third belongs to a checkpoint, and by then
    // the job listens.
    folder.wait_for_entries(".steadfast/payments/log/000000000000", 3);
    let stopped = child.interrupt().exits(0);
    assert!(stopped.err.contains("taking a last checkpoint"), "{}", stopped.err);
    let first = json(&stopped.out);
    assert_eq!(first["finished"], false);
    let second = json(&folder.job(&run).exits(0).out);
    assert_eq!(second["finished"], true);
    assert!(second["resumed_from"].is_number());
    assert_eq!(second["events"], 400_000);
    let events = |summary: &Value| summary["events_this_run"].as_u64().unwrap();
    assert_eq!(events(&first) + events(&second), 400_000);
    assert_eq!(table(&folder, "payments.sqlite"), expected(&folder));
}

#[test]
fn checkpoints_can_be_listed_shown_verified_and_deleted() {
    let folder = folder_with(EVENTS);
    folder.job(&["run", "--input", "in.jsonl"]).exits(0);
    let list = json(&folder.job(&["checkpoints", "list", "--json"]).exits(0).out);
    let id = list[0]["checkpoint"].to_string();
    assert_eq!(list[0]["trigger"], "end_of_input");
    assert!(list[0]["bytes"].as_u64() > Some(0));
    let show = folder.job(&["checkpoints", "show", &id, "--json"]).exits(0);
    assert_eq!(json(&show.out)["counters"]["payments"]["records"], 5000);
    let show = folder.job(&["checkpoints", "show", &id]).exits(0);
    assert!(show.out.contains("deduplicate/seen"), "{}", show.out);
    folder.job(&["checkpoints", "show", "99"]).exits(2);
    folder.job(&["checkpoints", "verify"]).exits(0);
    folder.job(&["checkpoints", "delete", &id]).exits(2);

    let data = folder.path(".steadfast/payments/data");
    let file = fs::read_dir(data.join("000000000000")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let damaged = folder.job(&["checkpoints", "verify", "--json"]).exits(5);
    assert_eq!(json(&damaged.out)[0]["intact"], false);
    folder.job(&["checkpoints", "verify", &id]).exits(5);
    folder.job(&["run", "--input", "in.jsonl"]).exits(5);

    folder.job(&["checkpoints", "delete", &id]).exits(0);
    let list = folder.job(&["checkpoints", "list", "--json"]).exits(0);
    assert_eq!(json(&list.out), Value::Array(Vec::new()));
    assert_eq!(fs::read_dir(folder.path(".steadfast/payments/data")).unwrap().count(), 0);
}

#[test]
fn the_plan_is_drawn_without_running_anything() {
    let folder = Folder::of("payments");
    let graph = folder.job(&["graph", "--format", "mermaid"]).exits(0);
    let golden = "flowchart LR
  n0[\"payments<br/><i>source</i>\"]
  n1[\"dead-letters<br/><i>dead letters</i>\"]
  n2[\"deduplicate<br/><i>dedup</i>\"]
  n3[\"accounts<br/><i>fold</i>\"]
  n4[\"rows<br/><i>try_map</i>\"]
  n5[\"balances<br/><i>sink</i>\"]
  n0 --> n1
  n0 -- by key --> n2
  n2 -- by key --> n3
  n3 --> n4
  n4 --> n5
";
    assert_eq!(graph.out, golden);
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 0);
}

const RUN: [&str; 5] = ["run", "--input", "in.jsonl", "--parallelism", "1"];

/// A folder in which a run never comes to the end of its first checkpoint, as where a file system behind a
/// network hangs, until the files that hold it are removed.
fn folder_that_holds() -> (Folder, Vec<PathBuf>) {
    let folder = folder_with(EVENTS);
    // The objects of the first checkpoint are there before they are written: each is read, to see whether
    // it is the same, and a pipe into which nobody writes has no end.
    let before = folder_with(EVENTS);
    before.job(&RUN).exits(0);
    let data = ".steadfast/payments/data/000000000000";
    let pipes = fs::read_dir(before.path(data)).unwrap().map(|entry| entry.unwrap().file_name());
    let pipes: Vec<_> = pipes.map(|name| folder.path(data).join(name)).collect();
    fs::create_dir_all(folder.path(data)).unwrap();
    assert!(std::process::Command::new("mkfifo").args(&pipes).status().unwrap().success());
    (folder, pipes)
}

#[test]
fn a_call_that_does_not_return_is_told_and_keeps_nobody_from_stopping() {
    let (folder, pipes) = folder_that_holds();
    let patience = ["--late-after", "100ms", "--stop-within", "300ms", "--json"];
    let mut running = folder.start(&[&RUN[..], &patience].concat());
    running.says("has not answered a call yet");
    let stopped = running.interrupt().exits(1);
    for words in ["nothing is lost", "the time to stop is over, and it cannot stop", "[SF0404]"] {
        assert!(stopped.err.contains(words), "{words}: {}", stopped.err);
    }
    assert_eq!(json(&stopped.out)["error"]["code"], "SF0404");
    pipes.into_iter().try_for_each(fs::remove_file).unwrap();
    folder.job(&RUN).exits(0);
    assert_eq!(table(&folder, "payments.sqlite"), expected(&folder));
}

#[test]
fn who_presses_twice_does_not_wait_for_a_job_that_hangs() {
    let (folder, pipes) = folder_that_holds();
    let patience = ["--late-after", "100ms", "--stop-within", "20s", "--json"];
    let mut running = folder.start(&[&RUN[..], &patience].concat());
    running.says("has not answered a call yet");
    running.press();
    running.says("press again to leave at once, without it");
    // What comes within half a second belongs to the first.
    let (_never, pause) = std::sync::mpsc::channel::<()>();
    let _ = pause.recv_timeout(Duration::from_millis(600));
    let left = running.interrupt().exits(130);
    assert!(left.err.contains("left at once, without a last checkpoint"), "{}", left.err);
    let told = json(&left.out);
    assert_eq!((&told["finished"], &told["error"]["kind"]), (&false.into(), &"interrupted".into()));
    pipes.into_iter().try_for_each(fs::remove_file).unwrap();
    folder.job(&RUN).exits(0);
    assert_eq!(table(&folder, "payments.sqlite"), expected(&folder));
}
