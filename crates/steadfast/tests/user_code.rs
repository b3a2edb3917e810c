//! What user code may fail with, and what is told of it: any error, with the operator that returned it.

use std::fmt;

use steadfast::prelude::*;
use steadfast::{
    Clock, Emitter, ErrorKind, KeyedContext, ProcessFunction, UnkeyedContext, UnkeyedFunction,
};

/// The error of a job of one source, whose records are the numbers below 100.
fn failure(build: impl FnOnce(&Job)) -> Error {
    let job = Job::new("test");
    build(&job);
    job.run(&RunOptions::in_memory()).unwrap_err()
}

fn numbers(job: &Job) -> Stream<impl OperatorChain<Out = u64>> {
    job.source("numbers", Values::new((0..100_u64).collect::<Vec<_>>()))
        .event_time(std::time::Duration::ZERO, |n| Timestamp(i64::try_from(*n).unwrap_or_default()))
}

/// An error as a library would have it.
#[derive(Debug)]
struct NoRate;

impl fmt::Display for NoRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no rate is known")
    }
}

impl std::error::Error for NoRate {}

fn rate(n: u64) -> Result<u64, NoRate> {
    if n < 50 { Ok(n) } else { Err(NoRate) }
}

fn is_of(error: &Error, operator: &str, kind: ErrorKind, text: &str) {
    let shown = error.to_string();
    assert_eq!(error.kind(), kind, "{shown}");
    assert!(shown.contains(&format!("operator '{operator}'")), "{shown}");
    assert!(shown.contains(text), "{shown}");
}

#[test]
fn any_error_of_a_process_ends_the_job_as_user_code() {
    let error = failure(|job| {
        numbers(job)
            .key_by(|n| n % 3)
            .named("rates")
            .process(|_| {
                |_: &mut KeyedContext<'_, u64>, n: &u64, out: &mut Emitter<'_, u64>| {
                    out.push(rate(*n)?);
                    Ok(())
                }
            })
            .sink("out", Collect::new());
    });
    is_of(&error, "rates", ErrorKind::UserCode, "no rate is known");

    let error = failure(|job| {
        numbers(job)
            .named("files")
            .process(|_| {
                |_: &mut UnkeyedContext<'_>, n: u64, out: &mut Emitter<'_, String>| {
                    let path = format!("/nowhere/{n}");
                    let text = std::fs::read_to_string(&path);
                    out.push(text.map_err(|error| format!("{path}: {error}"))?);
                    Ok(())
                }
            })
            .sink("out", Collect::new());
    });
    is_of(&error, "files", ErrorKind::UserCode, "/nowhere/0: ");
}

#[test]
fn an_error_of_ours_that_comes_back_is_what_it_was() {
    let error = failure(|job| {
        numbers(job)
            .named("asks")
            .try_map(|_| -> Result<u64, UserError> {
                Err(Error::unavailable("nobody answers").hint("ask later"))?
            })
            .sink("out", Collect::new());
    });
    is_of(&error, "asks", ErrorKind::Unavailable, "what to do: ask later");
}

#[test]
fn errors_of_anyhow_are_taken_as_they_are() {
    use anyhow::Context;

    let looked_up =
        |n: u64| -> anyhow::Result<u64> { rate(n).with_context(|| format!("cannot convert {n}")) };
    let error = failure(|job| {
        let converted = numbers(job).named("converts").try_map(move |n| Ok(looked_up(n)?));
        converted.sink("out", Collect::new());
    });
    is_of(&error, "converts", ErrorKind::UserCode, "cannot convert 50: no rate is known");

    let error = failure(|job| {
        let asks = |_| -> anyhow::Result<u64> {
            Err(Error::unavailable("nobody answers")).context("while asking")
        };
        numbers(job).named("asks").try_map(move |n| Ok(asks(n)?)).sink("out", Collect::new());
    });
    is_of(&error, "asks", ErrorKind::Unavailable, "while asking: nobody answers");
}

#[test]
fn folds_and_windows_may_fail() {
    let add = |sum: &mut u64, n: &u64| -> Result<(), UserError> {
        *sum += rate(*n)?;
        Ok(())
    };
    let error = failure(|job| {
        numbers(job)
            .key_by(|_| ())
            .named("sums")
            .try_fold(Emit::Final, || 0, add)
            .sink("out", Collect::new());
    });
    is_of(&error, "sums", ErrorKind::UserCode, "no rate is known");
    let error = failure(|job| {
        let second = std::time::Duration::from_secs(1);
        let windows =
            numbers(job).key_by(|_| ()).named("windows").window(Windows::tumbling(second));
        windows.try_fold(|| 0, add).sink("out", Collect::new());
    });
    is_of(&error, "windows", ErrorKind::UserCode, "no rate is known");
}

/// Fails when it is called for the given occasion.
struct FailsAt(&'static str);

impl FailsAt {
    fn is(&self, occasion: &str) -> Result<(), UserError> {
        if self.0 == occasion { Err(format!("at {occasion}").into()) } else { Ok(()) }
    }
}

impl ProcessFunction<u64, u64> for FailsAt {
    type Out = u64;

    fn open(&mut self) -> Result<(), UserError> {
        self.is("open")
    }

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u64>,
        _record: &u64,
        _out: &mut Emitter<'_, u64>,
    ) -> Result<(), UserError> {
        context.set_timer(Timestamp(50));
        context.set_timer(Timestamp(1000));
        self.is("record")
    }

    fn on_timer(
        &mut self,
        _context: &mut KeyedContext<'_, u64>,
        _clock: Clock,
        _out: &mut Emitter<'_, u64>,
    ) -> Result<(), UserError> {
        self.is("timer")
    }

    fn on_end(
        &mut self,
        _context: &mut KeyedContext<'_, u64>,
        _out: &mut Emitter<'_, u64>,
    ) -> Result<(), UserError> {
        self.is("end")
    }
}

impl UnkeyedFunction<u64> for FailsAt {
    type Out = u64;

    fn open(&mut self) -> Result<(), UserError> {
        self.is("open")
    }

    fn on_record(
        &mut self,
        _context: &mut UnkeyedContext<'_>,
        _record: u64,
        _out: &mut Emitter<'_, u64>,
    ) -> Result<(), UserError> {
        self.is("record")
    }

    fn on_end(
        &mut self,
        _context: &mut UnkeyedContext<'_>,
        _out: &mut Emitter<'_, u64>,
    ) -> Result<(), UserError> {
        self.is("end")
    }
}

#[test]
fn whatever_is_called_the_operator_is_named() {
    for occasion in ["open", "record", "timer", "end"] {
        let error = failure(|job| {
            let keyed = numbers(job).key_by(|n| n % 3).named("keyed");
            keyed.process_with(move |_| FailsAt(occasion)).sink("out", Collect::new());
        });
        is_of(&error, "keyed", ErrorKind::UserCode, &format!("at {occasion}"));
    }
    for occasion in ["open", "record", "end"] {
        let error = failure(|job| {
            let unkeyed = numbers(job).named("unkeyed");
            unkeyed.process_with(move |_| FailsAt(occasion)).sink("out", Collect::new());
        });
        is_of(&error, "unkeyed", ErrorKind::UserCode, &format!("at {occasion}"));
    }
}
