//! Hits for each URL and minute from the log of a web server, by the time at which they happened: also
//! where lines are out of order, where there are several files, and where the process may die at any moment.
//!
//! ```text
//! cargo run --release --example access_log -- run
//! sqlite3 hits.sqlite 'SELECT * FROM hits ORDER BY hits DESC LIMIT 5'
//! ```

mod flags;
mod line;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Value, json};
use steadfast::files::TextLines;
use steadfast::prelude::*;
use steadfast::sqlite::RowWriter;

use flags::{Cli, Flags};

fn main() -> ExitCode {
    steadfast::cli::execute(Cli::parse().command, build, summary)
}

/// Puts the job together; nothing runs before the engine has taken it over.
fn build(flags: &Flags) -> Result<Job, UserError> {
    let job = Job::new("access-log");
    job.source("log", TextLines::new(flags.input(), line::parse))
        .dead_letters("dead-letters", DeadLetterSink::new(flags.beside_sink("dead-letters")))
        .event_time(flags.lateness, |hit| hit.at)
        .key_by_ref(|hit| &hit.url)
        .named("windows")
        .window(Windows::tumbling(flags.window))
        .late(flags.late_records())
        .count()
        .sink("hits", table(flags.sink()));
    Ok(job)
}

type Hits = WindowResult<String, u64>;

/// One row for each URL and window.
fn table(path: PathBuf) -> Sqlite<Hits> {
    let create = "CREATE TABLE IF NOT EXISTS hits(
        window_start INTEGER,
        url TEXT,
        hits INTEGER NOT NULL,
        PRIMARY KEY (window_start, url)
    ) WITHOUT ROWID";
    Sqlite::new(path)
        .table("hits")
        .create(create)
        .columns(["window_start", "url", "hits"])
        .key(["window_start", "url"])
        .row(|hits: &Hits, out: &mut RowWriter| {
            out.integer(hits.window.start.0);
            out.text(&hits.key);
            out.integer(hits.value.cast_signed());
        })
}

/// What this job adds to the summary of a run.
fn summary(report: &Report, _flags: &Flags) -> Value {
    json!({ "late": report.counter("windows", "late") })
}
