//! Tasks that are apart in event time: where they go on after a restart, and what they say at the end.

mod pieces;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use pieces::InPieces;
use steadfast::prelude::*;
use steadfast::{
    Clock, Consistency, Emitter, KeyedContext, ProcessFunction, SplitState, UnkeyedContext,
    UnkeyedFunction,
};

/// Slow work, so that tasks come apart.
fn pause(millis: u64) {
    let (_nobody, says) = channel::<()>();
    let _ = says.recv_timeout(Duration::from_millis(millis));
}

/// A process without keys has a watermark of its own in each task: after a restart all of them used to have the
/// greatest.
#[test]
fn nothing_is_late_after_a_restart_behind_a_process_without_keys() {
    let options =
        RunOptions::in_memory().parallelism(2).checkpoint_interval(None).checkpoint_records(1);
    let seen = Collect::new().collected();
    let mut late = 0;
    for dies_after in [60_i64, i64::MAX] {
        let left = AtomicI64::new(dies_after);
        let job = Job::new("unkeyed");
        let fast: Vec<i64> = (0..200).map(|n| n * 1000).collect();
        let slow: Vec<i64> = (0..200).collect();
        job.source("times", InPieces::new(Values::in_splits([fast, slow]), 1))
            .event_time(Duration::ZERO, |at| Timestamp(*at))
            .try_map(move |at| {
                pause(2);
                match left.fetch_sub(1, Ordering::Relaxed) {
                    ..=0 => Err("the process dies here".into()),
                    _ => Ok(at),
                }
            })
            .named("p")
            .process(|states| {
                let count = states.split::<u64>("count");
                move |context: &mut UnkeyedContext<'_>,
                      at: i64,
                      out: &mut Emitter<'_, (i64, i64)>| {
                    if context.split(count).is_empty() {
                        context.split(count).push(1);
                    }
                    if context.watermark() > context.time() {
                        out.push((at, context.watermark().0));
                    }
                    Ok(())
                }
            })
            .sink("out", Collect::into_collected(&seen));
        if let Ok(report) = job.run(&options) {
            late = report.counter("p", "late");
        }
    }
    let items = seen.items();
    assert!(
        late == 0 && items.is_empty(),
        "late {late}; (time, watermark): {:?}",
        &items[..items.len().min(5)]
    );
}

struct Sums(SplitState<i64>);

impl UnkeyedFunction<i64> for Sums {
    type Out = i64;

    fn on_record(
        &mut self,
        context: &mut UnkeyedContext<'_>,
        at: i64,
        _: &mut Emitter<'_, i64>,
    ) -> Result<(), UserError> {
        let mut sums = context.split(self.0);
        let sum = sums.pop_first().unwrap_or(0);
        sums.push(sum + at);
        Ok(())
    }

    fn on_end(
        &mut self,
        context: &mut UnkeyedContext<'_>,
        out: &mut Emitter<'_, i64>,
    ) -> Result<(), UserError> {
        out.push(context.split(self.0).iter().sum());
        Ok(())
    }
}

fn sums(tasks: u16) -> (i64, u64) {
    let rows = Collect::new();
    let seen = rows.collected();
    let job = Job::new("sums");
    let short = vec![1_i64];
    let long: Vec<i64> = (1..=400).collect();
    job.source("times", InPieces::new(Values::in_splits([short, long]), 1))
        .event_time(Duration::ZERO, |at| Timestamp(*at))
        // Time for both tasks to take a split.
        .inspect(|_| pause(1))
        .named("sums")
        .process_with(|states| Sums(states.split("sums")))
        .key_by(|_| 0_u32)
        .named("windows")
        .window(Windows::tumbling(Duration::from_millis(10)))
        .fold(|| 0_i64, |total, sum: &i64| *total += *sum)
        .map(|row| row.value)
        .sink("rows", rows);
    let report = job.run(&RunOptions::in_memory().parallelism(tasks)).unwrap();
    (seen.items().into_iter().sum(), report.counter("windows", "late"))
}

/// What is emitted at the end of the input used to have the watermark of its task, which others had passed.
#[test]
fn what_is_emitted_at_the_end_is_not_late() {
    let total = 400 * 401 / 2 + 1;
    assert_eq!(sums(1), (total, 0));
    for _ in 0..5 {
        assert_eq!(sums(2), (total, 0));
    }
}

/// Key `b` has one record in each millisecond up to here.
const LAST: i64 = 600;

/// The counts of `b` in windows of 10 ms that are the highest ever shown, and how many records were late.
fn missing_and_late(consistency: Consistency) -> (u64, u64) {
    use steadfast::key::{KeyHash, KeySpace};
    let options = RunOptions::in_memory()
        .parallelism(2)
        .consistency(consistency)
        .checkpoint_interval(None)
        .checkpoint_records(10);
    let space = KeySpace { groups: 128, tasks: 2 };
    let of = |task: u16| {
        (0..100_u32).find(|key| space.task_of(space.group_of(KeyHash::of(key))) == task).unwrap()
    };
    let (b, a) = (of(0), of(1));
    let (seen, late) = (Collect::new().collected(), Collect::new().collected());
    for dies_after in [300_i64, i64::MAX] {
        let left = AtomicI64::new(dies_after);
        let late_sink = Collect::into_collected(&late);
        let job = Job::new("least");
        let slow: Vec<(u32, i64)> = (0..LAST).map(|n| (b, n)).collect();
        let fast: Vec<(u32, i64)> = (0..LAST).map(|n| (a, n * 1000)).collect();
        job.source("times", InPieces::new(Values::in_splits([slow, fast]), 1))
            .event_time(Duration::ZERO, |(_, at)| Timestamp(*at))
            .try_map(move |(key, at)| {
                if key == b {
                    pause(1);
                    if left.fetch_sub(1, Ordering::Relaxed) <= 0 {
                        return Err("the process dies here".into());
                    }
                }
                Ok((key, at))
            })
            .key_by_ref(|record: &(u32, i64)| &record.0)
            .named("windows")
            .window(Windows::tumbling(Duration::from_millis(10)))
            .late(|records| records.sink("late", late_sink))
            .fold(
                || 0_u64,
                move |count, record: &(u32, i64)| {
                    if record.0 == a {
                        pause(4);
                    }
                    *count += 1;
                },
            )
            .map(|row| (row.key, row.window.start.0, row.value))
            .sink("rows", Collect::into_collected(&seen));
        let _ = job.run(&options);
    }
    let mut best = BTreeMap::<i64, u64>::new();
    for (key, start, count) in seen.items() {
        if key == b {
            let best = best.entry(start).or_default();
            *best = count.max(*best);
        }
    }
    let missing = (0..LAST / 10)
        .map(|n| 10_u64.saturating_sub(best.get(&(n * 10)).copied().unwrap_or(0)))
        .sum();
    (missing, late.items().iter().filter(|record: &&(u32, i64)| record.0 == b).count() as u64)
}

#[test]
fn at_least_once_misses_nothing() {
    assert_eq!(missing_and_late(Consistency::ExactlyOnce), (0, 0));
    for _ in 0..5 {
        let (missing, late) = missing_and_late(Consistency::AtLeastOnce);
        assert_eq!(missing, 0, "late {late}");
    }
}

struct Once;

impl ProcessFunction<u32, i64> for Once {
    type Out = i64;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        sum: &i64,
        out: &mut Emitter<'_, i64>,
    ) -> Result<(), UserError> {
        context.set_timer(Timestamp(10));
        out.push(*sum);
        Ok(())
    }

    fn on_timer(
        &mut self,
        _: &mut KeyedContext<'_, u32>,
        _: Clock,
        _: &mut Emitter<'_, i64>,
    ) -> Result<(), UserError> {
        Ok(())
    }
}

/// The stream has event time; that its input is empty is no mistake.
#[test]
fn what_is_emitted_at_the_end_of_nothing_has_a_time() {
    let job = Job::new("nothing");
    job.source("times", Values::new(Vec::<i64>::new()))
        .event_time(Duration::ZERO, |at| Timestamp(*at))
        .named("sums")
        .process_with(|states| Sums(states.split("sums")))
        .key_by(|_| 0_u32)
        .named("once")
        .process_with(|_| Once)
        .sink("rows", Collect::new());
    job.run(&RunOptions::in_memory()).unwrap();
}

/// "Other windows than those of the last checkpoint are refused: open windows would be mixed."
#[test]
fn windows_of_ones_own_that_are_others_are_refused() {
    let options = RunOptions::in_memory();
    let run = |name: &str, count: u64, size: i64| {
        let rows = Collect::new();
        let seen = rows.collected();
        let job = Job::new("given");
        job.source("times", Generator::new(|n| [1_i64, 14, 16][n as usize]).count(count))
            .event_time(Duration::ZERO, |at| Timestamp(*at))
            .key_by(|_| 0_u32)
            .named("windows")
            .window(Windows::given(name, move |at| {
                let start = at.0.div_euclid(size) * size;
                steadfast::Window { start: Timestamp(start), end: Timestamp(start + size) }
            }))
            .count()
            .map(|row| (row.window.start.0, row.window.end.0, row.value))
            .sink("rows", rows);
        job.run(&options).map(|_| seen.items())
    };
    assert_eq!(run("of ten", 2, 10).unwrap(), [(0, 10, 1), (10, 20, 1)]);
    let second = run("of fifteen", 3, 15);
    assert!(second.unwrap_err().to_string().contains("of ten"));
}
