//! What user code may fail with, and what is told of it: any error, with the operator that returned it.

use std::fmt;

use steadfast::memory::CollectWriter;
use steadfast::prelude::*;
use steadfast::sink::{Sink, SinkWriter};
use steadfast::target::{Target, TargetIdentity};
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

/// Panics at 50, and says in which line.
fn at_fifty(n: u64) -> u64 {
    assert!(n != 50, "fifty");
    n
}

/// Takes rows, and panics at 50.
struct Rows(Collect<u64>);

impl Sink for Rows {
    type Item = u64;
    type Writer = RowsWriter;

    fn writer(&self) -> Result<RowsWriter> {
        self.0.writer().map(RowsWriter)
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        self.0.target(identity)
    }

    fn describe(&self) -> String {
        "rows".to_string()
    }
}

struct RowsWriter(CollectWriter<u64>);

impl SinkWriter for RowsWriter {
    type Item = u64;

    fn write(&mut self, items: &mut Vec<u64>) -> Result<()> {
        items.iter_mut().for_each(|n| *n = at_fifty(*n));
        self.0.write(items)
    }

    fn staged_bytes(&self) -> usize {
        self.0.staged_bytes()
    }

    fn take_staged(&mut self) -> Vec<u8> {
        self.0.take_staged()
    }
}

/// The text of the error of a job of which a function panics.
fn panic(build: impl FnOnce(&Job)) -> String {
    let error = failure(build);
    assert_eq!(error.kind(), ErrorKind::UserCode);
    error.to_string()
}

fn out() -> Collect<u64> {
    Collect::new()
}

/// Among others in the same loop, the one that panics is named.
#[test]
fn a_panic_names_its_operator_its_task_and_its_line() {
    let said = [
        panic(|job| {
            numbers(job)
                .filter(|n| *n < 99)
                .named("rows")
                .map(at_fifty)
                .inspect(|_| ())
                .sink("out", out())
        }),
        panic(|job| {
            numbers(job)
                .map(|n| n)
                .named("rows")
                .filter(|n| at_fifty(*n) > 0)
                .map(|n| n)
                .sink("out", out())
        }),
        panic(|job| {
            numbers(job).named("rows").flat_map(|n| [at_fifty(n)]).map(|n| n).sink("out", out())
        }),
        // Of a lazy iterator the function is called while others behind it are.
        panic(|job| {
            numbers(job)
                .named("rows")
                .flat_map(|n| [n].into_iter().map(at_fifty))
                .map(|n| n)
                .sink("out", out())
        }),
        panic(|job| numbers(job).flat_map(|n| [n]).named("rows").map(at_fifty).sink("out", out())),
        panic(|job| {
            numbers(job)
                .named("rows")
                .inspect(|n| assert!(*n != 50, "fifty"))
                .map(|n| n)
                .sink("out", out())
        }),
        panic(|job| numbers(job).named("rows").try_map(|n| Ok(at_fifty(n))).sink("out", out())),
    ];
    let kinds = ["map", "filter", "flat_map", "flat_map", "map", "inspect", "try_map"];
    for (said, kind) in said.iter().zip(kinds) {
        let begins = format!("operator 'rows' ({kind}), task 1 of 1: panicked: fifty (");
        assert!(said.starts_with(&begins), "{said}");
        assert!(said.contains("tests/user_code.rs:"), "{said}");
    }
}

#[test]
fn a_panic_in_an_operator_with_state_names_it() {
    let second = std::time::Duration::from_secs(1);
    let add = |sum: &mut u64, n: &u64| *sum += at_fifty(*n);
    let id = |n: &u64| at_fifty(*n);
    let said = [
        (
            "key of operator 'sums' (fold)",
            panic(|job| {
                numbers(job)
                    .key_by(id)
                    .named("sums")
                    .fold(Emit::Final, || 0, |_: &mut u64, _| ())
                    .map(|(_, n)| n)
                    .sink("out", out())
            }),
        ),
        (
            "operator 'sums' (fold)",
            panic(|job| {
                numbers(job)
                    .key_by(|_| ())
                    .named("sums")
                    .fold(Emit::Final, || 0, add)
                    .map(|(_, n)| n)
                    .sink("out", out())
            }),
        ),
        (
            "operator 'sums' (aggregate)",
            panic(|job| {
                numbers(job)
                    .key_by(|_| ())
                    .named("sums")
                    .aggregate(Emit::Final, steadfast::Sum(id))
                    .map(|_| 0)
                    .sink("out", out())
            }),
        ),
        (
            "operator 'sums' (window)",
            panic(|job| {
                numbers(job)
                    .key_by(|_| ())
                    .named("sums")
                    .window(Windows::tumbling(second))
                    .fold(|| 0, add)
                    .map(|_| 0)
                    .sink("out", out())
            }),
        ),
        (
            "operator 'steps' (process)",
            panic(|job| {
                numbers(job)
                    .key_by(|_| ())
                    .named("steps")
                    .process(|_| {
                        |_: &mut KeyedContext<'_, ()>, n: &u64, out: &mut Emitter<'_, u64>| {
                            out.push(at_fifty(*n));
                            Ok(())
                        }
                    })
                    .sink("out", out())
            }),
        ),
        (
            "operator 'steps' (process)",
            panic(|job| {
                numbers(job)
                    .named("steps")
                    .process(|_| {
                        |_: &mut UnkeyedContext<'_>, n: u64, out: &mut Emitter<'_, u64>| {
                            out.push(at_fifty(n));
                            Ok(())
                        }
                    })
                    .sink("out", out())
            }),
        ),
        (
            "key of operator 'ids' (dedup)",
            panic(|job| numbers(job).named("ids").dedup_by(id, Expiry::Never).sink("out", out())),
        ),
        ("sink 'out'", panic(|job| numbers(job).sink("out", Rows(out())))),
        ("sink 'out'", panic(|job| numbers(job).rebalance().sink("out", Rows(out())))),
    ];
    for (operator, said) in said {
        assert!(said.starts_with(&format!("{operator}, task 1 of 1: panicked: fifty")), "{said}");
    }
}

/// Beyond the records that are looked at before the start.
#[test]
fn a_panic_of_a_source_names_it() {
    let at = |n: &u64| Timestamp(i64::try_from(at_fifty(*n)).unwrap_or_default());
    let values = |first: u64| Values::new((first..100).collect::<Vec<_>>());
    let zero = std::time::Duration::ZERO;
    let said =
        panic(|job| job.source("numbers", values(0)).event_time(zero, at).sink("out", out()));
    assert!(
        said.starts_with("source 'numbers' (event_time), task 1 of 1: panicked: fifty"),
        "{said}"
    );
    let said =
        panic(|job| job.source("numbers", values(50)).event_time(zero, at).sink("out", out()));
    assert!(said.starts_with("source 'numbers' (event_time): panicked: fifty"), "{said}");
    let said =
        panic(|job| job.source("numbers", Generator::new(at_fifty).count(99)).sink("out", out()));
    assert!(said.starts_with("source 'numbers', task 1 of 1: panicked: fifty"), "{said}");
}
