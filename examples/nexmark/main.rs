//! Nexmark: queries over the events of an auction house, each exact whatever happens to the process.
//!
//! ```text
//! cargo run --release --example nexmark -- dump --events 1000000 --output events.jsonl
//! cargo run --release --example nexmark -- run --query 5 --input events.jsonl --sink sqlite:nexmark.sqlite
//! ```

mod event;
mod queries;
mod rows;
mod sessions;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use steadfast::cli::JobCommand;
use steadfast::prelude::*;

use event::{DISORDER, Event};
use rows::{Row, table};

/// Queries over the events of an auction house
#[derive(Parser)]
#[command(name = "nexmark", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write events to try the queries on
    Dump(Dump),
    #[command(flatten)]
    Job(JobCommand<Flags>),
}

#[derive(Args)]
struct Dump {
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: u64,
    /// The file to write: JSON, one event on a line
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Which query, over what, to where.
#[derive(Clone, Debug, Args)]
struct Flags {
    /// 0, 1, 2, 5, 7, 11, 12, 15, 16 or 17
    #[arg(long, value_name = "NUMBER")]
    query: u8,
    /// Files that `dump` has written
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    input: Vec<PathBuf>,
    /// Where rows go: sqlite:PATH (a table q<NUMBER>) or jsonl:FOLDER
    #[arg(long, value_name = "SINK")]
    sink: SinkFlag,
}

#[derive(Clone, Debug)]
enum SinkFlag {
    Sqlite(PathBuf),
    JsonLines(PathBuf),
}

impl FromStr for SinkFlag {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(SinkFlag::Sqlite(path.into())),
            Some(("jsonl", folder)) if !folder.is_empty() => Ok(SinkFlag::JsonLines(folder.into())),
            _ => Err("write sqlite:PATH or jsonl:FOLDER".to_string()),
        }
    }
}

impl SinkFlag {
    /// Rows that are replaced come with each checkpoint into a table, and once, at the end, into a folder.
    fn emit(&self) -> Emit {
        match self {
            SinkFlag::Sqlite(_) => Emit::Changes,
            SinkFlag::JsonLines(_) => Emit::Final,
        }
    }

    fn take<R: Row>(&self, query: u8, rows: Stream<impl OperatorChain<Out = R>>) {
        match self {
            SinkFlag::Sqlite(path) => rows.sink("rows", table(path.clone(), &format!("q{query}"))),
            SinkFlag::JsonLines(folder) => rows.sink("rows", JsonLinesSink::new(folder)),
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Dump(dump) => steadfast::cli::exit(dump.write()),
        Command::Job(command) => steadfast::cli::execute(command, build, |_, _| json!({})),
    }
}

impl Dump {
    fn write(&self) -> Result<()> {
        let place = self.output.display().to_string();
        let failed = |error: std::io::Error| {
            Error::unavailable("cannot write the file").at(place.clone()).caused_by(error)
        };
        let mut file = BufWriter::new(File::create(&self.output).map_err(failed)?);
        for number in 0..self.events {
            let line = serde_json::to_value(event::event(number)).unwrap_or(Value::Null);
            writeln!(file, "{line}").map_err(failed)?;
        }
        file.flush().map_err(failed)
    }
}

fn build(flags: &Flags) -> Result<Job, UserError> {
    let Flags { query, input, sink } = flags;
    let job = Job::new(format!("nexmark-q{query}"));
    let disorder = Duration::from_millis(DISORDER.unsigned_abs());
    let events = job
        .source("events", JsonLines::<Event>::new(input))
        .event_time(disorder, |event| Timestamp(event.date_time()));
    let bids = queries::bids(events);
    match query {
        0 => sink.take(0, queries::pass_through(bids)),
        1 => sink.take(1, queries::currency(bids)),
        2 => sink.take(2, queries::selection(bids)),
        5 => sink.take(5, queries::hot_items(bids)),
        7 => sink.take(7, queries::highest_bid(bids)),
        11 => sink.take(11, queries::sessions(bids)),
        12 => sink.take(12, queries::by_the_clock(bids)),
        15 => sink.take(15, queries::days(bids, sink.emit())),
        16 => sink.take(16, queries::channels(bids, sink.emit())),
        17 => sink.take(17, queries::auctions(bids, sink.emit())),
        _ => {
            return Err(Error::configuration(format!("there is no query {query}"))
                .hint("choose 0, 1, 2, 5, 7, 11, 12, 15, 16 or 17")
                .into());
        }
    }
    Ok(job)
}
