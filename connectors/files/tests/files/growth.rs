//! Files that grow, shrink or go away between two runs, or in the middle of one.

use std::collections::BTreeMap;
use std::fs;
use std::task::Waker;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use steadfast_core::ErrorKind;
use steadfast_core::source::{PollLimit, Polled, Source, SplitReader};
use steadfast_files::{Csv, FileSplit, JsonLines};

use crate::support::*;

/// Grows a file by `pieces`, before and in the middle of runs that stop anywhere; then reads the
/// rest. Returns what was seen, and the lengths of the contents between pieces.
fn read_while_growing<S: Source<Split = FileSplit>>(
    source: &S,
    path: &std::path::Path,
    pieces: &[Vec<u8>],
    seed: u64,
) -> (Seen<S::Item>, Vec<u64>) {
    let mut dice = Dice(seed);
    let (mut stops, mut seen, mut lengths) = (Stops::default(), Seen::new(), vec![0]);
    for piece in pieces {
        append(path, piece);
        lengths.push(lengths[lengths.len() - 1] + piece.len() as u64);
        let runs = dice.below(3);
        for _ in 0..runs {
            let polls = if dice.below(3) == 0 { usize::MAX } else { dice.below(6) };
            (stops, _) = run(source, stops, 2, polls, &mut dice, &mut seen).unwrap();
            stops.remember(source, &mut dice);
        }
    }
    let mut more = true;
    while more {
        (stops, more) = run(source, stops, 2, usize::MAX, &mut dice, &mut seen).unwrap();
    }
    let resumed =
        steadfast_core::source::Resumed { splits: stops.splits, finished: stops.finished };
    assert!(source.plan(resumed, 2).unwrap().splits.iter().all(|status| status.finished));
    (seen, lengths)
}

/// CheckpointProgress `bytes` into pieces at random places.
fn pieces(bytes: &[u8], checkpoints: Vec<prop::sample::Index>) -> Vec<Vec<u8>> {
    let mut checkpoints: Vec<usize> =
        checkpoints.into_iter().map(|checkpoint| checkpoint.index(bytes.len() + 1)).collect();
    checkpoints.extend([0, bytes.len()]);
    checkpoints.sort_unstable();
    checkpoints.dedup();
    checkpoints.windows(2).map(|checkpoint| bytes[checkpoint[0]..checkpoint[1]].to_vec()).collect()
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Row {
    n: usize,
    text: String,
}

/// Every row that was never half there is a record. A row that was is either a record as a whole,
/// if nobody looked when it was half there, or its end is in a bad record. Nothing is seen twice.
fn check_rows(
    rows: &[(std::ops::Range<u64>, Row)],
    seen: &Seen<Row>,
    lengths: &[u64],
) -> Result<(), TestCaseError> {
    let mut records: BTreeMap<usize, &Row> = BTreeMap::new();
    for record in &seen.records {
        prop_assert!(records.insert(record.n, record).is_none(), "twice: {record:?}");
    }
    let mut covered: BTreeMap<u64, usize> = BTreeMap::new();
    for (nth, bad) in seen.bad.iter().enumerate() {
        for byte in bad.offset..bad.offset + bad.raw.len() as u64 {
            prop_assert!(covered.insert(byte, nth).is_none(), "byte {byte} twice: {:?}", seen.bad);
        }
    }
    for (range, row) in rows {
        let bad = (range.start..range.end).filter(|byte| covered.contains_key(byte)).count();
        let was_half = lengths.iter().any(|length| range.start < *length && *length < range.end);
        if records.get(&row.n) == Some(&row) && bad == 0 {
            continue;
        }
        prop_assert!(was_half, "lost: {row:?}, {bad} bytes of it bad");
        prop_assert!(covered.contains_key(&(range.end - 1)), "silence about {row:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn json_lines_that_grow_anywhere_are_never_lost_and_never_read_twice(
        texts in vec("[a-z]{0,30}", 1..30),
        checkpoints in vec(any::<prop::sample::Index>(), 0..8),
        split_bytes in 1..60_u64,
        packing in prop::sample::select(vec!["", ".gz", ".zst"]),
        seed: u64,
    ) {
        let (mut bytes, mut rows) = (Vec::new(), Vec::new());
        for (n, text) in texts.into_iter().enumerate() {
            let row = Row { n, text };
            let start = bytes.len() as u64;
            serde_json::to_writer(&mut bytes, &row).unwrap();
            rows.push((start..bytes.len() as u64, row));
            bytes.push(b'\n');
        }
        let folder = Folder::new();
        let path = folder.write(&format!("grows.jsonl{packing}"), "");
        let source = JsonLines::<Row>::new([&path]).split_bytes(split_bytes);
        let (seen, lengths) = read_while_growing(&source, &path, &pieces(&bytes, checkpoints), seed);
        check_rows(&rows, &seen, &lengths)?;
    }

    #[test]
    fn csv_that_grows_anywhere_is_never_lost_and_never_read_twice(
        texts in vec("[a-z\n\", ]{0,20}", 1..30),
        checkpoints in vec(any::<prop::sample::Index>(), 0..8),
        packing in prop::sample::select(vec!["", ".gz", ".zst"]),
        line_end in prop::sample::select(vec!["\n", "\r\n"]),
        seed: u64,
    ) {
        let (mut bytes, mut rows) = (format!("n,text{line_end}").into_bytes(), Vec::new());
        for (n, text) in texts.into_iter().enumerate() {
            let start = bytes.len() as u64;
            bytes.extend(format!("{},\"{}\"", n + 100, text.replace('"', "\"\"")).into_bytes());
            rows.push((start..bytes.len() as u64, Row { n: n + 100, text }));
            bytes.extend_from_slice(line_end.as_bytes());
        }
        let folder = Folder::new();
        let path = folder.write(&format!("grows.csv{packing}"), "");
        let source = Csv::<Row>::new([&path]);
        let (seen, lengths) = read_while_growing(&source, &path, &pieces(&bytes, checkpoints), seed);
        check_rows(&rows, &seen, &lengths)?;
    }
}

#[test]
fn what_is_added_behind_the_end_is_found_by_the_next_run() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "1\n2\n");
    let source = JsonLines::<u8>::new([&path]);
    let (seen, splits) = read_on(&source, Vec::new()).unwrap();
    assert_eq!(seen.records, [1, 2]);
    append(&path, b"3\n");
    let (seen, splits) = read_on(&source, splits).unwrap();
    assert_eq!(seen.records, [3]);
    assert!(read_on(&source, splits).unwrap().0.records.is_empty());
}

#[test]
fn the_rest_of_a_half_line_is_bad_even_if_it_looks_like_a_record() {
    for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"] {
        let folder = Folder::new();
        let path = folder.write(name, "1\n2");
        let source = JsonLines::<u8>::new([&path]);
        let (seen, splits) = read_on(&source, Vec::new()).unwrap();
        assert_eq!(seen.records, [1, 2]);
        append(&path, b"3");
        let (seen, splits) = read_on(&source, splits).unwrap();
        assert_eq!((seen.records.len(), seen.bad_raw()), (0, vec![(3, &b"3"[..])]));
        append(&path, b"4\n5\n");
        let (seen, _) = read_on(&source, splits).unwrap();
        assert_eq!((&seen.records[..], seen.bad_raw()), (&[5][..], vec![(4, &b"4"[..])]), "{name}");
    }
}

#[test]
fn a_missing_line_end_that_comes_later_is_nothing_bad() {
    for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"] {
        for added in ["\n", "\r\n", " \n"] {
            let folder = Folder::new();
            let path = folder.write(name, "1\n2");
            let source = JsonLines::<u8>::new([&path]);
            let (_, splits) = read_on(&source, Vec::new()).unwrap();
            append(&path, format!("{added}3\n").as_bytes());
            let (seen, _) = read_on(&source, splits).unwrap();
            assert_eq!((&seen.records[..], seen.bad.len()), (&[3][..], 0), "{name}");
        }
    }
}

#[test]
fn a_line_that_was_half_there_but_not_read_is_whole_when_it_is_read() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "1\n2");
    let source = JsonLines::<u16>::new([&path]).split_bytes(1);
    let planned = source.splits(Vec::new(), 1).unwrap().iter().map(stored).collect();
    append(&path, b"34\n5\n");
    let mut seen = read_on(&source, planned).unwrap().0;
    seen.records.sort();
    assert_eq!((&seen.records[..], seen.bad.len()), (&[1, 5, 234][..], 0));
}

#[test]
fn all_readers_of_one_run_see_the_same_file() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "1\n2");
    let source = JsonLines::<u16>::new([&path]).split_bytes(1);
    let (mut seen, mut splits) = (Seen::new(), Vec::new());
    for status in source.splits(Vec::new(), 1).unwrap() {
        append(&path, b"3");
        let mut reader = source.open(status.split, Waker::noop()).unwrap();
        while reader.poll(PollLimit::records(1), NOW, &mut seen).unwrap() != Polled::End {}
        splits.push(reader.split());
    }
    assert_eq!(seen.records, [1, 2]);
    append(&path, b"\n4\n");
    let (seen, _) = read_on(&source, splits).unwrap();
    assert_eq!((&seen.records[..], seen.bad_raw()), (&[4][..], vec![(3, &b"333"[..])]));
}

#[test]
fn a_file_that_became_shorter_is_refused() {
    for name in ["a.jsonl", "a.jsonl.gz", "a.csv"] {
        let folder = Folder::new();
        let path = folder.write(name, "1\n2\n3\n4\n5\n");
        let json = JsonLines::<u8>::new([&path]);
        let csv = Csv::<u8>::new([&path]);
        let again = |splits: Vec<FileSplit>| match name {
            "a.csv" => csv.splits(splits, 1).unwrap_err(),
            _ => json.splits(splits, 1).unwrap_err(),
        };
        let splits = match name {
            "a.csv" => read_on(&csv, Vec::new()).unwrap().1,
            _ => read_on(&json, Vec::new()).unwrap().1,
        };
        fs::write(&path, packed(&path, b"1\n")).unwrap();
        let error = again(splits);
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_finished_file_may_go_away_and_an_unfinished_one_may_not() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "1\n2\n3\n");
    let other = folder.write("b.jsonl", "4\n");
    let source = JsonLines::<u8>::new([&path, &other]);
    let halfway = {
        let mut reader = source
            .open(source.splits(Vec::new(), 1).unwrap().remove(0).split, Waker::noop())
            .unwrap();
        reader.poll(PollLimit::records(1), NOW, &mut Seen::new()).unwrap();
        reader.split()
    };
    let (_, finished) = read_on(&source, Vec::new()).unwrap();

    // No longer asked for.
    let fewer = JsonLines::<u8>::new([&other]);
    let all = fewer.splits(finished.clone(), 1).unwrap();
    assert!(all.len() == 2 && all.iter().all(|status| status.finished));
    let error = fewer.splits(vec![halfway.clone()], 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("a.jsonl"), "{error}");

    // Asked for, but removed.
    fs::remove_file(&path).unwrap();
    let all = source.splits(finished, 1).unwrap();
    assert!(all.len() == 2 && all.iter().all(|status| status.finished));
    assert_eq!(source.splits(vec![halfway], 1).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn finished_neighbours_become_one() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "1\n2\n3\n4\n");
    let source = JsonLines::<u8>::new([&path]).split_bytes(2);
    let mut splits = source.splits(Vec::new(), 1).unwrap();
    assert_eq!(splits.len(), 4);
    // The second is not read.
    let unread = splits.remove(1).split;
    let mut stops = vec![unread];
    for status in splits {
        let mut reader = source.open(status.split, Waker::noop()).unwrap();
        while reader.poll(PollLimit::records(10), NOW, &mut Seen::new()).unwrap() != Polled::End {}
        stops.push(reader.split());
    }
    let all = source.splits(stops, 1).unwrap();
    let shape: Vec<_> = all.iter().map(|s| (s.split.start, s.split.end, s.finished)).collect();
    assert_eq!(shape, [(0, Some(2), true), (2, Some(4), false), (4, Some(8), true)]);
    let (_, splits) = read_on(&source, all.iter().map(stored).collect()).unwrap();
    assert_eq!(source.splits(splits, 1).unwrap().len(), 1);
}

#[test]
fn positions_of_another_kind_of_source_are_refused() {
    let folder = Folder::new();
    let path = folder.write("a.txt", "1\n2\n3\n");
    let json = JsonLines::<u8>::new([&path]).split_bytes(2);
    let csv = Csv::<u8>::new([&path]);
    let stored_of = |all: Vec<_>| all.iter().map(stored).collect::<Vec<FileSplit>>();
    let of_json = stored_of(json.splits(Vec::new(), 1).unwrap());
    let of_csv = stored_of(csv.splits(Vec::new(), 1).unwrap());
    assert_eq!(csv.splits(of_json, 1).unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(json.splits(of_csv, 1).unwrap_err().kind(), ErrorKind::Configuration);
}
