//! What cannot work is refused before anything is begun, with a message that says what to do.

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
    assert!(numbers("job").run(&options).unwrap().is_finished());
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
    let keyed = numbers.key_by(|number| number).named("sum");
    let _ = keyed.fold(steadfast::Emit::Changes, || 0_u64, |sum, number| *sum += number);
    assert!(refused(job, &RunOptions::in_memory()).contains("nowhere"));
}
