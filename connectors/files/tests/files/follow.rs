//! Files that grow, are rotated in every way, and are followed by a job that stops and dies: each line once.

use std::fs;
use std::io::Write;
use std::time::Duration;

use proptest::prelude::*;
use steadfast_core::Error;
use steadfast_files::JsonLines;

use crate::followed_logs::*;
use crate::support::*;

#[derive(Clone, Debug)]
enum Doing {
    /// Lines are written, and perhaps a part of one.
    Write(u16, bool),
    Rename,
    /// Copied and truncated, with steps of the job in between.
    Copy(bool),
    /// Written again under its own name, by way of a temporary file.
    Rewrite,
    Compress,
    /// The logs are not there while the job looks.
    Away,
    Read(u8),
    Settle,
    Checkpoint,
    Die,
    /// Nobody runs while this is done.
    Down(Vec<Doing>),
}

fn carry_out(logs: &mut Logs, job: &mut Job, doing: Doing, runs: bool) -> Result<(), Error> {
    match doing {
        Doing::Write(lines, and_half) => logs.write(lines, and_half),
        Doing::Rename => logs.rename(),
        Doing::Copy(slowly) => {
            let path = logs.path("app.log");
            if path.exists() && !logs.is_full() {
                logs.shift();
                if slowly && runs {
                    // Of a file of which nothing was read, small ones are not told from their copies.
                    job.catch_up()?;
                }
                let bytes = fs::read(&path).unwrap();
                if slowly && runs {
                    fs::write(logs.rotated(1), &bytes[..bytes.len() / 2]).unwrap();
                    job.step(3)?;
                }
                fs::write(logs.rotated(1), &bytes).unwrap();
                if slowly && runs {
                    job.step(3)?;
                    job.take_checkpoint();
                }
                fs::File::options().write(true).truncate(true).open(&path).unwrap();
            }
        }
        Doing::Rewrite => logs.rewrite(),
        Doing::Compress => {
            // Half a line would count as one once it is old.
            logs.write(0, false);
            job.settle()?;
            job.take_checkpoint();
            logs.compress();
        }
        Doing::Away => {
            // What was planned is open by then; and what was truncated has been noticed, because its copy could
            // not be found meanwhile, which ends the job.
            job.catch_up()?;
            logs.move_all("", "away");
            job.step(3)?;
            logs.move_all("away", "");
        }
        Doing::Read(most) => job.step(usize::from(most) + 1)?,
        Doing::Settle => {
            logs.write(0, false);
            job.settle()?;
        }
        Doing::Checkpoint => job.take_checkpoint(),
        Doing::Die => job.die()?,
        Doing::Down(all) => {
            for doing in all {
                match doing {
                    Doing::Write(..) | Doing::Rename | Doing::Copy(_) | Doing::Rewrite => {
                        carry_out(logs, job, doing, false)?;
                    }
                    _ => {}
                }
            }
            job.die()?;
        }
    }
    Ok(())
}

fn doing() -> impl Strategy<Value = Doing> {
    let simple = prop_oneof![
        4 => (0..20_u16, any::<bool>()).prop_map(|(lines, half)| Doing::Write(lines, half)),
        1 => Just(Doing::Rename),
        2 => any::<bool>().prop_map(Doing::Copy),
        1 => Just(Doing::Rewrite),
    ];
    prop_oneof![
        4 => simple.clone(),
        4 => (0..8_u8).prop_map(Doing::Read),
        1 => Just(Doing::Settle),
        2 => Just(Doing::Checkpoint),
        1 => Just(Doing::Compress),
        1 => Just(Doing::Away),
        1 => Just(Doing::Die),
        1 => proptest::collection::vec(simple, 1..5).prop_map(Doing::Down),
    ]
}

/// All numbers once, whatever was done.
fn once(naming: Naming, all: Vec<Doing>, seed: u64) {
    let mut logs = Logs::new(naming, 0);
    let mut job = Job::new(followed(&logs.folder), seed).unwrap();
    for doing in all {
        carry_out(&mut logs, &mut job, doing, true).unwrap();
    }
    logs.write(1, false);
    job.settle().unwrap();
    let mut seen = job.seen.records;
    seen.sort_unstable();
    assert!(job.seen.bad.is_empty(), "{:?}", job.seen.bad);
    assert_eq!(seen, (0..logs.written).collect::<Vec<_>>());
}

/// A folder is renamed and comes back, a disk is mounted late: what was read is not new.
#[test]
fn finished_files_that_are_away_for_a_while_are_not_read_again() {
    for restarts in [false, true] {
        for is_copied in [false, true] {
            let logs = Logs::new(Naming::Behind, 0);
            for (name, line) in [("app.log", "1\n"), ("app.log.1", "2\n"), ("app.log.2.gz", "3\n")]
            {
                logs.folder.write(name, line);
            }
            let mut job = Job::new(followed(&logs.folder), 1).unwrap();
            job.settle().unwrap();
            job.take_checkpoint();
            logs.move_all("", "away");
            if restarts {
                job.die().unwrap();
            }
            job.settle().unwrap();
            if is_copied {
                // As after a mount: every number is another.
                for entry in fs::read_dir(logs.path("away")).unwrap().map(Result::unwrap) {
                    let path = entry.path();
                    fs::copy(&path, path.with_extension("copy")).unwrap();
                    fs::rename(path.with_extension("copy"), path).unwrap();
                }
            }
            logs.move_all("away", "");
            job.settle().unwrap();
            logs.append("4\n");
            job.settle().unwrap();
            let mut seen = job.seen.records;
            seen.sort_unstable();
            assert_eq!(seen, [1, 2, 3, 4], "restarts: {restarts}, copied: {is_copied}");
        }
    }
}

/// What logrotate does with numbers and without delay: each log is compressed under the name that another had.
#[test]
fn logs_are_compressed_under_a_name_that_another_compressed_one_had() {
    for lines in [10, 200] {
        let mut logs = Logs::new(Naming::Behind, 0);
        let mut job = Job::new(followed(&logs.folder), 1).unwrap();
        for _ in 0..4 {
            logs.write(lines, false);
            job.catch_up().unwrap();
            logs.rename();
            logs.write(lines, false);
            job.catch_up().unwrap();
            logs.compress();
            job.catch_up().unwrap();
        }
        job.die().unwrap();
        job.settle().unwrap();
        let mut seen = job.seen.records;
        seen.sort_unstable();
        assert_eq!(seen, (0..logs.written).collect::<Vec<_>>());
    }
}

/// The number of a file that was deleted is given to another, which nobody has asked for.
#[test]
fn a_file_that_was_not_asked_for_is_not_read_whatever_its_number_is() {
    let logs = Logs::new(Naming::Behind, 0);
    let path = logs.path("app.log");
    let given = path.clone();
    for text in ["", "1\n"] {
        fs::write(&path, text).unwrap();
        let only = given.clone();
        let make = move || JsonLines::new([only.clone()]).follow().look_every(Duration::ZERO);
        let mut job = Job::new(make, 1).unwrap();
        job.catch_up().unwrap();
        job.take_checkpoint();
        let seen = job.seen.records.len();
        // It has the number now.
        fs::rename(&path, logs.path(".old-backup")).unwrap();
        append(&logs.path(".old-backup"), b"7\n");
        fs::write(&path, format!("{text}2\n")).unwrap();
        job.die().unwrap();
        job.catch_up().unwrap();
        assert_eq!(job.seen.records[seen..], [2], "{text:?}");
    }
}

/// It may still be being written, but not for ever.
#[test]
fn a_compressed_file_that_is_cut_off_is_waited_for_and_then_bad_input() {
    let logs = Logs::new(Naming::Behind, 0);
    let lines: String = (0..20_000).map(|line| format!("{line}\n")).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(lines.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    let path = logs.path("app.log.1.gz");
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let mut job = Job::new(followed(&logs.folder), 1).unwrap();
    job.catch_up().unwrap();
    let half = job.seen.records.len();
    assert!((1..20_000).contains(&half));
    fs::write(&path, &bytes).unwrap();
    job.catch_up().unwrap();
    assert_eq!(job.seen.records, (0..20_000).collect::<Vec<_>>());
    // One that holds the same may be a copy.
    let other = packed(&path, lines.replace('1', "7").as_bytes());
    fs::write(logs.path("app.log.2.gz"), &other[..other.len() / 2]).unwrap();
    let error = job.settle().unwrap_err();
    assert_eq!(error.kind(), steadfast_core::ErrorKind::BadInput, "{error}");
    assert!(error.to_string().contains("app.log.2.gz"), "{error}");
}

/// Whoever writes is slow: what is there of a line after a long time counts as one, and its rest is bad input.
#[test]
fn the_rest_of_a_line_that_was_waited_for_too_long_is_bad_input() {
    let mut logs = Logs::new(Naming::Behind, 10);
    let mut job = Job::new(followed(&logs.folder), 1).unwrap();
    logs.write(1, true);
    job.settle().unwrap();
    assert_eq!(job.seen.records, [10, 1]);
    logs.write(2, false);
    job.settle().unwrap();
    assert_eq!(job.seen.records, [10, 1, 12, 13]);
    assert_eq!(job.seen.bad_raw(), [(4, &b"1"[..])]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_line_is_read_once_however_the_logs_are_rotated_and_whoever_dies(
        naming in prop_oneof![Just(Naming::Behind), Just(Naming::Within)],
        all in proptest::collection::vec(doing(), 1..40),
        seed in any::<u64>(),
    ) {
        once(naming, all, seed);
    }
}
