//! Starts a drill that is too long for a test, and hands on all arguments.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::checkout::Checkout;

/// Which drill.
#[derive(Clone, Copy, ValueEnum)]
pub enum Drill {
    /// A process is held at every call to the disk in turn while another comes between.
    Pauses,
    /// A process meets a fault at every call to the disk in turn.
    Faults,
    /// A job follows logs that grow and are rotated, and is killed and stopped.
    Follow,
    /// A job runs at a constant rate for long, and its target is away for a while.
    Soak,
}

/// Runs a drill and passes on how it ended.
pub fn run(checkout: &Checkout, drill: Drill, arguments: &[String]) -> Result<ExitCode> {
    let program = match drill {
        Drill::Pauses => "pauses",
        Drill::Faults => "faults",
        Drill::Follow => "follow",
        Drill::Soak => "soak",
    };
    let status = checkout
        .cargo()
        .args(["run", "--quiet", "--package", "steadfast-drills", "--bin", program, "--"])
        .args(arguments)
        .status()
        .context("cannot start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
