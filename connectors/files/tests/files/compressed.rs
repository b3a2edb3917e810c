//! Compressed files: the same records as plain ones, and damage is never passed over.

use std::fs;
use std::task::Waker;

use serde_json::Value;
use steadfast_core::ErrorKind;
use steadfast_core::source::{PollLimit, Source, SplitReader};
use steadfast_files::{FileSplit, JsonLines};

use crate::support::*;

/// Lines that do not compress to nothing, some of them bad.
fn lines(count: u64) -> String {
    let line = |n: u64| match n % 10 {
        7 => format!("bad {n}\n"),
        _ => format!("{{\"n\":{n},\"noise\":{}}}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    };
    (0..count).map(line).collect()
}

#[test]
fn records_positions_and_bad_lines_are_those_of_the_plain_file() {
    let folder = Folder::new();
    let plain = read(&JsonLines::<Value>::new([folder.write("a.jsonl", lines(5000))])).unwrap();
    assert_eq!((plain.records.len(), plain.bad.len()), (4500, 500));
    for name in ["a.jsonl.gz", "a.jsonl.zst"] {
        let source = JsonLines::<Value>::new([folder.write(name, lines(5000))]);
        let packed = read(&source).unwrap();
        assert_eq!(packed.records, plain.records);
        assert_eq!(packed.bad_raw(), plain.bad_raw());
        assert_eq!(Some(packed.advanced), source.total());
    }
}

#[test]
fn reading_resumes_at_every_position() {
    for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"] {
        let folder = Folder::new();
        let source = JsonLines::<Value>::new([folder.write(name, lines(60))]);
        let whole = read(&source).unwrap();
        let status = source.splits(Vec::new(), 1).unwrap().remove(0);
        let mut reader = source.open(status.split, Waker::noop()).unwrap();
        let mut seen = Seen::new();
        for handed_over in 1..=60 {
            reader.poll(PollLimit::records(1), NOW, &mut seen).unwrap();
            assert_eq!(seen.records.len() + seen.bad.len(), handed_over);
            let (rest, _) = read_on(&source, vec![reader.split()]).unwrap();
            assert_eq!([&seen.records[..], &rest.records].concat(), whole.records, "{name}");
            assert_eq!(seen.bad.len() + rest.bad.len(), whole.bad.len());
        }
    }
}

/// Reads `bytes` as a file called `name`. `Ok` only if nothing at all is different from `whole`.
fn harm(name: &str, bytes: &[u8], resumed: &[FileSplit], whole: &[Value]) -> Result<bool, String> {
    let folder = Folder::new();
    let path = folder.path(name);
    fs::write(&path, bytes).unwrap();
    let resumed = resumed.iter().map(|split| FileSplit { path: path.clone(), ..split.clone() });
    match read_on(&JsonLines::<Value>::new([path.clone()]), resumed.collect()) {
        Ok((seen, _)) if seen.records == whole && seen.bad.is_empty() => Ok(true),
        Ok((seen, _)) => Err(format!("silence: {} records", seen.records.len())),
        Err(error) if error.kind() != ErrorKind::BadInput => Err(error.to_string()),
        Err(error) if !error.to_string().contains(name) => Err(format!("no name: {error}")),
        Err(_) => Ok(false),
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_bad_input() {
    let text = lines(7).repeat(5);
    for name in ["checkpoint.jsonl.gz", "checkpoint.jsonl.zst"] {
        let bytes = packed(name.as_ref(), text.as_bytes());
        let whole: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for length in 0..bytes.len() {
            assert_eq!(harm(name, &bytes[..length], &[], &whole), Ok(false), "{name}, {length}");
        }
        assert_eq!(harm(name, &bytes, &[], &whole), Ok(true));
        // Garbage behind the end is not passed over either.
        assert_eq!(
            harm(name, &[&bytes[..], b"garbage"].concat(), &[], &whole),
            Ok(false),
            "{name}"
        );
    }
}

#[test]
fn a_flipped_bit_is_bad_input_unless_it_changes_nothing() {
    let text = lines(7).repeat(5);
    let whole: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for name in ["flip.jsonl.gz", "flip.jsonl.zst"] {
        let bytes = packed(name.as_ref(), text.as_bytes());
        let mut found = 0;
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            match harm(name, &bytes, &[], &whole) {
                Ok(unharmed) => found += usize::from(!unharmed),
                Err(what) => panic!("{name}, bit {bit}: {what}"),
            }
        }
        // What changes nothing stands in the header: the time and the system of a gzip file.
        assert!(found > bytes.len() * 8 - 100, "{name}: {found} of {}", bytes.len() * 8);
    }
}

#[test]
fn a_position_behind_the_end_of_the_contents_is_bad_input() {
    for name in ["short.jsonl.gz", "short.jsonl.zst"] {
        let bytes = packed(name.as_ref(), b"1\n2\n");
        let folder = Folder::new();
        let source = JsonLines::<Value>::new([folder.write(name, "1\n2\n")]);
        let mut split = source.splits(Vec::new(), 1).unwrap().remove(0).split;
        split.next = 100;
        assert_eq!(harm(name, &bytes, &[split], &[]), Ok(false));
    }
}

#[test]
fn files_of_several_members_are_read_to_their_end() {
    for name in ["members.jsonl.gz", "members.jsonl.zst"] {
        let folder = Folder::new();
        let path = folder.write(name, "1\n2");
        append(&path, b"3\n4\n");
        assert_eq!(read(&JsonLines::<u8>::new([path])).unwrap().records, [1, 23, 4]);
    }
}
