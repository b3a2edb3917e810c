//! A store or target that does not answer costs nothing but time: the result is exact, what was late is told, and
//! whoever waits is called back when the job is to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use steadfast::memory::Collected;
use steadfast::prelude::*;
use steadfast::{CheckpointStore, ErrorKind};

use support::Watched;

mod support;

/// A sink into memory whose target is away for so many calls: they take effect, only the answers are lost.
fn away(into: &Collected<u64>, calls: &Arc<AtomicI64>) -> Watched {
    let calls = Arc::clone(calls);
    Watched::into_collected(into, move |apply| {
        let answer = apply();
        match calls.fetch_sub(1, Ordering::Relaxed) {
            left if left > 0 => Err(Error::unavailable("it is away")),
            _ => answer,
        }
    })
}

/// The numbers below a thousand, into a target that is away for so many calls.
fn job(collected: &Collected<u64>, calls: i64) -> Job {
    let job = Job::new("late");
    let calls = Arc::new(AtomicI64::new(calls));
    let sink = away(collected, &calls);
    job.source("numbers", Values::new((0..1000_u64).collect::<Vec<_>>())).sink("out", sink);
    job
}

#[test]
fn a_target_that_is_away_costs_nothing_but_time() {
    let collected = Collect::new().collected();
    let options = RunOptions::in_memory().checkpoint_records(100);
    let report = job(&collected, 5).run(&options).unwrap();
    assert_eq!(collected.items(), (0..1000).collect::<Vec<_>>());
    assert!(report.is_finished());
    assert_eq!(report.lateness.retries, 5);
    assert!(report.lateness.now.is_none() && !report.lateness.waited.is_zero());
    assert_eq!(report.missed_wakeups, 0);
}

#[test]
fn what_is_given_up_is_finished_by_the_next_run() {
    let collected = Collect::new().collected();
    let options = RunOptions::in_memory().give_up_after(Duration::from_millis(1));
    let error = job(&collected, i64::MAX).run(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("it is away"), "{error}");
    job(&collected, 0).run(&options).unwrap();
    assert_eq!(collected.items(), (0..1000).collect::<Vec<_>>());
}

/// Everything here would take an hour if nobody were called back.
#[test]
fn stopping_has_a_deadline_also_while_a_target_is_away() {
    let collected = Collect::new().collected();
    let options =
        RunOptions::in_memory().give_up_after(None).checkpoint_interval(Duration::from_millis(1));
    let running = job(&collected, i64::MAX).start(&options).unwrap();
    let (handle, lateness) = (running.handle(), running.lateness());
    std::thread::scope(|scope| {
        let run = scope.spawn(|| running.join());
        while lateness.report().now.is_none() {
            std::thread::yield_now();
        }
        handle.stop(Some(Duration::from_millis(50)));
        let error = run.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("the time to stop is over"), "{error}");
    });
    let options = options.give_up_after(Duration::from_secs(600));
    job(&collected, 0).run(&options).unwrap();
    assert_eq!(collected.items(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_failure_elsewhere_calls_back_whoever_waits() {
    let collected = Collect::new().collected();
    let options =
        RunOptions::in_memory().give_up_after(None).checkpoint_interval(Duration::from_millis(1));
    let job = Job::new("late");
    let calls = Arc::new(AtomicI64::new(i64::MAX));
    let sink = away(&collected, &calls);
    let numbers = Generator::new(|number| number).count(1_000_000).rate(10_000);
    // It fails as soon as the target has been asked.
    let checked = job.source("numbers", numbers).map(move |number: u64| {
        assert_eq!(calls.load(Ordering::Relaxed), i64::MAX, "no more numbers");
        number
    });
    checked.sink("out", sink);
    let error = job.run(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UserCode, "{error}");
}

/// A folder that is moved, or not mounted for a moment.
#[test]
fn a_store_that_is_away_costs_nothing_but_time_and_loses_no_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (store, elsewhere) = (folder.path().join("store"), folder.path().join("elsewhere"));
    let options = RunOptions::new(CheckpointStore::Folder(store.clone()))
        .parallelism(1)
        .checkpoint_interval(Duration::from_millis(2));
    let collected = Collect::new().collected();
    let job = || {
        let job = Job::new("late");
        let numbers = Generator::new(|number| number).count(3000).rate(3000);
        job.source("numbers", numbers).sink("out", Collect::into_collected(&collected));
        job
    };
    let running = job().start(&options).unwrap();
    let (status, lateness) = (running.status(), running.lateness());
    let report = std::thread::scope(|scope| {
        let run = scope.spawn(|| running.join());
        for _ in 0..3 {
            let before = status.checkpoints().committed;
            while status.checkpoints().committed < before + 3 {
                assert!(!run.is_finished(), "it ended too early");
                std::thread::yield_now();
            }
            std::fs::rename(&store, &elsewhere).unwrap();
            while lateness.report().now.is_none() {
                assert!(!store.exists(), "it was made again, and cannot come back");
                std::thread::yield_now();
            }
            std::fs::rename(&elsewhere, &store).unwrap();
        }
        run.join().unwrap().unwrap()
    });
    assert!(report.is_finished() && report.lateness.retries >= 3);
    assert_eq!(collected.items(), (0..3000).collect::<Vec<_>>());
    // What was said to be committed is what the next run begins at.
    let next = job().run(&options).unwrap();
    assert_eq!((next.resumed_from, next.had_work), (report.checkpoint(), false));
}

/// What the job was for is done, and the next start deletes what is left.
#[test]
fn what_cannot_be_deleted_at_the_end_is_told_and_fails_no_job() {
    let folder = tempfile::tempdir().unwrap();
    let options = RunOptions::new(CheckpointStore::Folder(folder.path().to_path_buf()))
        .parallelism(1)
        .checkpoint_interval(None)
        .retained_checkpoints(1);
    let collected = Collect::new().collected();
    let job = Job::new("late");
    let numbers = Generator::new(|number| number).count(2000).rate(2000);
    job.source("numbers", numbers).sink("out", Collect::into_collected(&collected));
    let running = job.start(&options).unwrap();
    let (handle, status) = (running.handle(), running.status());
    let report = std::thread::scope(|scope| {
        let run = scope.spawn(|| running.join());
        while status.metrics.records.read() < 100 {
            std::thread::yield_now();
        }
        handle.checkpoint();
        while status.checkpoints().committed == 0 {
            std::thread::yield_now();
        }
        // A folder in the place of a file is nothing that can be deleted.
        let data = folder.path().join("late/data/000000000000");
        let files = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
        for output in files.filter(|path| path.extension().is_some_and(|e| e == "output")) {
            std::fs::remove_file(&output).unwrap();
            std::fs::create_dir(output).unwrap();
        }
        run.join().unwrap().unwrap()
    });
    assert!(report.is_finished());
    let leftover = report.leftover.unwrap();
    assert!(leftover.contains("cannot delete"), "{leftover}");
    assert_eq!(collected.items(), (0..2000).collect::<Vec<_>>());
}
