//! Lines that are not records: each kind is reported exactly, and its neighbours are unharmed.

use serde::Deserialize;
use steadfast_core::source::BadRecord;
use steadfast_files::JsonLines;

use crate::support::*;

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Payment {
    cents: u8,
}

const GOOD: &[u8] = b"{\"cents\":1}\n";

/// Reads a file with `bad` between two good lines, where `bad` has its line end if it has one.
fn between_good_lines(bad: &[u8], split_bytes: u64) -> BadRecord {
    let folder = Folder::new();
    let path = folder.write(
        "payments.jsonl",
        [GOOD, GOOD, bad, if bad.ends_with(b"\n") { GOOD } else { b"" }].concat(),
    );
    let source = JsonLines::<Payment>::new([&path]).split_bytes(split_bytes).longest_line(40);
    let mut seen = read(&source).unwrap();
    assert_eq!(seen.records.len(), if bad.ends_with(b"\n") { 3 } else { 2 });
    assert_eq!(seen.bad.len(), 1);
    let found = seen.bad.remove(0);
    assert_eq!(found.place, path.display().to_string());
    assert_eq!(found.offset, 2 * GOOD.len() as u64);
    assert_eq!(found.line, Some(3));
    found
}

#[test]
fn each_kind_of_bad_line_is_reported_with_its_bytes_and_its_place() {
    let cases: [(&[u8], &str); 8] = [
        (b"hello\n", "expected value, column 1"),
        (b"{\"cents\":\"x\"}\n", "invalid type: string"),
        (b"{\"cents\":256}\n", "256"),
        (b"{\"cents\":1} {\n", "trailing characters"),
        (b"{\"cents\":\xff}\n", "invalid UTF-8, column 10"),
        (b"{\"cents\":1}x\r\n", "trailing characters"),
        (b"{\"cents\":1", "perhaps only half"),
        (b"{\"cents\":1,                              }\n", "longer than 40 bytes"),
    ];
    for (line, reason) in cases {
        for split_bytes in [1, 13, 1000] {
            let bad = between_good_lines(line, split_bytes);
            assert_eq!(bad.raw, line.strip_suffix(b"\n").unwrap_or(line));
            assert!(bad.reason.contains(reason), "{reason}: {}", bad.reason);
        }
    }
}

#[test]
fn a_last_line_without_a_line_end_is_a_record_if_it_parses() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "{\"cents\":1}\n{\"cents\":2}");
    let seen = read(&JsonLines::<Payment>::new([path])).unwrap();
    assert_eq!(seen.records, [Payment { cents: 1 }, Payment { cents: 2 }]);
}

#[test]
fn of_a_line_longer_than_a_buffer_the_beginning_is_kept_whatever_the_packing() {
    for name in ["long.jsonl", "long.jsonl.gz", "long.jsonl.zst"] {
        for ended in [true, false] {
            let folder = Folder::new();
            let long = format!("\"{}\"", "0123456789".repeat(100_000));
            let end = if ended { "\n\"b\"\n" } else { "" };
            let path = folder.write(name, format!("\"a\"\n{long}{end}"));
            let source =
                JsonLines::<String>::new([&path]).longest_line(70_000).split_bytes(300_000);
            let mut seen = read(&source).unwrap();
            seen.records.sort();
            assert_eq!(seen.records, if ended { &["a", "b"][..] } else { &["a"] });
            assert_eq!(seen.bad_raw(), [(4, &long.as_bytes()[..64 * 1024])]);
            // One byte more is allowed: now it is a record.
            let source = source.longest_line(long.len());
            assert!(read(&source).unwrap().bad.is_empty());
        }
    }
}

#[test]
fn whether_a_line_is_too_long_depends_on_nothing_but_its_length() {
    for end in ["", "\n", "\n1\n"] {
        for length in 9..12 {
            let folder = Folder::new();
            let line = format!("\"{}\"", "a".repeat(length - 2));
            let path = folder.write("a.jsonl", format!("{line}{end}"));
            let source = JsonLines::<serde_json::Value>::new([path]).longest_line(10);
            assert_eq!(read(&source).unwrap().bad.len(), usize::from(length > 10), "{length}");
        }
    }
}

#[test]
fn deep_nesting_is_bad_input_and_not_a_crash() {
    let folder = Folder::new();
    let path = folder.write("deep.jsonl", format!("{}\n1\n", "[".repeat(1_000_000)));
    let seen = read(&JsonLines::<serde_json::Value>::new([path])).unwrap();
    assert_eq!((seen.records.len(), seen.bad.len()), (1, 1));
}

#[test]
fn the_first_bad_lines_have_line_numbers_also_in_later_parts_and_compressed_files() {
    for name in ["many.jsonl", "many.jsonl.gz"] {
        let folder = Folder::new();
        let path = folder.write(name, "1\nx\n".repeat(100));
        let seen = read(&JsonLines::<u8>::new([path]).split_bytes(50)).unwrap();
        assert_eq!(seen.bad.len(), 100);
        assert!(seen.bad[0].line.is_some());
        for bad in &seen.bad {
            assert!(bad.line.is_none_or(|line| line == bad.offset / 2 + 1), "{bad:?}");
        }
    }
}
