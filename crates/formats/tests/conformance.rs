//! All formats keep the contract of formats.

use serde::{Deserialize, Serialize};
use steadfast_conformance::{decoder, format};
use steadfast_formats::{CsvRow, Json, Parsed, RawBytes, Text};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    id: u32,
    text: String,
    weight: Option<f64>,
    marks: (bool, char),
}

fn notes() -> Vec<Note> {
    let note =
        |id, text: &str, weight| Note { id, text: text.to_string(), weight, marks: (true, 'é') };
    vec![
        note(1, "plain", None),
        note(2, "\"a\\b\",\n", Some(-1.5)),
        note(u32::MAX, "", Some(1e300)),
    ]
}

#[test]
fn json_keeps_the_contract_of_formats() {
    format(&Json::<Note>::new(), &notes());
    decoder(
        &Json::<serde_json::Value>::new(),
        &[br#"{"a": [1, {"b": "c"}], "d": 1.5e3, "e": "\u00e9"}"#, b"[1]", b"x"],
    );
}

#[test]
fn rows_keep_the_contract_of_formats() {
    let rows: Vec<(u32, String)> = notes().into_iter().map(|note| (note.id, note.text)).collect();
    format(&CsvRow::new(["id", "text"]), &rows);
    format(&CsvRow::new(["id", "text"]).delimiter(b';'), &rows);
}

#[test]
fn text_and_bytes_keep_the_contract_of_formats() {
    format(&Text, &["a".to_string(), "é, \"b\"".to_string()]);
    format(&RawBytes, &[vec![0, 255, 10], b"\r".to_vec()]);
    decoder(
        &Parsed::new(|text: &str| text.parse::<u8>().map_err(|e| e.to_string())),
        &[b"17", b"300", b"\xff"],
    );
}
