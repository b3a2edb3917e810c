//! What an attack on event time has found (2026-11-22), each held by a test.

mod pieces;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use pieces::InPieces;
use steadfast::memory::Collected;
use steadfast::prelude::*;
use steadfast::time::Timestamp;
use steadfast::{Clock, Emitter, KeyedContext, ProcessFunction, ValueState};

const HOUR: i64 = 3_600_000;

/// Sets a timer at record 0 and says when it comes: when it is due, or at the end.
struct Alarm;

impl ProcessFunction<u32, i64> for Alarm {
    type Out = &'static str;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        at: &i64,
        _out: &mut Emitter<'_, &'static str>,
    ) -> Result<(), UserError> {
        if *at == 0 {
            context.set_timer(Timestamp(100 * HOUR));
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        _context: &mut KeyedContext<'_, u32>,
        _clock: Clock,
        out: &mut Emitter<'_, &'static str>,
    ) -> Result<(), UserError> {
        out.push("due");
        Ok(())
    }

    fn on_end(
        &mut self,
        _context: &mut KeyedContext<'_, u32>,
        out: &mut Emitter<'_, &'static str>,
    ) -> Result<(), UserError> {
        out.push("waiting");
        Ok(())
    }
}

fn alarms(dies_after: Option<i64>) -> Vec<String> {
    let options = RunOptions::in_memory().checkpoint_interval(None).checkpoint_records(1);
    let collected: Collected<String> = Collect::new().collected();
    for records in dies_after.into_iter().chain([i64::MAX]) {
        let left = AtomicI64::new(records);
        let (_keeps, nobody_speaks) = mpsc::channel::<()>();
        let nobody_speaks = Mutex::new(nobody_speaks);
        let job = Job::new("alarms");
        let long: Vec<i64> = (0..=120).map(|hour| hour * HOUR).collect();
        let short = vec![HOUR / 2];
        job.source("times", InPieces::new(Values::in_splits([long, short]), 1))
            .event_time(Duration::ZERO, |at| Timestamp(*at))
            .try_map(move |at| {
                // Time for a checkpoint between two records; without one the test sees less, and is right.
                let _ = nobody_speaks.lock().unwrap().recv_timeout(Duration::from_millis(2));
                match left.fetch_sub(1, Ordering::Relaxed) {
                    ..=0 => Err("the process dies here".into()),
                    _ => Ok(at),
                }
            })
            .key_by(|_| 0_u32)
            .named("alarms")
            .process_with(|_| Alarm)
            .map(|what| what.to_string())
            .sink("out", Collect::into_collected(&collected));
        let _ = job.run(&options);
    }
    collected.items()
}

/// Splits that are apart by days: what the watermark was said to be is no measure of what is doubted.
#[test]
fn which_timers_are_due_does_not_depend_on_where_the_process_dies() {
    assert_eq!(alarms(None), ["due"]);
    for records in 112..121 {
        assert_eq!(alarms(Some(records)), ["due"], "died after {records}");
    }
}

/// Keeps a seven at record 0 and looks at it by a timer.
struct Remembers(ValueState<u64>);

impl ProcessFunction<u32, i64> for Remembers {
    type Out = Option<u64>;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        at: &i64,
        _out: &mut Emitter<'_, Option<u64>>,
    ) -> Result<(), UserError> {
        if *at == 0 {
            context.set(self.0, 7);
            context.set_timer(Timestamp(40));
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        _clock: Clock,
        out: &mut Emitter<'_, Option<u64>>,
    ) -> Result<(), UserError> {
        out.push(context.get(self.0).copied());
        Ok(())
    }
}

/// The watermark may be far beyond a timer when it comes.
#[test]
fn what_a_timer_sees_of_state_that_expires_does_not_depend_on_batches() {
    for piece in [1, 100] {
        let sink = Collect::new();
        let seen = sink.collected();
        let job = Job::new("remembers");
        job.source("times", InPieces::new(Values::new([0_i64, 41, 1000]), piece))
            .event_time(Duration::ZERO, |at| Timestamp(*at))
            .key_by(|at| if *at == 1000 { 2_u32 } else { 1 })
            .named("remembers")
            .process_with(|states| {
                let keep = Duration::from_millis(50);
                Remembers(states.expiring(keep, Clock::Event).value("seven"))
            })
            .sink("out", sink);
        job.run(&RunOptions::in_memory()).unwrap();
        assert_eq!(seen.items(), [Some(7)], "pieces of {piece}");
    }
}

/// A window that has been dropped would begin again from nothing.
#[test]
fn another_lateness_in_mid_life_is_refused() {
    let options = RunOptions::in_memory();
    let run = |count: u64, lateness: u64| {
        let job = Job::new("lateness");
        job.source("times", Generator::new(|n| [5_i64, 6, 100, 7, 120][n as usize]).count(count))
            .event_time(Duration::ZERO, |at| Timestamp(*at))
            .key_by(|_| 0_u32)
            .named("windows")
            .window(Windows::tumbling(Duration::from_millis(10)))
            .allowed_lateness(Duration::from_millis(lateness))
            .count()
            .map(|row| (row.window.start.0, row.value))
            .sink("rows", Collect::new());
        job.run(&options)
    };
    run(3, 0).unwrap();
    let error = run(5, 1000).unwrap_err().to_string();
    assert!(error.contains("windows") && error.contains("1000 ms of lateness"), "{error}");
}

type Never = fn(&mut KeyedContext<'_, u32>, &u32, &mut Emitter<'_, u32>) -> Result<(), UserError>;

#[test]
fn a_panic_while_a_process_is_made_is_an_error_of_the_job() {
    let job = Job::new("made");
    job.source("numbers", Values::new([1_u32]))
        .key_by(|n| *n)
        .named("never")
        .process(|_| -> Never { panic!("not today") })
        .sink("out", Collect::new());
    let error = job.run(&RunOptions::in_memory()).unwrap_err().to_string();
    assert!(error.contains("never") && error.contains("not today"), "{error}");
}
