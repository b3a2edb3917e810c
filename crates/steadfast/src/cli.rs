//! The command line that every job binary gets: `run`, `checkpoints`, `graph` and `explain`.
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
//! [`main_as`] gives the job a name, a version and a description for its help. A job with flags or
//! commands of its own flattens [`JobCommand`] into its [`clap::Subcommand`] and calls [`execute`]; its
//! flags need other names than the options of `run`, which `docs/options.md` lists.
//!
//! Exit codes: 0 finished or stopped cleanly, 1 any failure not named here, 2 a wrong setting,
//! 3 another process has taken over, 4 bad input, 5 damaged checkpoints, 6 rows that a target refuses
//! for good, 130 a second signal.

mod arguments;
mod checkpoints;
mod config_file;
mod explain;
mod flags;
mod for_programs;
mod given;
mod graph;
mod interrupt;
mod line;
mod log;
mod nearest;
mod patience;
mod progress;
mod rates;
mod run;
mod show_config;
mod summary;
mod table;
mod terminal;
mod units;
mod variables;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Command, FromArgMatches, Subcommand};
use serde_json::Value;
use steadfast_core::{Error, ErrorKind, Result, UserError};

/// What flags are described with, in the release that this crate uses.
pub use clap;

pub use checkpoints::CheckpointsArgs;
pub use explain::ExplainArgs;
pub use graph::GraphArgs;
pub use run::RunArgs;

use crate::{Job, Report};

/// What can be done with a job. `F` are the job's own flags, which `run` and `graph` take.
///
/// A command line without a description of its own shows that of these commands.
#[derive(Clone, Debug, Subcommand)]
#[command(about = "Runs a job, and shows its plan and its checkpoints", long_about = None)]
pub enum JobCommand<F: Args> {
    /// Run the job, going on from its newest checkpoint
    Run(Box<RunArgs<F>>),
    /// List, show, verify or delete checkpoints
    Checkpoints(CheckpointsArgs),
    /// Print the plan of the job
    Graph(GraphArgs<F>),
    /// Say what an error code means and what to do
    Explain(ExplainArgs),
}

/// Carries out a command.
///
/// `build` makes the job from its flags, and may fail with any error; `extra` makes a JSON object whose
/// fields are added to the summary of a run.
pub fn execute<F: Args>(
    command: JobCommand<F>,
    build: impl FnOnce(&F) -> Result<Job, UserError>,
    extra: impl FnOnce(&Report, &F) -> Value,
) -> ExitCode {
    let build = |flags: &F| build(flags).map_err(Error::of_user_code);
    exit(match command {
        JobCommand::Run(args) => args.run(build, extra),
        JobCommand::Checkpoints(args) => args.carry_out(|| own_name(build)),
        JobCommand::Explain(args) => args.print(),
        JobCommand::Graph(args) => build(&args.flags).and_then(|job| args.print(&job)),
    })
}

/// The exit code of a command, after its error, if it has one, has been told. A command of the job itself
/// may fail with any error.
pub fn exit(result: Result<(), impl Into<UserError>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = Error::of_user_code(error.into());
            tell(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

fn tell(error: &Error) {
    terminal::note("error", terminal::Tone::Bad, &error.to_string());
}

/// The name of the job, if it can be built without any of its flags.
fn own_name<F: Args>(build: impl FnOnce(&F) -> Result<Job>) -> Option<String> {
    let nothing = F::augment_args(Command::new("job").no_binary_name(true));
    let nothing = nothing.try_get_matches_from([""; 0]).ok()?;
    let job = build(&F::from_arg_matches(&nothing).ok()?).ok()?;
    Some(job.name().to_string())
}

/// What `--version` says of a job that has no version of its own.
const ENGINE: &str = concat!("with steadfast ", env!("CARGO_PKG_VERSION"));

/// The whole command line of a job without flags of its own. Help speaks of the program by the name of
/// its file, and the version is that of the engine; [`main_as`] says more.
pub fn main(build: impl FnOnce() -> Result<Job, UserError>) -> ExitCode {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_deref().and_then(Path::file_stem).unwrap_or(OsStr::new("job"));
    let name = name.to_string_lossy().into_owned();
    let about = format!("The job of the program {name}");
    main_as(Command::new("job").display_name(name).about(about), build)
}

/// As [`main`], with the name, version and description of the job as `command` has them, for its help and
/// `--version`. The version of the package is `env!("CARGO_PKG_VERSION")`.
///
/// ```no_run
/// use std::process::ExitCode;
/// use steadfast::cli::clap::Command;
/// use steadfast::prelude::*;
///
/// fn main() -> ExitCode {
///     let version = env!("CARGO_PKG_VERSION");
///     let command = Command::new("squares").version(version).about("Squares of a few numbers");
///     steadfast::cli::main_as(command, || {
///         let job = Job::new("squares");
///         job.source("numbers", Values::new([1_u64, 2, 3]))
///             .map(|n| n * n)
///             .sink("squares", Collect::new());
///         Ok(job)
///     })
/// }
/// ```
pub fn main_as(command: Command, build: impl FnOnce() -> Result<Job, UserError>) -> ExitCode {
    let matches = with_commands(command).get_matches();
    match JobCommand::<NoFlags>::from_arg_matches(&matches) {
        Ok(command) => execute(command, |NoFlags {}| build(), |_, _| Value::Null),
        Err(error) => error.exit(),
    }
}

fn with_commands(command: Command) -> Command {
    let command = command.subcommand_required(true).arg_required_else_help(true);
    let command = match command.get_version() {
        Some(_) => command,
        None => command.version(ENGINE),
    };
    let (about, long_about) = (command.get_about().cloned(), command.get_long_about().cloned());
    // The commands bring a description of themselves, which is not one of the job.
    let command = JobCommand::<NoFlags>::augment_subcommands(command);
    let command = command.about(about.unwrap_or_default());
    match long_about {
        Some(long_about) => command.long_about(long_about),
        None => command,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_speaks_of_the_job_and_of_nothing_else() {
        let command = Command::new("squares").version("1.0").about("Squares of a few numbers");
        let mut command = with_commands(command);
        command.clone().debug_assert();
        let help = command.render_help().to_string();
        assert!(help.starts_with("Squares of a few numbers\n\nUsage: squares <COMMAND>"), "{help}");
        assert_eq!(command.render_version(), "squares 1.0\n");
        assert!(!help.contains("loses no event"), "{help}");
    }

    #[test]
    fn a_command_line_without_a_description_shows_one_for_people_and_a_version() {
        #[derive(clap::Parser)]
        struct Cli {
            #[command(subcommand)]
            _command: JobCommand<NoFlags>,
        }
        let help = <Cli as clap::CommandFactory>::command().render_long_help().to_string();
        let about = "Runs a job, and shows its plan and its checkpoints\n\nUsage:";
        assert!(help.starts_with(about), "{help}");
        let version = with_commands(Command::new("job")).render_version();
        assert_eq!(version, concat!("job with steadfast ", env!("CARGO_PKG_VERSION"), "\n"));
    }

    #[test]
    fn a_job_is_known_by_name_if_it_needs_no_flag() {
        #[derive(Clone, Debug, Args)]
        struct Flags {
            #[arg(long, default_value = "sums")]
            name: String,
        }
        #[derive(Clone, Debug, Args)]
        struct Required {
            #[arg(long)]
            name: String,
        }
        assert_eq!(own_name(|flags: &Flags| Ok(Job::new(&*flags.name))).as_deref(), Some("sums"));
        assert_eq!(own_name(|flags: &Required| Ok(Job::new(&*flags.name))), None);
        assert_eq!(own_name(|_: &NoFlags| Err(Error::configuration("not without a file"))), None);
    }
}
