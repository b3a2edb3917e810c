//! Starts the exploration of schedules, which lives in the crate `testkit`.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::checkout::Checkout;

const PROGRAM: [&str; 8] =
    ["run", "--release", "--quiet", "--package", "steadfast-testkit", "--bin", "explore", "--"];

/// Explores what `arguments` say, or all bounds if they say nothing; passes on how it ended.
pub fn run(checkout: &Checkout, arguments: &[String]) -> Result<ExitCode> {
    let all = [String::from("--table")];
    let arguments = if arguments.is_empty() { &all[..] } else { arguments };
    let status =
        checkout.cargo().args(PROGRAM).args(arguments).status().context("cannot start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
