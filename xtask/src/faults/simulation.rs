//! The simulation as a finder of planted faults.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::list::Fault;
use super::plant::{Planted, VARIABLE};
use super::trial::{self, End, Found};

/// What takes longer has hung: all seeds take some seconds.
const LIMIT: Duration = Duration::from_secs(90);

/// How much of a violation is shown.
const SHOWN: usize = 90;

/// The simulator of the copy.
pub struct Simulator {
    program: PathBuf,
}

impl Simulator {
    pub fn build(planted: &Planted) -> Result<Self> {
        let mut build = planted.cargo();
        build.args(["build", "--release", "--quiet"]);
        build.args(["--package", "steadfast-testkit", "--bin", "simulate"]);
        let built = build.status().context("cannot start cargo")?;
        ensure!(built.success(), "the simulator of the copy does not build: is a plant no Rust?");
        Ok(Simulator { program: planted.program("release/simulate") })
    }

    /// Runs so many seeds with `fault` planted, or with none.
    pub fn look_for(&self, fault: Option<&Fault>, seeds: u64) -> Result<Option<Found>> {
        let mut command = Command::new(&self.program);
        command.args(["--first", "--seeds", &format!("0..{seeds}")]);
        command.env(VARIABLE, fault.map_or(0, |fault| fault.number).to_string());
        let (end, output) = trial::run(command, LIMIT, |_| false)?;
        Ok(match end {
            End::Success => None,
            End::TooLate => Some(Found { seeds: None, what: "hangs".into() }),
            End::Failure => Some(violation(&output)),
        })
    }
}

/// The violation of the least seed, of `seed 17, Aggregate, ExactlyOnce: …`.
fn violation(output: &str) -> Found {
    let read = |line: &str| -> Option<(u64, String)> {
        let (place, what) = line.strip_prefix("seed ")?.split_once(": ")?;
        Some((place.split(',').next()?.parse().ok()?, what.to_string()))
    };
    let least = output.lines().filter_map(read).min();
    least.map_or(Found { seeds: None, what: "dies".into() }, |(seed, what)| Found {
        seeds: Some(seed + 1),
        what: what.chars().take(SHOWN).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_violation_of_the_least_seed_counts() {
        let found =
            violation("  7 x\nseed 12, Chain, AtMostOnce: b\nseed 3, Chain, X: a: c\n2 runs");
        assert_eq!(found, Found { seeds: Some(4), what: "a: c".into() });
        assert_eq!(violation("").what, "dies");
    }
}
