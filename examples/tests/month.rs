//! Thirty days of payments, some of which come twice: exactly those are dropped, however the month is
//! divided into files, in whatever order files and lines come, with any number of tasks, and also where the
//! job is stopped and started again between files. One payment says that it is from the far future.

mod process;

use std::fs;

use process::{Folder, json};

const DAY: i64 = 24 * 60 * 60 * 1000;
const DAYS: i64 = 30;
const EACH: i64 = 200;

/// A payment with its time.
#[derive(Clone)]
struct Line {
    at: i64,
    text: String,
}

fn line(id: &str, at: i64) -> Line {
    let text = format!(
        r#"{{"event_id":"{id}","account_id":"a{}","amount":1.00,"type":"deposit","timestamp":{at}}}"#,
        at.rem_euclid(7)
    );
    Line { at, text }
}

/// The payments of each day, in the order of time, and how many of them are copies: of every tenth payment
/// there is one, at once, some hours or almost a day later.
fn month() -> (Vec<Line>, u64) {
    let begin = 1_750_000_000_000;
    let mut lines = vec![line("from the far future", 95_000_000_000_000)];
    let mut copies = 0;
    for number in 0..DAYS * EACH {
        let at = begin + number * DAY / EACH;
        lines.push(line(&format!("p{number}"), at));
        if number % 10 == 3 {
            let later = [1, 7 * 60 * 60 * 1000, DAY - 1][(number / 10 % 3) as usize];
            lines.push(line(&format!("p{number}"), at + later));
            copies += 1;
        }
    }
    (lines, copies)
}

/// The far future stays where it is: at the beginning.
fn sorted(lines: &[Line]) -> Vec<Line> {
    let mut sorted = lines.to_vec();
    sorted[1..].sort_by_key(|line| line.at);
    sorted
}

/// No line is behind an earlier one by more than `disorder`.
fn shuffled(lines: &[Line], disorder: i64) -> Vec<Line> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut keyed: Vec<(i64, Line)> =
        sorted(lines).into_iter().map(|line| (line.at + random.i64(0..=disorder), line)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, line)| line).collect()
}

fn write(folder: &Folder, name: &str, lines: &[Line]) -> String {
    let text: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
    fs::write(folder.path(name), text).unwrap();
    name.to_string()
}

/// A file for each day, in the order of time.
fn days(folder: &Folder, lines: &[Line]) -> Vec<String> {
    let each = lines.len().div_ceil(DAYS as usize);
    lines
        .chunks(each)
        .zip(0..)
        .map(|(day, n)| write(folder, &format!("day-{n}.jsonl"), day))
        .collect()
}

/// Runs the job over more and more of the files, and says how many copies were dropped.
fn duplicates(folder: &Folder, name: &str, tasks: &str, runs: &[&[String]]) -> u64 {
    let (sink, checkpoints) = (format!("sqlite:{name}.sqlite"), format!("checkpoints-{name}"));
    let mut dropped = 0;
    for input in runs {
        let input = input.iter().map(String::as_str);
        let how =
            ["--sink", &sink, "--checkpoints", &checkpoints, "--parallelism", tasks, "--json"];
        let args: Vec<&str> = ["run", "--input"].into_iter().chain(input).chain(how).collect();
        let summary = json(&folder.job(&args).exits(0).out);
        dropped = summary["duplicates"].as_u64().unwrap();
    }
    dropped
}

#[test]
fn a_month_has_exactly_its_duplicates() {
    let folder = Folder::of("payments");
    let (lines, copies) = month();
    let one = [write(&folder, "month.jsonl", &sorted(&lines))];
    let mixed = [write(&folder, "mixed.jsonl", &shuffled(&lines, DAY / 2))];
    let days = days(&folder, &sorted(&lines));
    let newest_first: Vec<String> = days.iter().rev().cloned().collect();
    for tasks in ["1", "2", "4", "8"] {
        let drop = |name: &str, runs: &[&[String]]| {
            duplicates(&folder, &format!("{name}-{tasks}"), tasks, runs)
        };
        assert_eq!(drop("one", &[&one]), copies, "{tasks} tasks");
        assert_eq!(drop("mixed", &[&mixed]), copies, "{tasks} tasks");
        assert_eq!(drop("days", &[&days]), copies, "{tasks} tasks");
        assert_eq!(drop("newest-first", &[&newest_first]), copies, "{tasks} tasks");
        // Stopped after ten days and after twenty.
        let stopped: [&[String]; 3] = [&days[..10], &days[..20], &days];
        assert_eq!(drop("stopped", &stopped), copies, "{tasks} tasks");
    }
}
