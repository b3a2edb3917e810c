//! The access log job as its users meet it: real files, a real table.

mod process;

#[path = "../access_log/line.rs"]
mod line;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use process::{Folder, json};

type Hits = BTreeMap<(i64, String), i64>;

fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("access_log/sample.log.gz");
    let mut text = String::new();
    GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// What the table must show, by counting.
fn expected(text: &str, window: i64) -> Hits {
    let mut hits = Hits::new();
    for hit in text.lines().filter_map(|line| line::parse(line).ok()) {
        let start = hit.at.0.div_euclid(window) * window;
        *hits.entry((start, hit.url)).or_default() += 1;
    }
    hits
}

fn table(folder: &Folder, file: &str) -> Hits {
    let database = rusqlite::Connection::open(folder.path(file)).unwrap();
    let mut select = database.prepare("SELECT window_start, url, hits FROM hits").unwrap();
    let rows = select.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn the_sample_is_counted_exactly() {
    let folder = Folder::of("access_log");
    let summary = json(&folder.job(&["run", "--json"]).exits(0).out);
    assert_eq!(table(&folder, "hits.sqlite"), expected(&sample(), 60_000));
    assert_eq!(summary["late"], 0);
    assert_eq!(summary["dead_letters"], 2);
}

/// Every way to divide the same log, in whatever order it is given.
#[test]
fn neither_files_nor_their_order_nor_the_number_of_tasks_matter() {
    let folder = Folder::of("access_log");
    let sample = sample();
    let lines: Vec<&str> = sample.lines().collect();
    let (a, rest) = lines.split_at(1000);
    let (b, c) = rest.split_at(3000);
    fs::write(folder.path("a.log"), a.join("\n") + "\n").unwrap();
    fs::write(folder.path("c.log"), c.join("\n") + "\n").unwrap();
    let mut packed =
        GzEncoder::new(fs::File::create(folder.path("b.log.gz")).unwrap(), Default::default());
    packed.write_all((b.join("\n") + "\n").as_bytes()).unwrap();
    packed.finish().unwrap();
    for parallelism in ["1", "2", "4"] {
        let sink = format!("sqlite:{parallelism}.sqlite");
        let checkpoints = format!("checkpoints-{parallelism}");
        let input = ["run", "--input", "c.log", "a.log", "b.log.gz", "--window", "10s"];
        let how = ["--sink", &sink, "--checkpoints", &checkpoints, "--parallelism", parallelism];
        folder.job(&[&input[..], &how[..]].concat()).exits(0);
        assert_eq!(table(&folder, &format!("{parallelism}.sqlite")), expected(&sample, 10_000));
    }
}

/// What is further behind than was declared is in no window that has been emitted, and is not lost.
#[test]
fn late_lines_are_kept_beside_the_table() {
    let folder = Folder::of("access_log");
    let line = |minute: u32, url: &str| {
        format!("1.2.3.4 - - [10/Oct/2025:13:{minute:02}:00 +0000] \"GET {url} HTTP/1.1\" 200 1\n")
    };
    let early: String = (0..30).map(|minute| line(minute, "/")).collect();
    fs::write(folder.path("in.log"), early + &line(3, "/late") + &line(31, "/")).unwrap();
    let args = ["run", "--input", "in.log", "--checkpoint-interval", "1ms", "--json"];
    let summary = json(&folder.job(&args).exits(0).out);
    let late: Vec<_> =
        table(&folder, "hits.sqlite").into_keys().filter(|(_, url)| url == "/late").collect();
    let kept = fs::read_dir(folder.path("hits.sqlite.late")).map_or(0, |parts| {
        let parts = parts.filter_map(|part| fs::read_to_string(part.ok()?.path()).ok());
        parts.map(|text| text.matches("/late").count()).sum()
    });
    // A batch is looked at before the watermark that it brings: here all came in one.
    assert_eq!(late.len() + kept, 1, "{late:?}");
    assert_eq!(summary["late"], kept);
}
