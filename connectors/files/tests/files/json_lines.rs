//! JSON Lines: every line exactly once, however the file is divided and wherever reading stops.

use std::fs;
use std::task::Waker;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use steadfast_core::ErrorKind;
use steadfast_core::source::{
    BadRecord, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader,
};
use steadfast_files::JsonLines;

use crate::support::*;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Click {
    n: usize,
    text: String,
}

#[derive(Clone, Debug)]
enum Kind {
    Click(String),
    Blank(&'static str),
}

fn kinds() -> impl Strategy<Value = Vec<(Kind, bool)>> {
    let click = "[a-zé\u{1F980}\"\\\\ ]{0,40}".prop_map(Kind::Click);
    let blank = prop::sample::select(vec!["", " ", "\t  "]).prop_map(Kind::Blank);
    vec((prop_oneof![4 => click, 1 => blank], any::<bool>()), 0..60)
}

/// The file and the records in it.
fn file(kinds: Vec<(Kind, bool)>, final_line_end: bool) -> (Vec<u8>, Vec<Click>) {
    let (mut bytes, mut clicks) = (Vec::new(), Vec::new());
    let count = kinds.len();
    for (n, (kind, crlf)) in kinds.into_iter().enumerate() {
        match kind {
            Kind::Click(text) => {
                let click = Click { n, text };
                serde_json::to_writer(&mut bytes, &click).unwrap();
                clicks.push(click);
            }
            Kind::Blank(text) => bytes.extend_from_slice(text.as_bytes()),
        }
        if n + 1 < count || final_line_end {
            bytes.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        }
    }
    (bytes, clicks)
}

proptest! {
    #[test]
    fn every_line_is_read_exactly_once_whatever_the_parts_and_the_stops(
        kinds in kinds(),
        final_line_end: bool,
        split_bytes in 1..200_u64,
        readers in 1..6_usize,
        packing in prop::sample::select(vec!["", ".gz", ".zst"]),
        seed: u64,
    ) {
        let (bytes, clicks) = file(kinds, final_line_end);
        let folder = Folder::new();
        let path = folder.write(&format!("clicks.jsonl{packing}"), &bytes);
        let source = JsonLines::<Click>::new([&path]).split_bytes(split_bytes);
        let (mut seen, splits) = read_with_stops(&source, readers, seed).unwrap();
        seen.records.sort();
        prop_assert_eq!(&seen.records, &clicks);
        prop_assert_eq!(&seen.bad, &[]);
        // Nothing is left to do, and the progress has come to its end exactly.
        let again = source.splits(splits, readers).unwrap();
        prop_assert!(again.iter().all(|status| status.finished));
        let done: u64 = again.iter().map(|status| status.done).sum();
        prop_assert_eq!(Some(done), source.total());
        if packing.is_empty() {
            prop_assert_eq!(Some(seen.advanced), source.total());
        }
    }

    #[test]
    fn any_bytes_are_records_or_bad_records_and_nothing_is_lost(
        pieces in vec(prop_oneof![
            vec(any::<u8>(), 0..30),
            prop::sample::select(vec!["{\"a\":1}", "[1,2", "7", "\n", "\r\n", " ", "\"é\"", "\n\n", "nul", "1e999"])
                .prop_map(|text| text.as_bytes().to_vec()),
        ], 0..40),
        split_bytes in 1..200_u64,
        longest in 0..60_usize,
        seed: u64,
    ) {
        let bytes = pieces.concat();
        let folder = Folder::new();
        let path = folder.write("any.jsonl", &bytes);
        let source = JsonLines::<Value>::new([path]).split_bytes(split_bytes).longest_line(longest);
        let (seen, _) = read_with_stops(&source, 3, seed).unwrap();

        let (mut records, mut bad, mut offset) = (Vec::new(), Vec::new(), 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            match serde_json::from_slice::<Value>(text) {
                _ if text.len() > longest => bad.push((offset, text)),
                Ok(value) => records.push(value.to_string()),
                Err(_) if text.trim_ascii().is_empty() => {}
                Err(_) => bad.push((offset, text)),
            }
            offset += line.len() as u64;
        }
        let mut seen_records: Vec<_> = seen.records.iter().map(Value::to_string).collect();
        seen_records.sort();
        records.sort();
        prop_assert_eq!(seen_records, records);
        prop_assert_eq!(seen.bad_raw(), bad);
    }
}

#[test]
fn a_position_is_kept_until_something_is_handed_over() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "1\n2\n3\n4\n");
    let source = JsonLines::<u64>::new([path]).split_bytes(3);
    for status in source.splits(Vec::new(), 1).unwrap() {
        let reader = source.open(status.split.clone(), Waker::noop()).unwrap();
        let (before, opened) = (status.split, reader.split());
        assert_eq!(
            (opened.start, opened.next, opened.end),
            (before.start, before.next, before.end)
        );
    }
}

#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "1\n2\n3\n");
    let source = JsonLines::<u64>::new([&path, &path]).split_bytes(2);
    let (seen, splits) = read_with_stops(&source, 2, 7).unwrap();
    assert_eq!(seen.records.len(), 3);
    assert_eq!(source.total(), Some(6));
    assert!(read_on(&source, splits).unwrap().0.records.is_empty());
}

#[test]
fn a_large_file_is_divided_among_the_readers_and_a_small_one_is_not() {
    let folder = Folder::new();
    let line = format!("\"{}\"\n", "x".repeat(1021));
    let path = folder.write("large.jsonl", line.repeat(4 * 1024));
    let source = JsonLines::<String>::new([&path]);
    assert_eq!(source.splits(Vec::new(), 2).unwrap().len(), 4);
    assert_eq!(read(&source).unwrap().records.len(), 4 * 1024);
    let small = folder.write("small.jsonl", &line);
    assert_eq!(JsonLines::<String>::new([small]).splits(Vec::new(), 2).unwrap().len(), 1);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = Folder::new();
    let path = folder.path("missing.jsonl");
    let error = JsonLines::<u64>::new([path]).splits(Vec::new(), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("missing.jsonl"), "{error}");
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "1\n".repeat(1000));
    let source = JsonLines::<u64>::new([&path]);
    let status = source.splits(Vec::new(), 1).unwrap().remove(0);
    fs::write(&path, "1\n").unwrap();
    let mut reader = source.open(status.split, Waker::noop()).unwrap();
    let error = reader.poll(PollLimit::records(2000), NOW, &mut Seen::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("shorter"), "{error}");
}

#[test]
fn a_poll_ends_when_it_has_read_so_many_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.jsonl");
    let line = format!("\"{}\"\n", "x".repeat(100_000));
    std::fs::write(&path, line.repeat(20)).unwrap();
    let source = JsonLines::<String>::new([&path]).split_bytes(1 << 40);
    let split = source.splits(Vec::new(), 1).unwrap().remove(0).split;
    let mut reader = source.open(split, Waker::noop()).unwrap();
    let limit = PollLimit { records: 1000, bytes: 250_000 };
    let mut polls = Vec::new();
    loop {
        let mut seen = Weighing::default();
        let polled = reader.poll(limit, NOW, &mut seen).unwrap();
        polls.push(seen.records);
        assert_eq!(seen.weight, seen.records * line.len());
        if polled == Polled::End {
            break;
        }
    }
    assert_eq!(polls.iter().sum::<usize>(), 20);
    assert!(polls.iter().all(|records| *records <= 3), "{polls:?}");
}

/// Counts records and what they weigh.
#[derive(Default)]
struct Weighing {
    records: usize,
    weight: usize,
}

impl SourceOutput<String> for Weighing {
    fn push(&mut self, _: String) -> steadfast_core::Result<()> {
        self.records += 1;
        Ok(())
    }
    fn reject(&mut self, bad: BadRecord) -> steadfast_core::Result<()> {
        panic!("{bad:?}")
    }
    fn advance(&mut self, _: u64) {}
    fn weigh(&mut self, bytes: usize) {
        self.weight += bytes;
    }
}

/// Row A7 of the attack of 2026-11-22.
#[test]
fn a_file_is_the_same_however_it_is_called() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "1\n2\n");
    std::fs::create_dir(folder.path("d")).unwrap();
    std::os::unix::fs::symlink(&path, folder.path("link.jsonl")).unwrap();
    let names = [path.clone(), folder.path("d/../a.jsonl"), folder.path("link.jsonl")];
    let once = read(&JsonLines::<u64>::new(names.clone())).unwrap();
    assert_eq!(once.records, [1, 2]);
    let (_, finished) = read_on(&JsonLines::<u64>::new([&names[0]]), Vec::new()).unwrap();
    for name in &names[1..] {
        append(&path, b"3\n");
        let source = JsonLines::<u64>::new([name]);
        let (more, _) = read_on(&source, finished.clone()).unwrap();
        assert!(more.records.iter().all(|record| *record == 3), "{:?}", more.records);
    }
}

/// Row B6 of the attack of 2026-11-22: only what is not there has been cleaned away.
#[test]
fn a_file_that_cannot_be_looked_at_is_not_taken_for_one_that_was_cleaned_away() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("d")).unwrap();
    let path = folder.write("d/a.jsonl", "1\n");
    let source = JsonLines::<u64>::new([&path]);
    let (_, finished) = read_on(&source, Vec::new()).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(source.splits(finished.clone(), 1).unwrap().len(), 1);
    std::fs::remove_dir(folder.path("d")).unwrap();
    folder.write("d", "");
    assert_eq!(source.splits(finished, 1).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn parts_of_no_bytes_are_refused() {
    let folder = Folder::new();
    let path = folder.write("in.jsonl", "1\n");
    let error =
        JsonLines::<u64>::new([path]).split_bytes(0).plan(Resumed::default(), 1).unwrap_err();
    assert_eq!(error.code(), "SF0318");
}
