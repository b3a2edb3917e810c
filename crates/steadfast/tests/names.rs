//! State is kept under names: who needs one, and what is said of those that are missing or taken.

use std::time::Duration;

use steadfast::memory::Collected;
use steadfast::prelude::*;
use steadfast::{Cause, CheckpointStore, Emitter, KeyedContext, UnkeyedContext};

fn numbers(job: &Job) -> Stream<impl OperatorChain<Out = u64> + use<>> {
    job.source("numbers", Values::new((0..10_u64).collect::<Vec<_>>()))
        .event_time(Duration::ZERO, |n| Timestamp(*n as i64))
}

fn in_folder(folder: &tempfile::TempDir) -> RunOptions {
    RunOptions::new(CheckpointStore::Folder(folder.path().into())).parallelism(1)
}

type Build<'a> = &'a dyn Fn(&Job);

/// Why a job is refused that keeps its checkpoints in a folder; it is not if they are in memory.
fn refused(build: Build<'_>) -> Error {
    let run = |options: &RunOptions| {
        let job = Job::new("named");
        build(&job);
        job.run(options)
    };
    run(&RunOptions::in_memory()).expect("in memory no name is needed");
    run(&in_folder(&tempfile::tempdir().unwrap())).expect_err("a name is needed")
}

fn keyed(job: &Job) -> steadfast::KeyedStream<u64, impl steadfast::KeyOf<u64, Key = u64> + use<>> {
    numbers(job).key_by(|n| n % 2)
}

fn out<T: Data + Clone>() -> Collect<T> {
    Collect::new()
}

#[test]
fn whatever_keeps_state_needs_a_name_where_another_process_may_go_on() {
    let second = Duration::from_secs(1);
    let add = |sum: &mut u64, n: &u64| *sum += n;
    let try_add = |_: &mut u64, _: &u64| Ok(());
    let by_key = |_: &mut KeyedContext<'_, u64>, _: &u64, _: &mut Emitter<'_, u64>| Ok(());
    let unkeyed = |_: &mut UnkeyedContext<'_>, _: u64, _: &mut Emitter<'_, u64>| Ok(());
    let jobs: [(&str, Build<'_>); 11] = [
        ("fold", &|job| keyed(job).fold(Emit::Final, || 0, add).sink("out", out())),
        ("try_fold", &|job| keyed(job).try_fold(Emit::Final, || 0, try_add).sink("out", out())),
        ("aggregate", &|job| {
            keyed(job).aggregate(Emit::Final, steadfast::Count).sink("out", out());
        }),
        ("window", &|job| {
            let counts = keyed(job).window(Windows::tumbling(second)).count();
            counts.map(|row| row.value).sink("out", out());
        }),
        ("window", &|job| {
            let sums = keyed(job).window(Windows::tumbling(second)).fold(|| 0, add);
            sums.map(|row| row.value).sink("out", out());
        }),
        ("in_time_order", &|job| {
            let in_order = keyed(job).in_time_order(|n| *n);
            in_order.side(|late| late.sink("late", out())).sink("out", out());
        }),
        ("dedup", &|job| numbers(job).dedup(|n| n, Expiry::Never).sink("out", out())),
        ("dedup", &|job| numbers(job).dedup_by(|n| n % 2, Expiry::Never).sink("out", out())),
        ("process", &|job| keyed(job).process(move |_| by_key).sink("out", out())),
        ("process", &|job| {
            let kept = numbers(job).process(move |states| {
                states.split::<u64>("kept");
                unkeyed
            });
            kept.sink("out", out());
        }),
        ("process", &|job| {
            let known = numbers(job).broadcast().process(move |states| {
                states.broadcast::<u64, u64>("known");
                unkeyed
            });
            known.sink("out", out());
        }),
    ];
    for (kind, build) in jobs {
        let error = refused(build);
        assert_eq!(error.why(), Cause::UNNAMED_STATE, "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("{kind} (")) && text.contains("tests/names.rs:"), "{text}");
        assert!(text.contains(".named(\"balances\")"), "{text}");
    }
}

#[test]
fn all_that_need_a_name_are_told_at_once_with_their_lines() {
    let job = Job::new("named");
    let shared = numbers(&job).shared();
    let first = line!() + 1;
    let distinct = shared.stream().dedup(|n| n, Expiry::Never);
    distinct.sink("one", out());
    let second = line!() + 1;
    let distinct = shared.stream().dedup(|n| n, Expiry::Never);
    distinct.sink("two", out());
    let error = job.run(&in_folder(&tempfile::tempdir().unwrap())).unwrap_err().to_string();
    for line in [first, second] {
        assert!(
            error.contains(&format!("dedup (crates/steadfast/tests/names.rs:{line})")),
            "{error}"
        );
    }
}

#[test]
fn what_keeps_no_state_needs_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new("stateless");
    let numbers = numbers(&job).map(|n| n).filter(|_| true).rebalance().shared();
    let unkeyed = |_: &mut UnkeyedContext<'_>, n: u64, out: &mut Emitter<'_, u64>| {
        out.push(n);
        Ok(())
    };
    let passed = out();
    let collected = passed.collected();
    let processed = numbers.stream().process(move |_| unkeyed);
    processed.union(numbers.stream().flat_map(|n| [n])).sink("out", passed);
    job.run(&in_folder(&folder)).unwrap();
    assert_eq!(collected.items().len(), 20);
}

/// The sums of even and of odd numbers, in the one or the other order of the code.
fn two_sums(job: &Job, order: [&'static str; 2], count: u64, into: &Collected<(String, u64)>) {
    let numbers = job.source("numbers", Generator::new(|n| n).count(count)).shared();
    let [first, second] = order.map(|name| {
        let rest = u64::from(name == "odd");
        let some = numbers.stream().filter(move |n| n % 2 == rest).key_by(|_| ()).named(name);
        let sums = some.fold(Emit::Final, || 0_u64, |sum, n| *sum += n);
        sums.map(move |(_, sum)| (name.to_string(), sum))
    });
    first.union(second).sink("sums", Collect::into_collected(into));
}

#[test]
fn operators_that_change_places_keep_their_state() {
    let (folder, into) = (tempfile::tempdir().unwrap(), Collect::new().collected());
    let run = |order, count| {
        let job = Job::new("swapped");
        two_sums(&job, order, count, &into);
        job.run(&in_folder(&folder)).unwrap();
        let mut sums = into.checkpoints().pop().unwrap().1;
        sums.sort_unstable();
        sums
    };
    let sums = |even, odd| [("even".to_string(), even), ("odd".to_string(), odd)];
    assert_eq!(run(["even", "odd"], 10), sums(20, 25));
    assert_eq!(run(["odd", "even"], 20), sums(90, 100));
}

#[test]
fn a_name_that_was_made_up_is_found_again_under_one_that_was_chosen() {
    let (options, into) = (RunOptions::in_memory(), Collect::new().collected());
    let run = |name: Option<&str>, count| {
        let job = Job::new("named-later");
        let keyed = job.source("numbers", Generator::new(|n| n).count(count)).key_by(|_| ());
        let keyed = match name {
            Some(name) => keyed.named(name).formerly("fold"),
            None => keyed,
        };
        let sums = keyed.fold(Emit::Final, || 0_u64, |sum, n| *sum += n);
        sums.sink("sums", Collect::into_collected(&into));
        job.run(&options).unwrap();
    };
    run(None, 10);
    run(Some("sum"), 20);
    assert_eq!(into.items(), [((), 45), ((), 190)]);
}

#[test]
fn operators_of_one_name_are_told_with_their_kinds_and_lines() {
    let job = Job::new("named");
    let line = line!() + 2;
    // A name may also be taken by one that was made up.
    let mapped = numbers(&job).map(|n| n);
    let kept = mapped.named("map").filter(|_| true);
    kept.named("rows").map(|n| n).sink("rows", out());
    let error = job.run(&RunOptions::in_memory()).unwrap_err();
    assert_eq!(error.why(), Cause::SAME_NAME);
    let text = error.to_string();
    let place = |after: u32| format!("(crates/steadfast/tests/names.rs:{})", line + after);
    let made_up = format!("'map': map {} after its kind and filter {}", place(0), place(1));
    assert!(text.contains(&made_up), "{text}");
    assert!(text.contains(&format!("'rows': map {} and sink {}", place(2), place(2))), "{text}");
}

#[test]
fn what_two_operators_were_formerly_belongs_to_one_and_is_nobody_elses_name() {
    let both = |second: &str| {
        let job = Job::new("named");
        let one = keyed(&job).named("one").formerly("fold").fold(Emit::Final, || 0, |_, _| ());
        let two = one.map(|(_, n): (u64, u64)| n).key_by(|n| *n);
        let two = two.named("two").formerly(second).fold(Emit::Final, || 0, |_, _| ());
        two.map(|(_, n): (u64, u64)| n).sink("out", out());
        job.run(&RunOptions::in_memory()).map(drop)
    };
    let error = both("fold").unwrap_err();
    assert_eq!(error.why(), Cause::PLAN);
    assert!(error.message().contains("both 'one' and 'two' were formerly 'fold'"), "{error}");
    both("fold-2").unwrap();

    // One that is named keeps the name that was made up for it before, and others keep theirs.
    let job = Job::new("named");
    let one = keyed(&job).named("one").formerly("fold").fold(Emit::Final, || 0, |_, _| ());
    let two = one.map(|(_, n): (u64, u64)| n).key_by(|n| *n).fold(Emit::Final, || 0, |_, _| ());
    two.map(|(_, n): (u64, u64)| n).sink("out", out());
    let error = job.run(&in_folder(&tempfile::tempdir().unwrap())).map(drop).unwrap_err();
    assert!(error.advice().unwrap().ends_with(".formerly(\"fold-2\")"), "{error}");
}

#[test]
fn two_sinks_at_one_place_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (out, same, database) =
        (folder.path().join("out"), folder.path().join("./out/"), folder.path().join("out.db"));
    let table = |name: &str| Sqlite::<u64>::new(&database).table(name).columns(["n"]);
    let table = |name: &str| table(name).row(|n, row| row.integer(*n as i64));
    let files: Build<'_> = &|job| {
        let numbers = numbers(job).shared();
        numbers.stream().sink("first", JsonLinesSink::new(&out));
        numbers.stream().sink("second", JsonLinesSink::new(&same));
    };
    let letters: Build<'_> = &|job| {
        let numbers = job.source("numbers", Values::new([1_u64]));
        let numbers = numbers.dead_letters("first", DeadLetterSink::new(&out));
        numbers.sink("second", JsonLinesSink::new(&out));
    };
    let tables: Build<'_> = &|job| {
        let numbers = numbers(job).shared();
        numbers.stream().sink("first", table("rows"));
        numbers.stream().sink("second", table("Rows"));
    };
    let fine: Build<'_> = &|job| {
        let numbers = numbers(job).shared();
        numbers.stream().sink("first", table("rows"));
        numbers.stream().sink("second", table("others"));
    };
    let run = |build: Build<'_>| {
        let job = Job::new("named");
        build(&job);
        job.run(&RunOptions::in_memory().adopt(true)).map(drop)
    };
    for build in [files, letters, tables] {
        let error = run(build).unwrap_err();
        assert_eq!(error.why(), Cause::PLAN);
        assert!(
            error.message().contains("the sinks 'first' and 'second' both write to"),
            "{error}"
        );
        assert!(!error.to_string().contains("adopt"), "{error}");
    }
    assert!(!out.exists() && !database.exists());
    run(fine).unwrap();
}
