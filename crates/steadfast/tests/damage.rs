//! A checkpoint that is damaged on disk: an older one is used where that cannot repeat output, and
//! the job refuses clearly where it could.

use std::path::{Path, PathBuf};
use std::time::Duration;

use steadfast::prelude::*;
use steadfast::{ErrorKind, Report};

const RECORDS: u64 = 300_000;
/// So slow that there is time for several checkpoints, however fast the machine is.
const RATE: u64 = 1_000_000;

fn options(dir: &Path) -> RunOptions {
    let store = CheckpointStore::parse(dir.join("store").to_str().unwrap()).unwrap();
    RunOptions::new(store).parallelism(2).checkpoint_interval(Duration::from_millis(2))
}

/// Counts by key, kept up to date in SQLite, and optionally appended to files at the end.
fn run(dir: &Path, appends: bool) -> Result<Report> {
    let job = Job::new("damaged");
    let numbers =
        job.source("numbers", Generator::new(|n| n).count(RECORDS).rate(RATE).splits(4)).shared();
    let counts = |name: &str, emit| {
        let keyed = numbers.stream().map(|n| (n % 100, n)).key_by_ref(|pair| &pair.0);
        keyed.named(name).fold(emit, || 0_u64, |count, _| *count += 1)
    };
    counts("count", Emit::Changes).sink(
        "counts",
        Sqlite::<(u64, u64)>::new(dir.join("counts.db"))
            .table("counts")
            .columns(["key", "count"])
            .key(["key"])
            .row(|(key, count), row| {
                row.integer(*key as i64);
                row.integer(*count as i64);
            }),
    );
    if appends {
        // The last checkpoint has output for certain: all of it.
        let folder = dir.join("appended");
        counts("final", Emit::Final).sink("appended", JsonLinesSink::<(u64, u64)>::new(folder));
    }
    job.run(&options(dir))
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Flips a bit in the middle of the newest log entry: the last checkpoint.
fn damage_newest(dir: &Path) {
    let mut entries = Vec::new();
    files(&dir.join("store/damaged/log"), &mut entries);
    let newest = entries.iter().max().unwrap();
    let mut bytes = std::fs::read(newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(newest, bytes).unwrap();
}

fn counts(dir: &Path) -> Vec<(i64, i64)> {
    let database = rusqlite::Connection::open(dir.join("counts.db")).unwrap();
    let mut query = database.prepare("SELECT key, count FROM counts ORDER BY 1").unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(|row| row.unwrap()).collect()
}

#[test]
fn upserts_go_on_from_the_newest_intact_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let first = run(dir.path(), false).unwrap();
    assert!(first.checkpoints > 2, "there is something to fall back to");
    let expected = counts(dir.path());
    assert_eq!(expected.len(), 100);
    assert!(expected.iter().all(|row| row.1 == (RECORDS / 100) as i64));

    damage_newest(dir.path());
    let second = run(dir.path(), false).unwrap();
    let resumed = second.resumed_from.unwrap();
    assert!(Some(resumed) < first.checkpoint(), "an older one was used");
    assert!(second.had_work);
    assert_eq!(counts(dir.path()), expected);
}

#[test]
fn appended_output_is_never_repeated() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), true).unwrap();
    damage_newest(dir.path());
    let error = run(dir.path(), true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains("append it twice"), "{error}");
}
