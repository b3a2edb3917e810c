//! The log of a real job, as whoever collects logs gets it.

mod process;

use process::{Ended, Folder, json};
use serde_json::Value;

fn folder(events: &str) -> Folder {
    let folder = Folder::of("payments");
    folder.job(&["generate", "--output", "in.jsonl", "--events", events]).exits(0);
    folder
}

/// What a process has told: nothing on standard error is anything but an object on a line of its own.
#[track_caller]
fn told(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.out, "", "standard output is for results");
    ended.err.lines().map(json).collect()
}

/// The lines that tell of this event.
fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

fn numbers(lines: &[&Value], field: &str) -> Vec<u64> {
    lines.iter().map(|line| line[field].as_u64().unwrap_or_else(|| panic!("{line}"))).collect()
}

#[test]
fn a_job_that_is_killed_and_goes_on_tells_so_in_lines_for_programs() {
    let folder = folder("400000");
    let run = ["run", "--input", "in.jsonl", "--parallelism", "2", "--checkpoint-records", "4000"];
    let run = [&run[..], &["--log", "info", "--log-format", "json"]].concat();
    let mut started = folder.start(&run);
    started.says("checkpoint_committed");
    let killed = started.kill().ends(None);
    let first = told(&killed);
    let second = told(&folder.job(&run).exits(0));

    let generation = |lines: &[Value]| numbers(&of(lines, "claim_taken"), "generation")[0];
    assert!(generation(&first) < generation(&second));
    for lines in [&first, &second] {
        for line in lines {
            assert_eq!(line["job"], "payments", "{line}");
            assert_eq!(line["generation"], generation(lines), "{line}");
            assert!(line["timestamp"].is_string() && line["message"].is_string(), "{line}");
            assert!(["INFO", "WARN"].contains(&line["level"].as_str().unwrap()), "{line}");
        }
    }

    let committed = numbers(&of(&first, "checkpoint_committed"), "checkpoint");
    assert!(!committed.is_empty(), "{}", killed.err);
    let from = numbers(&of(&second, "recovery_decided"), "checkpoint")[0];
    // What was committed last may not have been told.
    let last = *committed.last().unwrap();
    assert!((last..=last + 1).contains(&from), "{from} after {last}");
    assert_eq!(of(&first, "recovery_decided")[0]["checkpoint"], Value::Null);

    let commits = of(&second, "checkpoint_committed");
    assert!(numbers(&commits, "checkpoint").iter().all(|checkpoint| *checkpoint > from));
    assert_eq!(commits.last().unwrap()["trigger"], "end_of_input");
    for field in ["bytes", "align_us", "sync_us", "write_us", "commit_us"] {
        assert_eq!(numbers(&commits, field).len(), commits.len());
    }
    assert!(numbers(&commits, "bytes").iter().all(|bytes| *bytes > 0));
    let loaded = of(&second, "state_loaded");
    let task = |stage: &str| loaded.iter().any(|line| line["task"] == format!("{stage}[1]"));
    assert!(task("deduplicate") && task("balances"), "{loaded:?}");
    assert!(numbers(&loaded, "bytes").iter().all(|bytes| *bytes > 0));
    assert_eq!(of(&second, "splits_planned")[0]["source"], "payments");
    assert_eq!(of(&second, "source_ended").len(), 2);
    assert_eq!(of(&second, "job_ended")[0]["finished"], true);
    // What people would read comes as lines, too.
    assert!(of(&second, "note")[0]["message"].as_str().unwrap().contains("going on from"));
    assert_eq!(of(&second, "summary")[0]["summary"]["events"], 400_000);
}

#[test]
fn a_hundred_thousand_records_make_a_few_lines_however_much_is_told() {
    let folder = folder("100000");
    let run = ["run", "--input", "in.jsonl", "--checkpoint-interval", "none", "--parallelism", "1"];
    let log = ["--log", "trace", "--log-format", "json"];
    let lines = told(&folder.job(&[&run[..], &log].concat()).exits(0));
    // There are a hundred batches.
    assert!((10..60).contains(&lines.len()), "{} lines", lines.len());
    let begun = of(&lines, "split_begun");
    assert_eq!(begun.len(), of(&lines, "split_finished").len());
    assert_eq!(begun.len(), numbers(&of(&lines, "splits_planned"), "open")[0] as usize);
    assert_eq!(begun[0]["task"], "payments[0]");
    assert_eq!(of(&lines, "checkpoint_triggered")[0]["trigger"], "end_of_input");
    assert_eq!(of(&lines, "checkpoint_applied").len(), 1);
}

/// What a run that goes well has said before there was a log.
#[test]
fn people_see_the_log_if_they_ask_for_it_and_what_they_saw_before() {
    let folder = folder("5000");
    let run = ["run", "--input", "in.jsonl", "--reset"];
    let is_told = |line: &&str| line.starts_with("20") && line.contains("job=payments generation=");
    let count = |ended: &Ended| ended.err.lines().filter(is_told).count();
    for (level, is_logged) in [("off", false), ("warn", false), ("info", true)] {
        let ended = folder.start_with(&run, &[("STEADFAST_LOG", level)]).wait().exits(0);
        assert_eq!(count(&ended) > 0, is_logged, "{level}: {}", ended.err);
        assert!(ended.err.contains("payments: beginning at the start"), "{}", ended.err);
        assert!(ended.err.contains("payments: finished\n  events"), "{}", ended.err);
        assert_eq!(ended.out, "");
    }
    assert_eq!(count(&folder.job(&run).exits(0)), 0, "the default is to warn");
    let quiet = folder.job(&[&run[..], &["--quiet", "--log", "info"]].concat()).exits(0);
    assert_eq!(count(&quiet), quiet.err.lines().count(), "{}", quiet.err);
}

#[test]
fn a_failure_is_a_line_for_programs_too() {
    let folder = folder("5000");
    std::fs::write(folder.path("bad.jsonl"), "no payment\n").unwrap();
    let run = ["run", "--input", "bad.jsonl", "--bad-input", "fail", "--log-format", "json"];
    let lines = told(&folder.job(&run).exits(4));
    let last = lines.last().unwrap();
    assert_eq!([&last["level"], &last["event"]], ["ERROR", "note"], "{last}");
    assert!(last["message"].as_str().unwrap().contains("bad.jsonl"), "{last}");
    assert_eq!(last["generation"], 1);
}
