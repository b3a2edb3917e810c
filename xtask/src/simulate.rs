//! Starts the seeded simulation, which lives in the crate `testkit`, and hands on all arguments.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::checkout::Checkout;

/// What stands before the arguments of the simulation; `ci` runs the same program.
pub const PROGRAM: [&str; 7] =
    ["run", "--release", "--quiet", "--package", "steadfast-testkit", "--bin", "simulate"];

/// Runs the simulation and passes on how it ended.
pub fn run(checkout: &Checkout, arguments: &[String]) -> Result<ExitCode> {
    let status = checkout
        .cargo()
        .args(PROGRAM)
        .arg("--")
        .args(arguments)
        .status()
        .context("cannot start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
