//! The command line that every job binary gets: `run`, `checkpoints` and `graph`.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use steadfast::prelude::*;
//!
//! fn main() -> ExitCode {
//!     steadfast::cli::main(|| {
//!         let job = Job::new("squares");
//!         job.source("numbers", Values::new([1_u64, 2, 3]))
//!             .map(|n| n * n)
//!             .sink("squares", Collect::new());
//!         Ok(job)
//!     })
//! }
//! ```
//!
//! A job with flags or commands of its own flattens [`JobCommand`] into its [`clap::Subcommand`]
//! and calls [`execute`].
//!
//! Exit codes: 0 finished or stopped cleanly, 1 any failure not named here, 2 a wrong setting,
//! 3 another process has taken over, 4 bad input, 5 damaged checkpoints, 6 rows that a target refuses
//! for good, 130 a second signal.

mod arguments;
mod checkpoints;
mod config_file;
mod flags;
mod given;
mod graph;
mod interrupt;
mod patience;
mod progress;
mod run;
mod show_config;
mod summary;
mod table;
mod terminal;
mod units;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use steadfast_core::{Error, ErrorKind, Result};

pub use checkpoints::CheckpointsArgs;
pub use graph::GraphArgs;
pub use run::RunArgs;

use crate::{Job, Report};

/// What can be done with a job. `F` are the job's own flags, which `run` and `graph` take.
#[derive(Clone, Debug, Subcommand)]
pub enum JobCommand<F: Args> {
    /// Run the job, going on from its newest checkpoint
    Run(Box<RunArgs<F>>),
    /// List, show, verify or delete checkpoints
    Checkpoints(CheckpointsArgs),
    /// Print the plan of the job
    Graph(GraphArgs<F>),
}

/// Carries out a command.
///
/// `build` makes the job from its flags; `extra` makes a JSON object whose fields are added to the
/// summary of a run.
pub fn execute<F: Args>(
    command: JobCommand<F>,
    build: impl FnOnce(&F) -> Result<Job>,
    extra: impl FnOnce(&Report, &F) -> Value,
) -> ExitCode {
    exit(match command {
        JobCommand::Run(args) => args.run(build, extra),
        JobCommand::Checkpoints(args) => args.carry_out(),
        JobCommand::Graph(args) => build(&args.flags).and_then(|job| args.print(&job)),
    })
}

/// The exit code of a command, after its error, if it has one, has been told.
pub fn exit(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

fn tell(error: &Error) {
    terminal::note("error", terminal::Tone::Bad, &error.to_string());
}

/// The whole command line of a job without flags of its own.
pub fn main(build: impl FnOnce() -> Result<Job>) -> ExitCode {
    let Cli { command } = Cli::parse();
    execute(command, |NoFlags {}| build(), |_, _| Value::Null)
}

/// Runs a job that loses no event and counts none twice.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: JobCommand<NoFlags>,
}

#[derive(Clone, Debug, Args)]
struct NoFlags {}

/// What the process should exit with; documented in `docs/errors.md`.
fn exit_code(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Configuration => 2,
        ErrorKind::Fenced => 3,
        ErrorKind::BadInput => 4,
        ErrorKind::Damaged => 5,
        ErrorKind::Rejected => 6,
        _ => 1,
    }
}

/// A duration as flags take it: `500ms`, `10s`, `1m 30s`, `2h`.
///
/// # Errors
/// Why it is none, for people.
pub fn duration(text: &str) -> std::result::Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write 500ms, 10s or 1min"))
}
