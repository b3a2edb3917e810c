//! How much of the input may be bad before a job ends: what was good before, and before a restart, counts.

use std::path::Path;

use steadfast::prelude::*;
use steadfast::{CheckpointStore, MaxBad};

/// Reads a file that holds these lines, and skips what is no number.
fn run(folder: &Path, max_bad: MaxBad, lines: &str) -> Result<Report> {
    std::fs::write(folder.join("in.jsonl"), lines).unwrap();
    let job = Job::new("job");
    let numbers = job.source("numbers", JsonLines::<u64>::new([folder.join("in.jsonl")]));
    numbers.skip_bad_input().sink("out", Collect::new());
    let store = CheckpointStore::Folder(folder.join("store"));
    job.run(&RunOptions::new(store).parallelism(1).max_bad(max_bad))
}

fn code(result: Result<Report>) -> String {
    result.map(drop).unwrap_err().code().to_string()
}

#[test]
fn where_one_is_good_the_first_hundred_are_not_all_bad() {
    let bad = "bad\n".repeat(150);
    let folder = tempfile::tempdir().unwrap();
    let together = run(folder.path(), MaxBad::default(), &format!("1\n{bad}")).unwrap();
    assert_eq!((together.bad_records(), together.events()), (150, 1));

    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), MaxBad::default(), "1\n").unwrap();
    let later = run(folder.path(), MaxBad::default(), &format!("1\n{bad}")).unwrap();
    assert_eq!(later.bad_records(), 150);
}

#[test]
fn bad_ones_before_a_restart_count() {
    let bad = |count| "bad\n".repeat(count);
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), MaxBad::Any, &bad(60)).unwrap();
    assert_eq!(code(run(folder.path(), MaxBad::default(), &bad(100))), "SF0104");
    assert_eq!(code(run(folder.path(), MaxBad::Pieces(99), &bad(100))), "SF0105");
    // Another limit goes on, and what was read again has counted once.
    assert_eq!(run(folder.path(), MaxBad::Pieces(100), &bad(100)).unwrap().bad_records(), 100);
    assert_eq!(run(folder.path(), MaxBad::Any, &bad(400)).unwrap().bad_records(), 400);
}

#[test]
fn a_job_without_one_good_record_does_not_end_as_if_all_were_well() {
    let folder = tempfile::tempdir().unwrap();
    let error = run(folder.path(), MaxBad::default(), "bad\nbad\n").map(drop).unwrap_err();
    assert_eq!(error.code(), "SF0104");
    assert!(error.message().contains("all 2 inputs are bad, and there are no more: "), "{error}");
    // Nothing of it is committed, so the file that was meant is read from its beginning.
    assert_eq!(run(folder.path(), MaxBad::default(), "1\n2\nbad\n").unwrap().events(), 2);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), MaxBad::default(), "").unwrap().events(), 0);
    assert_eq!(run(folder.path(), MaxBad::Any, "bad\n").unwrap().bad_records(), 1);
}
