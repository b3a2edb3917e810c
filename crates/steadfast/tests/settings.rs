//! What cannot work is refused before anything is begun, with a message that says what to do.

use std::time::Duration;

use steadfast::prelude::*;
use steadfast::{CheckpointStore, ErrorKind};

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
    for name in ["", ".", "..", "a/b", "a\\b", "bell\u{7}"] {
        let error = refused(numbers(name), &RunOptions::in_memory());
        assert!(error.contains("a job cannot be called"), "{name:?}: {error}");
    }
    for name in ["payments", "käse 7", "a.b", "..."] {
        numbers(name).run(&RunOptions::in_memory()).unwrap();
    }
}

#[test]
fn a_job_that_keeps_no_checkpoint_is_refused() {
    let mut options = RunOptions::in_memory();
    options.retained_checkpoints = 0;
    assert!(refused(numbers("job"), &options).contains("at least one"));
}

#[test]
fn the_largest_numbers_are_numbers_like_any_other() {
    let mut options = RunOptions::in_memory();
    options.checkpoint_records = Some(u64::MAX);
    options.checkpoint_interval = None;
    options.retained_checkpoints = usize::MAX;
    options.give_up_after = Some(Duration::MAX);
    let running = numbers("job").start(&options).unwrap();
    running.handle().stop(Some(Duration::MAX));
    running.join().unwrap();
}

#[test]
fn what_is_no_place_for_checkpoints_is_refused() {
    for place in ["", "memory", "file:/x", "s3://bucket"] {
        let error = CheckpointStore::parse(place).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{place}: {error}");
    }
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
        let mut options = RunOptions::new(store);
        options.consistency = Consistency::AtLeastOnce;
        job.run(&options)
    };
    run("one", 0..3).unwrap();
    let error = run("two", 0..3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let error = error.to_string();
    assert!(error.contains("has no output") && !error.contains("none"), "{error}");
    assert!(error.contains("builds on what the job has written since it began"), "{error}");
    assert!(error.contains("--reset (RunOptions::reset)"), "{error}");
}
