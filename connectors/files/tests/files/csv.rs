//! CSV: rows with anything in quotes, bad rows among them, and stops at every record.

use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::task::Waker;
use steadfast_core::ErrorKind;
use steadfast_core::source::{PollLimit, Polled, Source, SplitReader};
use steadfast_files::Csv;

use crate::support::*;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Note {
    id: u32,
    text: String,
}

const NOTES: &str = "id,text\r\n\
    1,plain\r\n\
    2,\"two\r\nlines, a comma and a \"\"quote\"\"\"\r\n\
    \r\n\
    three,no number\n\
    4\n\
    5,\"too\nmany\",fields\n\
    6,\"\"\n\
    7,é\n";

fn notes() -> Vec<Note> {
    let texts = [(1, "plain"), (2, "two\r\nlines, a comma and a \"quote\""), (6, ""), (7, "é")];
    texts.map(|(id, text)| Note { id, text: text.to_string() }).to_vec()
}

/// The source of [`NOTES`], and of the same rows in a file without a header.
fn sources(folder: &Folder, name: &str) -> [(PathBuf, &'static str, Csv<Note>); 2] {
    let rows = NOTES.split_once('\n').unwrap().1;
    let header = folder.write(name, NOTES);
    let bare = folder.write(&format!("bare-{name}"), rows);
    let source = Csv::new([&bare]).without_header(["id", "text"]);
    [(header.clone(), NOTES, Csv::new([header])), (bare, rows, source)]
}

const NAMES: [&str; 3] = ["notes.csv", "notes.csv.gz", "notes.csv.zst"];

#[test]
fn good_rows_become_records_and_bad_ones_are_shown_as_they_stand() {
    for name in NAMES {
        let folder = Folder::new();
        for (path, contents, source) in sources(&folder, name) {
            let seen = read(&source).unwrap();
            assert_eq!(seen.records, notes());
            assert_eq!(Some(seen.advanced), source.total());
            let raws = ["three,no number", "4", "5,\"too\nmany\",fields"];
            let reasons = [
                "field 'id': invalid digit found in string",
                "fields in the row: 1, columns: 2",
                "fields in the row: 3, columns: 2",
            ];
            assert_eq!(seen.bad.len(), 3);
            for (bad, (raw, reason)) in seen.bad.iter().zip(raws.into_iter().zip(reasons)) {
                assert_eq!((&bad.raw[..], &bad.reason[..]), (raw.as_bytes(), reason));
                let offset = contents.find(raw).unwrap();
                assert_eq!(bad.offset, offset as u64);
                assert_eq!(bad.line, Some(contents[..offset].matches('\n').count() as u64 + 1));
                assert_eq!(bad.place, path.display().to_string());
            }
        }
    }
}

#[test]
fn reading_resumes_behind_every_row() {
    for name in NAMES {
        let folder = Folder::new();
        for (_, _, source) in sources(&folder, name) {
            let status = source.splits(Vec::new(), 1).unwrap().remove(0);
            let mut reader = source.open(status.split, Waker::noop()).unwrap();
            let mut seen = Seen::new();
            for row in 0..=7 {
                let resumed = vec![stored(&steadfast_core::source::SplitStatus {
                    split: reader.split(),
                    finished: false,
                    done: 0,
                })];
                let (rest, _) = read_on(&source, resumed).unwrap();
                assert_eq!([&seen.records[..], &rest.records].concat(), notes(), "{name}");
                assert_eq!(seen.bad.len() + rest.bad.len(), 3);
                let polled = reader.poll(PollLimit::records(1), NOW, &mut seen).unwrap();
                assert_eq!(polled == Polled::End, row == 7);
            }
        }
    }
}

#[test]
fn rows_without_a_header_go_on_behind_half_a_row() {
    for name in NAMES {
        let folder = Folder::new();
        let path = folder.write(name, "1,plain\n2,\"ha");
        let source = Csv::<Note>::new([&path]).without_header(["id", "text"]);
        let (seen, splits) = read_on(&source, Vec::new()).unwrap();
        assert_eq!(seen.records, notes()[..1]);
        assert_eq!(seen.bad_raw(), [(8, &b"2,\"ha"[..])]);
        append(&path, b"lf\n of it\"\n6,\n");
        let (seen, _) = read_on(&source, splits).unwrap();
        assert_eq!(seen.records, notes()[2..3]);
        assert_eq!(seen.bad_raw(), [(13, &b"lf\n of it\""[..])]);
    }
}

#[test]
fn a_file_without_rows_is_fine() {
    for contents in ["", "\n", "\r\n\r\n", "id,text", "id,text\n", "id,text\r\n\r\n"] {
        for name in NAMES {
            let folder = Folder::new();
            let source = Csv::<Note>::new([folder.write(name, contents)]);
            let (seen, splits) = read_on(&source, Vec::new()).unwrap();
            assert_eq!((seen.records.len(), seen.bad.len()), (0, 0));
            assert!(source.splits(splits, 1).unwrap()[0].finished);
        }
    }
}

#[test]
fn a_header_that_was_half_there_is_read_again() {
    for name in NAMES {
        let folder = Folder::new();
        let path = folder.write(name, "id,te");
        let source = Csv::<Note>::new([&path]);
        let (_, splits) = read_on(&source, Vec::new()).unwrap();
        append(&path, b"xt\n1,plain\n");
        let (seen, _) = read_on(&source, splits).unwrap();
        assert_eq!((seen.records, seen.bad.len()), (notes()[..1].to_vec(), 0));
    }
}

#[test]
fn a_last_row_without_a_line_end_is_a_record_and_what_comes_behind_it_is_bad() {
    for name in NAMES {
        let folder = Folder::new();
        let path = folder.write(name, "n\n1\n2");
        let source = Csv::<u32>::new([&path]);
        let (seen, splits) = read_on(&source, Vec::new()).unwrap();
        assert_eq!(seen.records, [1, 2]);
        append(&path, b"3");
        let (seen, splits) = read_on(&source, splits).unwrap();
        assert_eq!((seen.records.len(), seen.bad_raw()), (0, vec![(5, &b"3"[..])]));
        append(&path, b"\n4\n");
        let (seen, _) = read_on(&source, splits).unwrap();
        assert_eq!((&seen.records[..], seen.bad.len()), (&[4][..], 0), "{name}");
    }
}

#[test]
fn a_quote_that_is_closed_later_does_not_shift_the_rows_behind_it() {
    for name in NAMES {
        let folder = Folder::new();
        let path = folder.write(name, "text\na\n\"b\n");
        let source = Csv::<String>::new([&path]);
        let (seen, splits) = read_on(&source, Vec::new()).unwrap();
        assert_eq!(
            (&seen.records[..], seen.bad_raw()),
            (&["a".to_string()][..], vec![(7, &b"\"b\n"[..])])
        );
        assert!(seen.bad[0].reason.contains("never closed"), "{}", seen.bad[0].reason);
        append(&path, b"c\nd\"\ne\n");
        let (seen, _) = read_on(&source, splits).unwrap();
        assert_eq!(
            (&seen.records[..], seen.bad_raw()),
            (&["e".to_string()][..], vec![(10, &b"c\nd\""[..])])
        );
    }
}

#[test]
fn a_row_that_is_too_long_is_bad_input_and_reading_goes_on_behind_it() {
    for name in NAMES {
        for (length, ended) in [(101, true), (70_000, true), (300_000, true), (300_000, false)] {
            let folder = Folder::new();
            let long = format!("\"{}\"", "a\n,\"\"".repeat(length / 5));
            let end = if ended { "\r\nb\n" } else { "" };
            let path = folder.write(name, format!("text\r\na\r\n\n{long}{end}"));
            let source = Csv::<String>::new([&path]).longest_row(100);
            let (seen, _) = read_with_stops(&source, 1, length as u64).unwrap();
            assert_eq!(seen.records, if ended { &["a", "b"][..] } else { &["a"] });
            let kept = long.len().min(64 * 1024);
            assert_eq!(seen.bad_raw(), [(10, &long.as_bytes()[..kept])], "{name} {length}");
            assert!(read(&source.longest_row(long.len())).unwrap().bad.is_empty());
        }
    }
}

#[test]
fn many_blank_lines_do_not_make_a_row_too_long() {
    let folder = Folder::new();
    let blank = "\r\n".repeat(100_000);
    let path = folder.write("a.csv", format!("text\n{blank}a\n{blank}too many,fields\n"));
    let seen = read(&Csv::<String>::new([path]).longest_row(20)).unwrap();
    assert_eq!(seen.records, ["a"]);
    assert_eq!(seen.bad_raw(), [(5 + 200_000 + 2 + 200_000, &b"too many,fields"[..])]);
}

#[test]
fn a_byte_order_mark_is_one_at_the_beginning_of_the_file_only() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "\u{feff}text\na\n\u{feff}b\n\u{feff}c\n");
    let source = Csv::<Note2>::new([path]);
    for seed in 0..20 {
        let (seen, _) = read_with_stops(&source, 1, seed).unwrap();
        let texts: Vec<_> = seen.records.iter().map(|note| &note.text[..]).collect();
        assert_eq!(texts, ["a", "\u{feff}b", "\u{feff}c"]);
    }
}

#[derive(Debug, Deserialize)]
struct Note2 {
    text: String,
}

#[test]
fn fields_go_by_their_names_and_the_delimiter_can_be_chosen() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "text;extra;id\nx,y;;7\n");
    let seen = read(&Csv::<Note>::new([&path]).delimiter(b';')).unwrap();
    assert_eq!(seen.records, [Note { id: 7, text: "x,y".to_string() }]);
    for delimiter in [b'"', b'\n', b'\r'] {
        let error = Csv::<Note>::new([&path]).delimiter(delimiter).splits(Vec::new(), 1);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Configuration);
    }
}

#[test]
fn bytes_that_are_not_text_are_bad_where_text_is_wanted() {
    let folder = Folder::new();
    let path = folder.write("a.csv", b"id,text\n1,\xff\n2,b\n");
    let seen = read(&Csv::<Note>::new([&path])).unwrap();
    assert_eq!(seen.records, [Note { id: 2, text: "b".to_string() }]);
    assert_eq!(seen.bad_raw(), [(8, &b"1,\xff"[..])]);
    assert!(seen.bad[0].reason.contains("utf-8"), "{}", seen.bad[0].reason);
}

#[test]
fn a_compressed_file_that_is_cut_off_or_changed_is_bad_input() {
    let text = "id,text\n".to_string() + &"1,plain\n".repeat(30);
    for name in &NAMES[1..] {
        let bytes = packed(name.as_ref(), text.as_bytes());
        let folder = Folder::new();
        let path = folder.path(name);
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let error = read(&Csv::<Note>::new([&path])).err().expect("an error");
            assert_eq!(error.kind(), ErrorKind::BadInput, "{name}, {length}: {error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bytes).unwrap();
            match read(&Csv::<Note>::new([&path])) {
                Ok(seen) => assert_eq!((seen.records.len(), seen.bad.len()), (30, 0), "{bit}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::BadInput, "{bit}: {error}"),
            }
        }
    }
}

#[test]
fn a_header_that_does_not_name_what_a_record_needs_is_one_error() {
    let folder = Folder::new();
    let refused = |contents: &str| {
        let error = read(&Csv::<Note>::new([folder.write("a.csv", contents)])).err().unwrap();
        assert_eq!(error.code(), "SF0103");
        error.message()
    };
    let told = refused("Id,text\n1,a\n2,b\n");
    let said = "a.csv: there is no column 'id', but 'Id'; the columns are 'Id', 'text'";
    assert!(told.ends_with(said), "{told}");
    assert!(refused("id;text\n1;a\n").contains("is ';' what stands between them?"));
    assert!(refused("1,a\n2,b\n").contains("no column 'id', there is no column 'text'"));
    // What may be half, and what is empty, names nothing.
    for fine in ["Id,te", "", "\n\n"] {
        assert!(read(&Csv::<Note>::new([folder.write("b.csv", fine)])).unwrap().bad.is_empty());
    }
}

/// A file that is followed is one split without an end, as one of CSV is.
#[test]
fn who_goes_on_in_parts_with_what_was_one_split_is_told_of_follow() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "1\n2\n");
    let whole = Csv::<Note>::new([&path]).splits(Vec::new(), 1).unwrap().remove(0);
    let in_parts = steadfast_files::JsonLines::<u64>::new([&path]);
    let error = in_parts.splits(vec![stored(&whole)], 1).unwrap_err();
    assert_eq!(error.code(), "SF0315");
    assert!(
        error.advice().unwrap().starts_with("if the files were followed, go on with follow()"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_not_there_is_told_with_what_to_do() {
    let error =
        Csv::<Note>::new([Folder::new().path("none.csv")]).splits(Vec::new(), 1).unwrap_err();
    assert_eq!(error.code(), "SF0403");
    assert!(
        error.advice().unwrap().starts_with("give the path of a file that is there"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn every_row_is_read_exactly_once_wherever_reading_stops(
        texts in vec("[a-zé,;\"\r\n ]{0,30}", 0..40),
        line_end in prop::sample::select(vec!["\n", "\r\n"]),
        final_line_end: bool,
        packing in prop::sample::select(vec!["", ".gz", ".zst"]),
        seed: u64,
    ) {
        let notes: Vec<Note> =
            texts.into_iter().enumerate().map(|(id, text)| Note { id: id as u32, text }).collect();
        let quoted = |note: &Note| format!("{},\"{}\"", note.id, note.text.replace('"', "\"\""));
        let rows: Vec<_> = std::iter::once("id,text".to_string()).chain(notes.iter().map(quoted)).collect();
        let contents = rows.join(line_end) + if final_line_end { line_end } else { "" };
        let folder = Folder::new();
        let path = folder.write(&format!("notes.csv{packing}"), contents);
        let source = Csv::<Note>::new([path]);
        let (seen, splits) = read_with_stops(&source, 2, seed).unwrap();
        prop_assert_eq!(seen.records, notes);
        prop_assert_eq!(seen.bad, []);
        let status = source.splits(splits, 1).unwrap().remove(0);
        prop_assert!(status.finished);
        if final_line_end || packing == ".gz" {
            prop_assert_eq!(Some(status.done), source.total());
        }
    }

    /// Whatever the bytes are, stops change nothing, and every byte that is not a line end between
    /// rows is in a record or in a bad record.
    #[test]
    fn any_bytes_are_read_without_losing_any(
        pieces in vec(prop_oneof![
            vec(any::<u8>(), 0..10),
            prop::sample::select(vec!["1,a\n", "\"", ",", "\n", "\r", "2,\"b\"\r\n", "\u{feff}", "x,y,z\n"])
                .prop_map(|text| text.as_bytes().to_vec()),
        ], 0..40),
        longest in 0..60_usize,
        seed: u64,
    ) {
        let header = b"a,b\n";
        let bytes = [&header[..], &pieces.concat()].concat();
        let folder = Folder::new();
        // Nothing fits this type, so that every row shows its bytes.
        let source = Csv::<std::net::IpAddr>::new([folder.write("any.csv", &bytes)]).longest_row(longest.max(3));
        let (seen, _) = read_with_stops(&source, 1, seed).unwrap();
        prop_assert!(seen.records.is_empty());
        let mut at = header.len();
        for (offset, raw) in seen.bad_raw() {
            let offset = offset as usize;
            prop_assert!(bytes[at..offset].iter().all(|byte| matches!(byte, b'\r' | b'\n')));
            prop_assert_eq!(&bytes[offset..offset + raw.len()], raw);
            at = offset + raw.len();
        }
        prop_assert!(bytes[at..].iter().all(|byte| matches!(byte, b'\r' | b'\n')));
        let whole = read(&source).unwrap();
        prop_assert_eq!(seen.bad_raw(), whole.bad_raw());
    }
}
