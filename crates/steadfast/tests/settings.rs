//! What cannot work is refused before anything is begun, with a message that says what to do.

use std::time::Duration;

use steadfast::prelude::*;
use steadfast::{CheckpointStore, ErrorKind, Limits};

fn numbers(name: &str) -> Job {
    let job = Job::new(name);
    job.source("numbers", Values::new([1_u64, 2, 3])).sink("out", Collect::new());
    job
}

fn refused(job: Job, options: &RunOptions) -> String {
    let error = job.run(options).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    error.to_string()
}

#[test]
fn a_job_whose_name_is_no_name_is_refused() {
    let long = "ä".repeat(101);
    for name in ["", ".", "..", "a/b", "a\\b", "bell\u{7}", &long] {
        let error = refused(numbers(name), &RunOptions::in_memory());
        assert!(error.contains("a job cannot be called"), "{name:?}: {error}");
    }
    for name in ["payments", "käse 7", "a.b", "...", &long[2..]] {
        numbers(name).run(&RunOptions::in_memory()).unwrap();
    }
}

#[test]
fn a_job_that_keeps_no_checkpoint_is_refused() {
    let options = RunOptions::in_memory().retained_checkpoints(0);
    assert!(refused(numbers("job"), &options).contains("at least one"));
}

#[test]
fn the_largest_numbers_are_numbers_like_any_other() {
    for records in [u64::MAX, u64::MAX - 1] {
        let options = RunOptions::in_memory()
            .checkpoint_records(records)
            .checkpoint_interval(None)
            .retained_checkpoints(usize::MAX)
            .give_up_after(Duration::MAX);
        // A second run counts on from where the first has ended.
        for _ in 0..2 {
            let running = numbers("job").start(&options).unwrap();
            running.handle().stop(Some(Duration::MAX));
            running.join().unwrap();
        }
    }
}

#[test]
fn a_number_with_which_nothing_can_work_is_refused_before_anything_is_begun() {
    let options = RunOptions::in_memory;
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        options().limits(limits)
    };
    for (options, reason) in [
        (options().parallelism(0), "parallelism must be at least 1"),
        (options().parallelism(129), "129 is more than the job's 128 key groups"),
        (options().checkpoint_records(0), "at least 1"),
        (options().checkpoint_interval(Duration::ZERO), "longer than zero"),
        (limits(|limits| limits.channel_batches = 0), "limits.channel_batches"),
        (limits(|limits| limits.poll_bytes = 0), "limits.poll_bytes"),
        (limits(|limits| limits.early_output_bytes = 0), "limits.early_output_bytes"),
        (RunOptions::new(CheckpointStore::Folder("".into())), "has no name"),
    ] {
        let error = refused(numbers("job"), &options);
        assert!(error.contains(reason), "{reason}: {error}");
    }
    numbers("job").run(&options().parallelism(128)).unwrap();
}

#[test]
fn what_is_no_place_for_checkpoints_is_refused_with_what_to_write() {
    for (place, hint) in [
        ("", "memory:"),
        ("memory", "write memory: with a colon"),
        ("memory://", "write memory: with a colon"),
        ("file:/x", "write file:///x, with three slashes"),
        ("file:x", "write file:///x, with three slashes"),
        ("file://x", "write file:///x for the path /x"),
        ("file:///a%20b", "write the path alone"),
        ("s3://bucket", "use a path"),
    ] {
        let error = CheckpointStore::parse(place).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{place}: {error}");
        assert!(error.to_string().contains(hint), "{place}: {error}");
    }
    for (place, shown) in
        [("memory:", "memory:"), ("file:///a b", "/a b"), ("./memory", "./memory"), ("a%b", "a%b")]
    {
        assert_eq!(CheckpointStore::parse(place).unwrap().describe(), shown);
    }
}

/// A window of a millisecond and a half would have been one of a millisecond.
#[test]
fn times_that_cannot_be_meant_are_refused() {
    let timed = |name: &str| {
        let job = Job::new(name);
        let numbers = job.source("numbers", Values::new([1_u64, 2, 3]));
        let timed = numbers.event_time(Duration::ZERO, |n| Timestamp(n.cast_signed()));
        (job, timed)
    };
    let refused = |job| refused(job, &RunOptions::in_memory());
    for (limit, confirmations) in [(Duration::ZERO, 0), (Duration::ZERO, 1), (Duration::MAX, 0)] {
        let (job, numbers) = timed("jumps");
        numbers.jumps(limit, confirmations).sink("out", Collect::new());
        assert!(refused(job).contains("source 'numbers': jumps() takes"), "{confirmations}");
    }
    let (job, numbers) = timed("idle");
    numbers.idle_after(Duration::ZERO).sink("out", Collect::new());
    assert!(refused(job).contains("source 'numbers': idle_after() takes"));

    for keep in [Duration::ZERO, Duration::from_micros(999)] {
        let (job, numbers) = timed("dedup");
        numbers.named("once").dedup(|n| n, Expiry::After(keep)).sink("out", Collect::new());
        assert!(refused(job).contains("operator 'once' would keep an id for no time"), "{keep:?}");
    }
    let (job, numbers) = timed("order");
    let ordered = numbers.key_by_ref(|n| n).in_time_order_within(0, |n: &u64| *n);
    ordered.side(|late| late.sink("late", Collect::new())).sink("out", Collect::new());
    assert!(refused(job).contains("in_time_order_within() needs room"));

    let second = Duration::from_secs(1);
    for windows in [
        Windows::tumbling(Duration::from_micros(1500)),
        Windows::tumbling(second).offset(Duration::from_micros(1)),
        Windows::sliding(second, Duration::from_nanos(1_000_001)),
        Windows::tumbling(Duration::ZERO),
    ] {
        let (job, numbers) = timed("windows");
        numbers.key_by_ref(|n| n).window(windows).count().sink("out", Collect::new());
        assert!(refused(job).contains("milli"), "windows");
    }
}

#[test]
fn windows_that_cannot_be_are_told_with_their_operator_and_what_to_write() {
    let job = Job::new("windows");
    let numbers = job.source("numbers", Values::new([1_u64]));
    let timed = numbers.event_time(Duration::ZERO, |n| Timestamp(n.cast_signed()));
    let windows =
        timed.key_by_ref(|n| n).named("per minute").window(Windows::tumbling(Duration::ZERO));
    let line = line!() + 1;
    windows.count().sink("out", Collect::new());
    let error = refused(job, &RunOptions::in_memory());
    let told = format!(
        "operator 'per minute' (window, crates/steadfast/tests/settings.rs:{line}): a window lasts"
    );
    assert!(
        error.contains(&told) && error.contains("Windows::tumbling(Duration::from_secs(60))"),
        "{error}"
    );
}

#[test]
fn what_is_kept_under_a_name_has_one() {
    let refused = |build: fn(&Job)| {
        let job = Job::new("names");
        build(&job);
        refused(job, &RunOptions::in_memory())
    };
    for (build, told) in [
        (
            (|job: &Job| job.source("", Values::new([1_u64])).sink("out", Collect::new()))
                as fn(&Job),
            "the name of an operator is empty: source (crates/steadfast/tests/settings.rs:",
        ),
        (
            |job| job.source("numbers", Values::new([1_u64])).sink("", Collect::new()),
            "the name of an operator is empty: sink (crates/steadfast/tests/settings.rs:",
        ),
        (
            |job| {
                let numbers = job.source("numbers", Values::new([1_u64])).key_by_ref(|n| n);
                let sums = numbers.named("").fold(Emit::Final, || 0_u64, |sum, n| *sum += n);
                sums.sink("out", Collect::new());
            },
            "the name of an operator is empty: fold (crates/steadfast/tests/settings.rs:",
        ),
        (
            |job| {
                let numbers = job.source("numbers", Values::new([1_u64])).key_by_ref(|n| n);
                let kept = numbers.named("kept").process(|states| {
                    let last = states.value::<u64>("");
                    move |context: &mut KeyedContext<'_, u64>, n: &u64, _: &mut Emitter<'_, u64>| {
                        context.set(last, *n);
                        Ok(())
                    }
                });
                kept.sink("out", Collect::new());
            },
            "state 'kept/': the name of a state is empty",
        ),
    ] {
        let error = refused(build);
        assert!(error.contains(told), "{told}: {error}");
    }
    let job = Job::new("names");
    job.source(" ", Values::new([1_u64])).named("-").map(|n| n + 1).sink("*", Collect::new());
    job.run(&RunOptions::in_memory()).unwrap();
}

/// It would wait for ever for room in a channel that nobody reads.
#[test]
fn a_stream_that_ends_nowhere_is_refused() {
    let job = Job::new("shared");
    let shared = job.source("numbers", Values::new([1_u64, 2, 3])).shared();
    let _ = shared.stream().map(|number: u64| number + 1);
    assert!(refused(job, &RunOptions::in_memory()).contains("ends nowhere"));

    let job = Job::new("keyed");
    let numbers = job.source("numbers", Values::new([1_u64, 2, 3]));
    let keyed = numbers.key_by_ref(|number| number).named("sum");
    let _ = keyed.fold(steadfast::Emit::Changes, || 0_u64, |sum, number| *sum += number);
    assert!(refused(job, &RunOptions::in_memory()).contains("nowhere"));
}

/// The sums of the numbers below ten, times `factor`.
fn sums(name: &str, factor: u64, options: &RunOptions) -> Vec<(u64, u64)> {
    let (job, sums) = (Job::new(name), Collect::new());
    let collected = sums.collected();
    job.source("numbers", Values::new((0..10_u64).collect::<Vec<_>>()))
        .map(move |n| (0_u64, n * factor))
        .key_by_ref(|pair| &pair.0)
        .named("sum")
        .fold(steadfast::Emit::Final, || 0_u64, |sum, (_, n)| *sum += n)
        .sink("sums", sums);
    job.run(options).unwrap();
    collected.items()
}

/// One would begin at the end of the other, with its state.
#[test]
fn two_jobs_of_one_store_know_nothing_of_each_other_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let in_a_folder = RunOptions::new(CheckpointStore::Folder(folder.path().to_path_buf()));
    for options in [RunOptions::in_memory(), in_a_folder] {
        assert_eq!(sums("one", 1, &options), [(0, 45)]);
        assert_eq!(sums("two", 1000, &options), [(0, 45_000)]);
        // And each finds its own output again, for a sink that has lost it.
        assert_eq!(sums("one", 1, &options), [(0, 45)]);
    }
}

/// After a restart both would be what was stored last.
#[test]
fn two_states_of_one_name_are_refused() {
    let job = Job::new("two-states");
    job.source("numbers", Values::new([1_u64, 2, 3]))
        .key_by_ref(|n| n)
        .named("count")
        .process(|states| {
            let one = states.value::<u64>("n");
            let _another = states.list::<u64>("n");
            move |context, n, out| {
                *context.value(one) += 1;
                out.push(*n);
                Ok(())
            }
        })
        .sink("out", Collect::new());
    let folder = tempfile::tempdir().unwrap();
    let options = RunOptions::new(CheckpointStore::Folder(folder.path().to_path_buf()));
    let error = refused(job, &options);
    assert!(error.contains("operator 'count': two of its states are called 'n'"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was claimed");
}

/// The new folder is empty, and the checkpoint knows nothing of it: what is said is about the target, and names
/// the flag and the option.
#[test]
fn another_path_of_a_sink_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let run = |out: &str, numbers: std::ops::Range<u64>| {
        let job = Job::new("job");
        let numbers = Values::new(numbers.collect::<Vec<_>>());
        job.source("numbers", numbers).sink("out", JsonLinesSink::new(folder.path().join(out)));
        let store = CheckpointStore::Folder(folder.path().join("store"));
        job.run(&RunOptions::new(store).parallelism(1).consistency(Consistency::AtLeastOnce))
    };
    run("one", 0..3).unwrap();
    let error = run("two", 0..3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let error = error.to_string();
    assert!(error.contains("has no output") && !error.contains("none"), "{error}");
    assert!(error.contains("builds on what the job has written since it began"), "{error}");
    assert!(error.contains("--reset (RunOptions::reset)"), "{error}");
}
