//! Readings at a constant rate, counted and summed for each sensor: what a job looks like that runs for
//! days. How much memory and processor time it takes is what `cargo xtask drill soak` measures.
//!
//! ```text
//! cargo run --release --example steady -- run --rate 20000 --seconds 60
//! sqlite3 steady.sqlite 'SELECT * FROM sensors LIMIT 5'
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use steadfast::cli::JobCommand;
use steadfast::prelude::*;
use steadfast::sqlite::RowWriter;

/// Readings at a constant rate, counted and summed for each sensor
#[derive(Parser)]
#[command(name = "steady", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Job(JobCommand<Flags>),
}

/// How much to read, and where to write.
#[derive(Clone, Debug, Args)]
struct Flags {
    /// How many readings come in a second
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    rate: u64,
    /// For how many seconds they come
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// How many sensors there are
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    sensors: u64,
    /// The database with the table `sensors`
    #[arg(long, value_name = "FILE", default_value = "steady.sqlite")]
    database: PathBuf,
}

fn main() -> ExitCode {
    let Command::Job(command) = Cli::parse().command;
    steadfast::cli::execute(command, build, summary)
}

fn build(flags: &Flags) -> Result<Job, UserError> {
    let job = Job::new("steady");
    let sensors = flags.sensors.max(1);
    let readings =
        Generator::new(move |number| Reading { sensor: number % sensors, value: number % 1000 });
    let readings = readings.count(flags.rate * flags.seconds).rate(flags.rate);
    job.source("readings", readings)
        .key_by_ref(|reading| &reading.sensor)
        .named("sensors")
        .fold(Emit::Changes, Sum::default, Sum::add)
        .map(|(sensor, Sum { readings, total })| (sensor, readings, total))
        .sink("table", table(flags.database.clone()));
    Ok(job)
}

/// What a sensor says.
#[derive(Clone, Serialize, Deserialize)]
struct Reading {
    sensor: u64,
    value: u64,
}

/// What is kept for each sensor.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Sum {
    readings: u64,
    total: u64,
}

impl Sum {
    fn add(&mut self, reading: &Reading) {
        self.readings += 1;
        self.total += reading.value;
    }
}

fn table(path: PathBuf) -> Sqlite<(u64, u64, u64)> {
    let create = "CREATE TABLE IF NOT EXISTS sensors(
        sensor INTEGER PRIMARY KEY,
        readings INTEGER NOT NULL,
        total INTEGER NOT NULL
    )";
    Sqlite::new(path)
        .table("sensors")
        .create(create)
        .columns(["sensor", "readings", "total"])
        .key(["sensor"])
        .row(|row: &(u64, u64, u64), out: &mut RowWriter| {
            let (sensor, readings, total) = *row;
            for number in [sensor, readings, total] {
                out.integer(number.cast_signed());
            }
        })
}

fn summary(report: &Report, _flags: &Flags) -> Value {
    json!({ "sensors": report.counter("sensors", "keys") })
}
