//! The project's own tool, called as `cargo xtask`: its checks, its simulation, its measurements.
//!
//! It reads the checkout and runs other programs. Nothing that is shipped depends on it.

mod checkout;
mod paint;
mod rust_text;

mod arrows;
mod guarantees;
mod tidy;
mod time_limit;
mod trouble;

mod bench;
mod drill;
mod explore;
mod faults;
mod simulate;

mod steps;
mod tally;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::checkout::Checkout;
use crate::steps::Suite;

/// The checks, the simulation and the measurements of Steadfast.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check and every test, then say how many passed, failed and were skipped.
    Test {
        /// Run only these steps.
        #[arg(long, value_delimiter = ',', value_name = "STEP")]
        only: Vec<String>,
    },
    /// What `test` does, and a short simulation.
    Ci,
    /// Run the seeded simulation; all arguments go to the `simulate` program.
    #[command(disable_help_flag = true)]
    Sim {
        /// For instance `--seeds 0..1000`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Go through every order of the calls of a few small processes; without arguments, to all bounds.
    #[command(disable_help_flag = true)]
    Explore {
        /// For instance `--starts run,hasty --preemptions 2`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run a drill on the real binary that is too long for a test; arguments after its name go to it.
    #[command(disable_help_flag = true)]
    Drill {
        /// Which one.
        drill: drill::Drill,
        /// For instance `--sample 40`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Plant faults in a copy of the sources, one at a time, and see who finds them.
    Faults(faults::Options),
    /// Measure the payments example against a hand-written loop.
    Bench(bench::Options),
    /// Compare the dependencies of crates and modules with ARCHITECTURE.md.
    Arrows,
    /// Check sizes, names and forbidden words of all Rust files.
    Tidy,
    /// Check that every test that GUARANTEES.md names is there.
    Guarantees,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let checkout = Checkout::find()?;
    match command {
        Command::Test { only } => steps::run(&checkout, Suite::Test, &only),
        Command::Ci => steps::run(&checkout, Suite::Ci, &[]),
        Command::Sim { arguments } => simulate::run(&checkout, &arguments),
        Command::Explore { arguments } => explore::run(&checkout, &arguments),
        Command::Drill { drill, arguments } => drill::run(&checkout, drill, &arguments),
        Command::Faults(options) => faults::run(&checkout, &options),
        Command::Bench(options) => bench::run(&checkout, &options).map(|()| ExitCode::SUCCESS),
        Command::Arrows => verdict(arrows::check(&checkout)?),
        Command::Tidy => verdict(tidy::check(&checkout)?),
        Command::Guarantees => verdict(guarantees::check(&checkout)?),
    }
}

fn verdict(passed: bool) -> Result<ExitCode> {
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
