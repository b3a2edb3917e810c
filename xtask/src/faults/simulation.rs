//! The simulation as a finder of planted faults.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::list::Fault;
use super::plant::{Planted, REACHED, VARIABLE};
use super::trial::{self, End, Found};

/// What is silent for so long has hung: a seed takes milliseconds.
const SILENCE: Duration = Duration::from_secs(60);

/// How much of a violation is shown.
const SHOWN: usize = 90;

/// The simulator of the copy.
pub struct Simulator {
    program: PathBuf,
    /// In which a run notes which places of faults it has come to.
    notes: PathBuf,
}

impl Simulator {
    pub fn build(planted: &Planted) -> Result<Self> {
        let mut build = planted.cargo();
        build.args(["build", "--release", "--quiet"]);
        build.args(["--package", "steadfast-testkit", "--bin", "simulate"]);
        let built = build.status().context("cannot start cargo")?;
        ensure!(built.success(), "the simulator of the copy does not build: is a plant no Rust?");
        let notes = planted.program("reached.txt");
        Ok(Simulator { program: planted.program("release/simulate"), notes })
    }

    /// Runs so many seeds without a fault, in which nothing may be found, and says of which faults they
    /// run the place, by their numbers.
    pub fn reached(&self, seeds: u64) -> Result<BTreeSet<usize>> {
        if self.notes.exists() {
            fs::remove_file(&self.notes)?;
        }
        let mut command = self.command(0, seeds);
        command.env(REACHED, &self.notes);
        let (end, output) = trial::run(command, SILENCE, |_| false)?;
        let what = "the simulation finds something where nothing is planted";
        ensure!(matches!(end, End::Success), "{what}: {}", violation(&output));
        let notes = fs::read_to_string(&self.notes).with_context(|| "it has noted nothing")?;
        Ok(notes.lines().filter_map(|number| number.parse().ok()).collect())
    }

    fn command(&self, fault: usize, seeds: u64) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--first", "--progress", "--seeds", &format!("0..{seeds}")]);
        command.env(VARIABLE, fault.to_string());
        command
    }

    /// Runs so many seeds with `fault` planted.
    pub fn look_for(&self, fault: &Fault, seeds: u64) -> Result<Option<Found>> {
        let (end, output) = trial::run(self.command(fault.number, seeds), SILENCE, |_| false)?;
        Ok(match end {
            End::Success => None,
            End::Hangs => Some(Found { seeds: None, what: "hangs".into() }),
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
