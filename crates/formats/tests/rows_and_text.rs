//! Rows without a header, text and bytes: what is read, what is refused, and what is written.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use steadfast_core::format::{Decoder, Encoder, Payload};
use steadfast_formats::{CsvColumns, CsvRow, Json, RawBytes, Text};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    id: u32,
    text: String,
}

fn payload<E: Encoder>(mut encoder: E, record: &E::Record) -> Vec<u8> {
    let mut payload = b"before".to_vec();
    encoder.encode(record, &mut payload).unwrap();
    assert_eq!(&payload[..6], b"before");
    payload.split_off(6)
}

fn refusal<D: Decoder>(mut decoder: D, payload: &[u8]) -> String {
    decoder.decode(Payload::Bytes(payload)).err().unwrap().to_string()
}

fn notes() -> CsvRow<Note> {
    CsvRow::new(["id", "text"])
}

#[test]
fn a_row_that_is_none_says_which_field_is_wrong() {
    assert_eq!(refusal(notes(), b"x,a"), "field 'id': invalid digit found in string");
    assert_eq!(refusal(notes(), b"1"), "fields in the row: 1, columns: 2");
    assert_eq!(refusal(notes(), b"1,a,b"), "fields in the row: 3, columns: 2");
    assert_eq!(
        refusal(notes(), b"1,\xff"),
        "field 'text': invalid utf-8 sequence of 1 bytes from index 0"
    );
    assert_eq!(refusal(notes(), b""), "there is no row");
    assert_eq!(refusal(notes(), b"1,a\n2,b"), "there is more than one row");
    assert_eq!(refusal(notes(), b"1,\"cut of"), "a quote is never closed");
    assert_eq!(refusal(notes(), b"1,\""), "a quote is never closed");
    assert_eq!(notes().decode(Payload::Bytes(b"1,a\r\n")).unwrap().text, "a");
}

#[test]
fn records_are_written_in_the_order_of_the_columns_or_not_at_all() {
    let note = Note { id: 1, text: "a".to_string() };
    assert_eq!(payload(notes(), &note), b"1,a");
    for columns in [vec!["text", "id"], vec!["id"], vec!["id", "text", "more"]] {
        let error = CsvRow::new(&columns).encode(&note, &mut Vec::new()).unwrap_err();
        let words =
            format!(r#"the fields of the record are ["id", "text"], the columns {columns:?}"#);
        assert_eq!(error.to_string(), words);
    }
    assert_eq!(payload(CsvRow::new(["a", "b"]), &(1, "x".to_string())), b"1,x");
    assert!(CsvRow::new(["a"]).encode(&(1, 2), &mut Vec::new()).is_err());
}

#[test]
fn text_is_utf_8() {
    assert_eq!(refusal(Text, b"ab\xff"), "invalid UTF-8, column 3");
    assert_eq!(Text.decode(Payload::Bytes(b"ab\r")).unwrap(), "ab");
    assert_eq!(RawBytes.decode(Payload::Text("ab\r")).unwrap(), b"ab\r");
}

proptest! {
    #[test]
    fn what_was_written_is_read(id: u32, text in "(.|\n|\r|\"|,){0,20}", bytes: Vec<u8>) {
        let note = Note { id, text: text.clone() };
        let row = payload(notes(), &note);
        prop_assert_eq!(notes().decode(Payload::Bytes(&row)).unwrap(), note.clone());
        let json = payload(Json::<Note>::new(), &note);
        prop_assert_eq!(Json::<Note>::new().decode(Payload::Bytes(&json)).unwrap(), note);
        prop_assert!(!json.contains(&b'\n'));
        let raw = payload(RawBytes, &bytes);
        prop_assert_eq!(RawBytes.decode(Payload::Bytes(&raw)).unwrap(), bytes);
        prop_assert_eq!(payload(Text, &text), text.as_bytes());
    }
}

#[test]
fn what_begins_as_compressed_contents_do_is_told_so() {
    for (bytes, told) in [
        (
            &[0x1f, 0x8b, 8, 0, 0xff][..],
            "this looks like gzip: a file is decompressed if its name ends in .gz",
        ),
        (
            &[0x28, 0xb5, 0x2f, 0xfd, 4],
            "Zstandard: a file is decompressed if its name ends in .zst",
        ),
        (b"BZh91AY&SY\xd0", "this looks like bzip2, which is not read"),
    ] {
        for refusal in [refusal(Json::<u8>::new(), bytes), refusal(Text, bytes)] {
            assert!(refusal.contains(told), "{refusal}");
        }
    }
    assert_eq!(refusal(Text, b"a\x1f\x8b"), "invalid UTF-8, column 3");
    assert_eq!(payload(Text, &"BZh, a text".to_string()), b"BZh, a text");
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only its fields matter")]
struct Payment {
    account: String,
    #[serde(alias = "amount")]
    cents: std::num::NonZeroU32,
    kind: Kind,
    #[serde(default)]
    rate: f64,
    note: Option<String>,
    flagged: bool,
}

#[derive(Debug, Deserialize)]
enum Kind {
    #[allow(dead_code, reason = "only its name matters")]
    Card,
}

/// A value that takes no text that is made up.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Day;

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "today" { Ok(Day) } else { Err(format!("'{text}' is no day")) }
    }
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only its fields matter")]
struct Dated {
    day: Day,
    cents: u32,
    note: Option<String>,
}

#[test]
fn a_header_without_the_columns_that_a_record_needs_is_told_once_with_both() {
    let told = |columns: &[&str]| {
        CsvColumns::new(columns).check::<Payment>().err().map(|error| error.to_string())
    };
    for fine in [
        &["account", "cents", "kind", "flagged"][..],
        &["flagged", "amount", "more", "kind", "account", "note", "rate"],
    ] {
        assert_eq!(told(fine), None);
    }
    for (columns, said) in [
        (
            &["account", "cents", "kind"][..],
            "there is no column 'flagged'; the columns are 'account', 'cents', 'kind'",
        ),
        (
            &["Account", " cents", "kind", "flagged"],
            "there is no column 'account', but 'Account', there is no column 'cents', but ' cents'; the columns are \
             'Account', ' cents', 'kind', 'flagged'",
        ),
        (
            &["account", "cents", "kind", "flagged", "NOTE"],
            "there is no column 'note', but 'NOTE'; the columns are 'account', 'cents', 'kind', 'flagged', 'NOTE'",
        ),
    ] {
        assert_eq!(told(columns).as_deref(), Some(said));
    }
    let semicolons = told(&["account;cents;kind;flagged"]).unwrap();
    assert!(
        semicolons.ends_with("is ';' what stands between them? delimiter() says so"),
        "{semicolons}"
    );
    let gzip = CsvColumns::new([[0x1f, 0x8b, 8]]).check::<Payment>().unwrap_err().to_string();
    assert!(gzip.contains("gzip"), "{gzip}");
}

#[test]
fn what_cannot_be_known_before_the_first_row_is_left_to_the_rows() {
    // Whether cents are needed is not known where the day takes no value that stands for any.
    assert!(CsvColumns::new(["day"]).check::<Dated>().is_ok());
    assert!(CsvColumns::new(["cents"]).check::<Dated>().is_err(), "the day is needed");
    assert!(CsvColumns::new(["day", "cents", "Note"]).check::<Dated>().is_err(), "it is the note");
    assert!(CsvColumns::new(["a"]).check::<std::collections::BTreeMap<String, u8>>().is_ok());
    assert!(CsvColumns::new(["a"]).check::<(u8, u8)>().is_ok());
}
