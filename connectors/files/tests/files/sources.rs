//! Files keep the contract of all sources: in every format, plain and compressed, in parts and whole.

use std::path::PathBuf;

use serde::Deserialize;
use steadfast_conformance::{SourceFixture, source};
use steadfast_files::{Csv, JsonLines, LineFiles, TextLines};
use steadfast_formats::{CsvRow, Json, RawBytes, Text};

use crate::support::*;

#[derive(Clone, Debug, Deserialize)]
struct Row {
    id: u32,
    #[allow(dead_code, reason = "compared by what Debug prints")]
    text: String,
}

const ENDINGS: [&str; 3] = ["", ".gz", ".zst"];

/// Files with some rows each, one of which has no line end behind the last row.
struct Rows {
    _folder: Folder,
    paths: Vec<PathBuf>,
}

fn rows() -> Vec<Row> {
    (0..41)
        .map(|id| Row { id, text: format!("row \"{id}\", {}", "x".repeat(id as usize % 7)) })
        .collect()
}

fn json(row: &Row) -> String {
    serde_json::json!({ "id": row.id, "text": row.text }).to_string()
}

fn csv(row: &Row) -> String {
    format!("{},\"{}\"", row.id, row.text.replace('"', "\"\""))
}

impl Rows {
    fn new(ending: &str, write: fn(&Row) -> String, header: &str) -> Self {
        let (folder, rows) = (Folder::new(), rows());
        let parts = [&rows[..20], &rows[20..20], &rows[20..21], &rows[21..]];
        let file = |(number, rows): (usize, &&[Row])| {
            let rows: Vec<_> = rows.iter().map(write).collect();
            let last = if number == 1 { "" } else { "\n" };
            let contents = format!("{header}{}{last}", rows.join("\n"));
            folder.write(&format!("{number}{ending}"), contents)
        };
        let paths = parts.iter().enumerate().map(file).collect();
        Rows { _folder: folder, paths }
    }
}

/// Rows, and how they are read.
struct Fixture<M>(Rows, M);

impl<S: steadfast_core::source::Source<Item = Row>, M: Fn(Vec<PathBuf>) -> S> SourceFixture
    for Fixture<M>
{
    type Source = S;

    fn source(&self) -> S {
        (self.1)(self.0.paths.clone())
    }

    fn records(&self) -> Vec<Row> {
        rows()
    }
}

fn row_of(text: &str) -> Result<Row, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn lines_in_every_format() {
    for ending in ENDINGS {
        for bytes in [50, 1_000_000] {
            source(|| {
                Fixture(Rows::new(ending, json, ""), |paths| {
                    JsonLines::new(paths).split_bytes(bytes)
                })
            });
        }
        source(|| {
            Fixture(Rows::new(ending, json, ""), |paths| {
                LineFiles::in_format(paths, Json::<Row>::new())
            })
        });
        source(|| {
            Fixture(Rows::new(ending, json, ""), |paths| {
                TextLines::new(paths, row_of).split_bytes(64)
            })
        });
        let rows = || CsvRow::<Row>::new(["id", "text"]);
        source(|| {
            Fixture(Rows::new(ending, csv, ""), |paths| {
                LineFiles::in_format(paths, rows()).split_bytes(64)
            })
        });
    }
}

#[test]
fn csv_with_a_header_and_without() {
    for ending in ENDINGS {
        source(|| Fixture(Rows::new(ending, csv, "id,text\n"), Csv::<Row>::new));
        source(|| {
            Fixture(Rows::new(ending, csv, ""), |paths| {
                Csv::<Row>::new(paths).without_header(["id", "text"])
            })
        });
    }
}

/// Lines as they are.
struct Lines(Folder);

impl SourceFixture for Lines {
    type Source = LineFiles<Text>;

    fn source(&self) -> LineFiles<Text> {
        let path =
            self.0.write("lines", (0..30).map(|n| format!("line {n}\r\n")).collect::<String>());
        LineFiles::in_format([path], Text).split_bytes(20)
    }

    fn records(&self) -> Vec<String> {
        (0..30).map(|n| format!("line {n}")).collect()
    }
}

struct Bytes(Folder);

impl SourceFixture for Bytes {
    type Source = LineFiles<RawBytes>;

    fn source(&self) -> LineFiles<RawBytes> {
        let bytes: Vec<u8> = (0..30_u8).flat_map(|n| [n ^ 0xaa, 0xff, b'\r', b'\n']).collect();
        LineFiles::in_format([self.0.write("bytes", bytes)], RawBytes).split_bytes(7)
    }

    fn records(&self) -> Vec<Vec<u8>> {
        (0..30_u8).map(|n| vec![n ^ 0xaa, 0xff, b'\r']).collect()
    }
}

#[test]
fn text_and_bytes() {
    source(|| Lines(Folder::new()));
    source(|| Bytes(Folder::new()));
}
