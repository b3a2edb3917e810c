//! Rows without a header, text and bytes: what is read, what is refused, and what is written.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use steadfast_core::format::{Decoder, Encoder, Payload};
use steadfast_formats::{CsvRow, Json, RawBytes, Text};

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
