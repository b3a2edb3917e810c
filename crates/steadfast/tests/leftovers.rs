//! What a process that was killed leaves in the store, and what a finished job does when it is started
//! again.

use std::path::{Path, PathBuf};

use steadfast::Report;
use steadfast::prelude::*;

fn run(dir: &Path) -> Result<Report> {
    let store = CheckpointStore::parse(dir.join("store").to_str().unwrap()).unwrap();
    let job = Job::new("tidy");
    job.source("numbers", Values::new([1_u64, 2, 3])).sink("out", StdoutSink::new());
    job.run(&RunOptions::new(store))
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn what_a_killed_process_has_left_half_written_is_gone_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path()).unwrap();
    let mut before = Vec::new();
    files(&dir.path().join("store"), &mut before);
    // Another job's may be of a process that is alive.
    let other = dir.path().join("store/other/log/000000000000/.tmp-alive-0");
    std::fs::create_dir_all(other.parent().unwrap()).unwrap();
    std::fs::write(&other, b"half").unwrap();
    for file in &before {
        std::fs::write(file.with_file_name(".tmp-dead-0"), b"half").unwrap();
    }
    let again = run(dir.path()).unwrap();
    assert!(!again.had_work);
    let mut after = Vec::new();
    files(&dir.path().join("store"), &mut after);
    after.retain(|file| file.file_name().unwrap().to_str().unwrap().starts_with(".tmp-"));
    assert_eq!(after, [other]);
}
