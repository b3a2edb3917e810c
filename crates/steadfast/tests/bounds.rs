//! What gathers while a target or a store is away is bounded, and then holds the source; and goes on.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use steadfast::prelude::*;
use steadfast::{CheckpointStore, Limits, Report, Running};

use support::Watched;

mod support;

/// Far more than can be on its way between two tasks.
const ALL: u64 = 3_000_000;

/// Runs a job to its end; says how many records had been read when it stood still, after `hold` and before
/// `go_on`.
fn held_at(running: Running, hold: impl FnOnce(), go_on: impl FnOnce()) -> (Report, u64) {
    let (status, (ended, end)) = (running.status(), mpsc::channel());
    std::thread::scope(|scope| {
        let run = scope.spawn(move || {
            let report = running.join();
            let _ = ended.send(());
            report
        });
        hold();
        let read = loop {
            let before = status.metrics.records.read();
            let has_ended = end.recv_timeout(Duration::from_millis(500)).is_ok();
            let read = status.metrics.records.read();
            if has_ended || read == before {
                break read;
            }
        };
        go_on();
        (run.join().unwrap().unwrap(), read)
    })
}

#[test]
fn a_target_that_is_away_holds_the_source_once_enough_output_waits() {
    let (collected, (answer, answers)) = (Collect::new().collected(), mpsc::channel::<()>());
    let answers = Mutex::new(answers);
    let sink = Watched::into_collected(&collected, move |apply| {
        // Until nobody can hold it any more.
        let _ = answers.lock().unwrap().recv();
        apply()
    });
    let job = Job::new("away");
    job.source("numbers", Generator::new(|number| number).count(ALL)).sink("out", sink);
    let limits = Limits { early_output_bytes: 1000, unapplied_bytes: 100_000, ..Limits::default() };
    let options = RunOptions::in_memory().checkpoint_records(1000).limits(limits);
    let running = job.start(&options).unwrap();
    let (report, read) = held_at(running, || {}, || drop(answer));
    assert!(read < ALL / 2, "{read} records were read beside a target that is away");
    assert!(report.is_finished());
    assert_eq!(collected.items().len() as u64, ALL);
    assert_eq!(report.missed_wakeups, 0);
}

#[test]
fn a_store_that_is_away_holds_the_source_once_enough_state_was_copied() {
    let folder = tempfile::tempdir().unwrap();
    let (store, elsewhere) = (folder.path().join("store"), folder.path().join("elsewhere"));
    let mut limits = Limits { copied_bytes: 10_000, ..Limits::default() };
    // Each key group is a file: what comes after the first waits for the store.
    limits.state.file_bytes = 1;
    let options = RunOptions::new(CheckpointStore::Folder(store.clone()))
        .parallelism(1)
        .checkpoint_interval(None)
        .limits(limits);
    let job = Job::new("away");
    let counts = Collect::new();
    let counted = counts.collected();
    // Slow enough that the checkpoint is asked for long before the end.
    let numbers = Generator::new(|number| number % 1000).count(ALL).rate(1_000_000);
    job.source("numbers", numbers)
        .key_by_ref(|number| number)
        .named("count")
        .fold(Emit::Final, || 0_u64, |count, _| *count += 1)
        .sink("counts", counts);
    let running = job.start(&options).unwrap();
    let (handle, status) = (running.handle(), running.status());
    let hold = || {
        while status.metrics.records.read() < 10_000 {
            std::thread::yield_now();
        }
        std::fs::rename(&store, &elsewhere).unwrap();
        handle.checkpoint();
    };
    let go_on = || std::fs::rename(&elsewhere, &store).unwrap();
    let (report, read) = held_at(running, hold, go_on);
    assert!(read < ALL / 2, "{read} records were read beside a store that is away");
    assert!(report.is_finished());
    assert_eq!(counted.items().iter().map(|(_, count)| count).sum::<u64>(), ALL);
    assert_eq!(report.missed_wakeups, 0);
}

/// Each poll fills the budget: what it has reserved must be given back with the records.
#[test]
fn records_as_large_as_the_budget_go_through_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.jsonl");
    let lines: String = (0..200).map(|n| format!("{n}\n")).collect();
    std::fs::write(&input, lines).unwrap();
    let job = Job::new("large");
    let sink = Collect::new();
    let collected = sink.collected();
    job.source("lines", JsonLines::<u64>::new([&input])).rebalance().sink("out", sink);
    let limits =
        Limits { poll_bytes: 1, heavy_poll_bytes: 1, in_flight_bytes: 0, ..Limits::default() };
    let options = RunOptions::in_memory().parallelism(2).limits(limits);
    let running = job.start(&options).unwrap();
    let handle = running.handle();
    let (ended, end) = mpsc::channel();
    std::thread::scope(|scope| {
        let run = scope.spawn(move || {
            let report = running.join();
            let _ = ended.send(());
            report
        });
        if end.recv_timeout(Duration::from_secs(60)).is_err() {
            handle.stop(None);
        }
        assert!(run.join().unwrap().unwrap().is_finished(), "it stood still");
    });
    assert_eq!(collected.items().len(), 200);
}
