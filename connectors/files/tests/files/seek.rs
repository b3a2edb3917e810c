//! Positions that a person chooses.

use std::fs;

use proptest::prelude::*;
use steadfast_core::source::{Resumed, Seek, SeekTo, Source};
use steadfast_core::{Error, Result};
use steadfast_files::{Csv, JsonLines};

use crate::followed_logs::{Job, Logs, Naming, followed};
use crate::support::*;

const NAMES: [&str; 3] = ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"];

fn lines(from: u64, to: u64) -> String {
    (from..to).map(|number| format!("{number}\n")).collect()
}

fn sought(source: &JsonLines<u64>, stops: Stops, seeks: &[Seek]) -> Result<Stops> {
    let Stops { splits, finished, .. } = stops;
    let resumed = Resumed { splits, finished };
    let sought = seeks.iter().try_fold(resumed, |resumed, seek| source.seek(resumed, seek))?;
    Ok(Stops { splits: sought.splits, finished: sought.finished, ..Stops::default() })
}

/// What is read from there on, in order.
fn rest(source: &JsonLines<u64>, stops: Stops) -> Vec<u64> {
    let mut seen = Seen::new();
    run(source, stops, 2, usize::MAX, &mut Dice(1), &mut seen).unwrap();
    assert!(seen.bad.is_empty());
    seen.records.sort_unstable();
    seen.records
}

fn position(at: usize) -> SeekTo {
    SeekTo::Position(at.to_string())
}

proptest! {
    /// One file is read from a line on, however much of it was read; the other one goes on where it was.
    #[test]
    fn a_file_is_read_from_the_line_that_was_chosen(
        (count, line) in (1..300_u64).prop_flat_map(|count| (Just(count), 0..=count)),
        (name, part_bytes, polls, seed) in (0..3_usize, 1..2000_u64, 0..60_usize, any::<u64>()),
        has_end in any::<bool>(),
    ) {
        let folder = Folder::new();
        let text = lines(1000, 1000 + count);
        let bytes = if has_end || line == count { text.len() } else { text.len() - 1 };
        let chosen = folder.write(NAMES[name], &text.as_bytes()[..bytes]);
        let other = folder.write("b.jsonl", lines(5000, 5100).as_bytes());
        let source = JsonLines::<u64>::new([&chosen, &other]).split_bytes(part_bytes);
        let (mut dice, mut seen) = (Dice(seed), Seen::new());
        let (mut stops, _) = run(&source, Stops::default(), 2, polls, &mut dice, &mut seen).unwrap();
        stops.remember(&source, &mut dice);
        let read = |record: &u64| !seen.records.contains(record);
        let expected: Vec<u64> = (1000 + line..1000 + count).chain((5000..5100).filter(read)).collect();
        let at = lines(1000, 1000 + line).len();
        let seek = Seek::split(NAMES[name], position(at));
        let stops = sought(&source, stops, &[seek]).unwrap();
        prop_assert_eq!(rest(&source, stops), expected);
    }
}

#[test]
fn the_beginning_and_the_end_of_a_file_or_of_all_are_places() {
    for name in NAMES {
        let folder = Folder::new();
        // The last line is not whole yet.
        let one = folder.write(name, format!("{}7", lines(0, 5_000)).as_bytes());
        let other = folder.write("b.jsonl", lines(8_000, 8_010).as_bytes());
        let source = JsonLines::<u64>::new([&one, &other]);
        let all: Vec<u64> = [7].into_iter().chain(0..5_000).chain(8_000..8_010).collect();
        let sorted = |mut numbers: Vec<u64>| {
            numbers.sort_unstable();
            numbers
        };
        let (_, splits) = read_on(&source, Vec::new()).unwrap();
        let half = sorted([7].into_iter().chain(8_000..8_010).collect());
        let cases = [
            (vec![Seek::all(SeekTo::Beginning)], sorted(all)),
            (vec![Seek::split("b.jsonl", SeekTo::Beginning)], (8_000..8_010).collect()),
            (vec![Seek::split(name, SeekTo::End)], vec![7]),
            (vec![Seek::all(SeekTo::End)], vec![7]),
            (vec![Seek::all(SeekTo::Beginning), Seek::split(name, SeekTo::End)], half),
        ];
        for (seeks, expected) in cases {
            let finished = splits.iter().map(|split| source.remember(split).unwrap()).collect();
            let remembered = Stops { finished, ..Stops::default() };
            for stops in [Stops::from(splits.clone()), remembered] {
                let stops = sought(&source, stops, &seeks).unwrap();
                assert_eq!(rest(&source, stops), expected, "{name}: {seeks:?}");
            }
        }
    }
}

/// As `tail -f` does, and from then on as ever.
#[test]
fn a_job_that_follows_files_can_begin_at_their_ends() {
    for naming in [Naming::Behind, Naming::Within] {
        let mut logs = Logs::new(naming, 0);
        logs.write(2_000, false);
        logs.shift();
        fs::rename(logs.path("app.log"), logs.rotated(1)).unwrap();
        logs.write(50, false);
        let mut job = Job::new(followed(&logs.folder), 1).unwrap();
        job.checkpoint.0 =
            sought(&job.source, Stops::default(), &[Seek::all(SeekTo::End)]).unwrap();
        job.die().unwrap();
        job.catch_up().unwrap();
        assert!(job.seen.records.is_empty());
        let old = logs.written;
        logs.write(10, false);
        job.catch_up().unwrap();
        logs.shift();
        fs::rename(logs.path("app.log"), logs.rotated(1)).unwrap();
        logs.write(10, false);
        job.catch_up().unwrap();
        job.take_checkpoint();
        assert_eq!(job.seen.records, (old..logs.written).collect::<Vec<_>>(), "{naming:?}");

        let (stops, _) = job.checkpoint.clone();
        let again = [Seek::split("app.log", SeekTo::Beginning)];
        job.checkpoint = (sought(&job.source, stops, &again).unwrap(), 0);
        job.die().unwrap();
        job.catch_up().unwrap();
        assert_eq!(job.seen.records, (old + 10..logs.written).collect::<Vec<_>>(), "{naming:?}");
    }
}

#[test]
fn what_is_no_place_is_refused_with_what_would_be_one() {
    let folder = Folder::new();
    let one = folder.write("logs.jsonl", b"1\n22\n");
    fs::create_dir(folder.path("other")).unwrap();
    let other = folder.write("other/logs.jsonl", b"333\n");
    let packed = folder.write("packed.jsonl.gz", b"1\n22\n");
    let source = JsonLines::<u64>::new([&one, &other, &packed]);
    let name = one.to_str().unwrap();
    let refused = |seek: Seek| -> Error {
        sought(&source, Stops::default(), &[seek]).err().expect("it is no place")
    };
    let cases = [
        (Seek::split(name, position(1)), "no line begins at byte 1"),
        (Seek::split(name, position(6)), "the file ends before byte 6"),
        (Seek::split("packed.jsonl.gz", position(6)), "the file ends before byte 6"),
        (Seek::split("packed.jsonl.gz", position(4)), "no line begins at byte 4"),
        (Seek::split(name, SeekTo::Position("-1".into())), "'-1' is no position"),
        (Seek::split("nowhere.jsonl", SeekTo::End), "there is no such file in the input"),
        (Seek::split("ogs.jsonl", SeekTo::End), "there is no such file in the input"),
        (Seek::split("logs.jsonl", SeekTo::End), "several files of the input are called so"),
        (Seek::all(position(2)), "say which file is meant"),
    ];
    for (seek, what) in cases {
        let error = refused(seek.clone());
        assert_eq!(error.code(), "SF0318");
        assert!(error.to_string().contains(what), "{seek}: {error}");
    }
    assert!(sought(&source, Stops::default(), &[Seek::split(name, position(5))]).is_ok());
    assert!(
        sought(&source, Stops::default(), &[Seek::split("other/logs.jsonl", position(0))]).is_ok()
    );

    let table = folder.write("table.csv", b"a\n1\n");
    let csv = Csv::<u64>::new([&table]);
    assert!(csv.seek(Resumed::default(), &Seek::all(SeekTo::End)).is_err());
    assert!(csv.seek(Resumed::default(), &Seek::all(SeekTo::Beginning)).is_ok());
}
