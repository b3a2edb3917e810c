//! Records that come when their window is gone: from input that has grown since the last run.

use std::time::Duration;

use steadfast::Report;
use steadfast::memory::Collected;
use steadfast::prelude::*;
use steadfast::time::Timestamp;

/// The fourth is of a window that was complete when the first three had been read.
const TIMES: [i64; 5] = [5, 15, 100, 7, 120];

/// Counts the first so many of them in windows.
fn run(
    options: &RunOptions,
    count: u64,
    rows: &Collected<(i64, u64)>,
    late: &Collected<i64>,
) -> Report {
    let job = Job::new("grows");
    let late = Collect::into_collected(late);
    job.source("times", Generator::new(|number| TIMES[number as usize]).count(count))
        .event_time(Duration::ZERO, |at| Timestamp(*at))
        .key_by(|_| 0_u32)
        .named("windows")
        .window(Windows::tumbling(Duration::from_millis(10)))
        .late(|records| records.sink("late", late))
        .count()
        .map(|row| (row.window.start.0, row.value))
        .sink("rows", Collect::into_collected(rows));
    job.run(options).unwrap()
}

/// What was late before a restart is late after it: its window has been shown, and would be again.
#[test]
fn what_comes_after_a_restart_for_a_window_that_was_complete_before_it_leaves_through_the_side() {
    let (rows, late) = (Collect::new().collected(), Collect::new().collected());
    let options = RunOptions::in_memory();
    run(&options, 3, &rows, &late);
    assert_eq!(rows.items(), [(0, 1), (10, 1), (100, 1)]);
    assert!(late.items().is_empty());
    let report = run(&options, 5, &rows, &late);
    assert_eq!(rows.items(), [(0, 1), (10, 1), (100, 1), (120, 1)]);
    assert_eq!(late.items(), [7]);
    assert_eq!(report.counter("windows", "late"), 1);
}
