//! When a window is shown, when again, and what becomes of records that come too late for theirs.

use steadfast_core::key_of::Borrowed;

use super::super::driven::Driven;
use super::*;
use crate::operators::Count;

/// A key, and a number that nobody looks at.
type Record = (u32, u32);
type Counted = Windowed<Record, Count, Borrowed<u32, fn(&Record) -> &u32>>;

/// Windows of ten milliseconds.
fn windowed(emit: Emit, allowed_lateness: u64) -> Driven<Record, Counted> {
    let make = move || {
        let space = KeySpace { groups: 8, tasks: 1 };
        let key = Arc::new(Borrowed::new((|record| &record.0) as fn(&Record) -> &u32));
        let windows = Windows::tumbling(Duration::from_millis(10));
        let allowed_lateness = Duration::from_millis(allowed_lateness);
        let emitting = Emitting { emit, allowed_lateness };
        Windowed::new("w", (space, 0), key, Arc::new(Count), windows, emitting)
    };
    Driven::new(make, |record| KeyHash::of(&record.0))
}

type Emitted = (Sided<WindowResult<u32, u64>, Record>, i64);

/// The count of key 1 in the window that begins with `start`. Its time is the last of the window.
fn counted(start: i64, count: u64) -> Emitted {
    let window = Window { start: Timestamp(start), end: Timestamp(start + 10) };
    (Sided::Main(WindowResult { key: 1, window, value: count }), start + 9)
}

fn late(at: i64) -> Emitted {
    (Sided::Side((1, 0)), at)
}

const ONE: Record = (1, 0);

#[test]
fn a_window_is_shown_when_the_watermark_has_reached_its_end_and_not_before() {
    let mut windowed = windowed(Emit::Final, 0);
    assert_eq!(windowed.batch([(ONE, 0), (ONE, 9), (ONE, 10)]), []);
    assert_eq!(windowed.watermark(9), []);
    // At the watermark is in time.
    assert_eq!(windowed.batch([(ONE, 9)]), []);
    assert_eq!(windowed.watermark(10), [counted(0, 3)]);
    assert_eq!(windowed.watermark(20), [counted(10, 1)]);
    assert_eq!(windowed.end(), []);
}

#[test]
fn what_comes_after_its_window_leaves_through_the_side_with_its_time() {
    let mut windowed = windowed(Emit::Final, 0);
    assert_eq!(windowed.watermark(10), []);
    assert_eq!(windowed.batch([(ONE, 9), (ONE, 10), (ONE, 3)]), [late(9), late(3)]);
    assert_eq!(windowed.watermark(20), [counted(10, 1)]);
    let mut counters = Vec::new();
    windowed.operator().counters(&mut |_, name, count| counters.push((name, count)));
    assert_eq!(counters, [("late", 2), ("partly_late", 0)]);
}

#[test]
fn a_window_that_takes_late_records_is_shown_again_with_them_at_the_barrier() {
    let mut windowed = windowed(Emit::Final, 5);
    windowed.batch([(ONE, 0)]);
    assert_eq!(windowed.watermark(14), [counted(0, 1)]);
    assert_eq!(windowed.batch([(ONE, 9)]), []);
    assert_eq!(windowed.barrier(), [counted(0, 2)]);
    assert_eq!(windowed.barrier(), []);
    assert_eq!(windowed.batch([(ONE, 8)]), []);
    windowed.restart();
    assert_eq!(windowed.batch([(ONE, 7)]), []);
    assert_eq!(windowed.watermark(15), [counted(0, 3)], "what was not shown before it is dropped");
    assert_eq!(windowed.batch([(ONE, 9)]), [late(9)]);
}

/// The input may grow: what was shown at its end is not complete.
#[test]
fn what_was_shown_at_an_end_is_shown_again_only_if_more_has_come() {
    for restarts in [false, true] {
        let mut windowed = windowed(Emit::Final, 0);
        windowed.batch([(ONE, 0), (ONE, 10)]);
        assert_eq!(windowed.end().len(), 2);
        assert_eq!(windowed.barrier(), []);
        if restarts {
            windowed.restart();
        }
        assert_eq!(windowed.end(), []);
        windowed.batch([(ONE, 11)]);
        assert_eq!(windowed.watermark(10), [], "the first has not changed");
        assert_eq!(windowed.end(), [counted(10, 2)]);
        assert_eq!(windowed.watermark(20), [], "it has been shown as it is");
    }
}

#[test]
fn windows_that_were_open_at_a_restart_are_shown_when_they_are_complete() {
    let mut windowed = windowed(Emit::Final, 0);
    windowed.batch([(ONE, 0), (ONE, 10)]);
    windowed.watermark(5);
    assert_eq!(windowed.barrier(), []);
    windowed.restart();
    assert_eq!(windowed.watermark(10), [counted(0, 1)]);
    assert_eq!(windowed.watermark(20), [counted(10, 1)]);
}

/// It used to wait for as long as late records are allowed.
#[test]
fn a_window_that_another_task_had_completed_is_shown_when_time_goes_on() {
    for lateness in [0, 1000] {
        let mut windowed = windowed(Emit::Final, lateness);
        windowed.batch([(ONE, 0)]);
        windowed.watermark(5);
        windowed.barrier();
        windowed.restart_at(50);
        assert_eq!(windowed.watermark(60), [counted(0, 1)], "lateness {lateness}");
    }
}

/// All of them are due at one time, and come in several steps.
#[test]
fn of_many_keys_of_one_window_each_is_shown() {
    let many = 2 * super::super::AT_ONCE as u32 + 1;
    let mut windowed = windowed(Emit::Final, 0);
    windowed.batch((0..many).map(|key| ((key, 0), 0)));
    assert_eq!(windowed.watermark(10).len(), many as usize);
    assert_eq!(windowed.operator().table.len(), 0);
}

#[test]
fn a_window_that_takes_no_late_records_any_more_is_kept_no_longer() {
    let mut windowed = windowed(Emit::Final, 5);
    windowed.batch([(ONE, 0)]);
    assert_eq!(windowed.watermark(14), [counted(0, 1)]);
    assert_eq!(windowed.operator().table.len(), 1);
    assert_eq!(windowed.watermark(15), []);
    assert_eq!(windowed.operator().table.len(), 0);
}
