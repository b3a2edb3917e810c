//! `cargo xtask bench`: the payments example against a hand-written loop over the same file.
//!
//! The numbers that count are ratios. The two sides of a ratio run one after the other, as whole
//! processes, each with fresh outputs, and which side goes first alternates from round to round:
//! what slows the machine down for a while slows both sides down.

mod machine;
mod process;
mod rows;
mod table;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::bench::process::Run;
use crate::bench::rows::{Group, Program, Row};
use crate::bench::table::{Measured, Pair};
use crate::checkout::Checkout;

/// The document that `--write` writes the table into.
const DOCUMENT: &str = "docs/benchmarks.md";

/// What to measure.
#[derive(Args)]
pub struct Options {
    /// How many payments the input has.
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    events: u64,
    /// How often each pair is run.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Where input and outputs are kept; `bench` in the build folder if not given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Measure only these groups of rows.
    #[arg(long, value_delimiter = ',', value_name = "GROUP")]
    only: Vec<Group>,
    /// Put the table into docs/benchmarks.md.
    #[arg(long, requires = "date")]
    write: bool,
    /// The date to write beside the table, such as 2026-01-31.
    #[arg(long)]
    date: Option<String>,
}

/// The two programs, and the folder that they work in.
struct Bench {
    payments: PathBuf,
    baseline: PathBuf,
    input: PathBuf,
    /// Emptied before every run.
    scratch: PathBuf,
    lines: u64,
}

/// Builds, generates, measures, prints the table, and writes it if asked to.
pub fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    let document = checkout.path(DOCUMENT);
    if options.write {
        // Better now than after an hour of measuring.
        table::replace(&read(&document)?, "").context(DOCUMENT)?;
    }
    let bench = Bench::prepare(checkout, options)?;
    let rows: Vec<Row> = rows::all()
        .into_iter()
        .filter(|row| options.only.is_empty() || options.only.contains(&row.group))
        .collect();
    let measured = bench.measure(rows, options.runs)?;
    let rounds = options.runs;
    let text = table::render(&measured, bench.lines, rounds);
    println!("\n{text}");
    if options.write {
        let machine = machine::describe(options.date.as_deref().unwrap_or_default());
        let new = table::replace(&read(&document)?, &format!("{machine}\n{text}"))?;
        fs::write(&document, new).context(DOCUMENT)?;
        println!("written to {DOCUMENT}");
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

impl Bench {
    fn prepare(checkout: &Checkout, options: &Options) -> Result<Self> {
        let examples = ["--package", "steadfast-examples", "--example", "payments"];
        build(checkout, &examples)?;
        build(checkout, &["--package", "steadfast-benches", "--bin", "baseline"])?;
        let metadata = checkout.metadata()?;
        let target = metadata["target_directory"].as_str().context("there is no build folder")?;
        let target = Path::new(target);
        let data = options.data.clone().unwrap_or_else(|| target.join("bench"));
        fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
        // The programs run somewhere else than this tool.
        let data = data.canonicalize()?;
        let payments = target.join("release/examples/payments");
        let input = generate(&payments, &data, options.events)?;
        let lines = count_lines(&input)?;
        let baseline = target.join("release/baseline");
        Ok(Bench { payments, baseline, input, scratch: data.join("run"), lines })
    }

    /// Runs all rows once in every round, so that a slow minute does not hit one row alone.
    fn measure(&self, rows: Vec<Row>, rounds: u64) -> Result<Vec<Measured>> {
        let count = rows.len();
        let mut measured: Vec<_> =
            rows.into_iter().map(|row| Measured { row, pairs: Vec::new() }).collect();
        for round in 0..rounds {
            for (index, Measured { row, pairs }) in measured.iter_mut().enumerate() {
                let pair = self.pair(row, round % 2 == 1)?;
                println!(
                    "round {}/{rounds}, row {}/{count}: {}: {:.2} s against {:.2} s, ratio {:.3}",
                    round + 1,
                    index + 1,
                    row.title(),
                    pair.variant.seconds,
                    pair.baseline.seconds,
                    pair.ratio(),
                );
                pairs.push(pair);
            }
        }
        fs::remove_dir_all(&self.scratch)?;
        Ok(measured)
    }

    fn pair(&self, row: &Row, variant_first: bool) -> Result<Pair> {
        if variant_first {
            let variant = self.once(&row.variant)?;
            return Ok(Pair { baseline: self.once(&row.baseline)?, variant });
        }
        let baseline = self.once(&row.baseline)?;
        Ok(Pair { baseline, variant: self.once(&row.variant)? })
    }

    fn once(&self, program: &Program) -> Result<Run> {
        if self.scratch.exists() {
            fs::remove_dir_all(&self.scratch)?;
        }
        fs::create_dir_all(&self.scratch)?;
        // What the run before left to be written must not be paid for by this one. Where there is
        // no such program, the alternation has to do.
        let _ = Command::new("sync").status();
        let path = match program {
            Program::Baseline { .. } => &self.baseline,
            Program::Payments { .. } => &self.payments,
        };
        let mut command = Command::new(path);
        command.args(program.arguments(&self.input, &self.scratch)).current_dir(&self.scratch);
        let (run, summary) = process::run(command)?;
        read_everything(&summary, self.lines)?;
        Ok(run)
    }
}

fn build(checkout: &Checkout, what: &[&str]) -> Result<()> {
    println!("building {}", what.join(" "));
    let status = checkout.cargo().args(["build", "--release", "--quiet"]).args(what).status()?;
    ensure!(status.success(), "cargo build {} failed", what.join(" "));
    Ok(())
}

/// Makes the input under its final name only when it is complete.
fn generate(payments: &Path, data: &Path, events: u64) -> Result<PathBuf> {
    let input = data.join(format!("payments-{events}.jsonl"));
    if input.exists() {
        return Ok(input);
    }
    println!("generating {events} payments");
    let partial = data.join(format!("incomplete-{events}.jsonl"));
    let mut command = Command::new(payments);
    command.args(["generate", "--events", &events.to_string(), "--output"]).arg(&partial);
    ensure!(command.status()?.success(), "payments generate failed");
    fs::rename(&partial, &input)?;
    Ok(input)
}

/// Counts the lines of the input, which also brings it into the page cache before the first run.
fn count_lines(input: &Path) -> Result<u64> {
    let mut file = fs::File::open(input)?;
    let mut buffer = vec![0; 1 << 20];
    let mut lines = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(lines),
            length => lines += buffer[..length].iter().filter(|&&b| b == b'\n').count() as u64,
        }
    }
}

/// A fast program that left out a part of its work must not win.
fn read_everything(summary: &Value, lines: u64) -> Result<()> {
    let events = summary["events"].as_u64().context("a run did not say how many events it had")?;
    if events != lines {
        bail!("a run had {events} events, but the input has {lines} lines");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_that_left_something_out_is_refused() {
        assert!(read_everything(&json!({ "events": 10 }), 10).is_ok());
        assert!(read_everything(&json!({ "events": 9 }), 10).is_err());
        assert!(read_everything(&json!({ "seconds": 1 }), 10).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn all_rows_are_measured_in_every_round_with_fresh_outputs() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // Both programs fail if what an earlier run wrote is still there.
        let script = "#!/bin/sh\ntest -z \"$(ls)\" || exit 1\ntouch balances.sqlite\n\
                      echo '{\"events\":3,\"seconds\":0.1}'\n";
        for program in ["payments", "baseline"] {
            fs::write(path(program), script).unwrap();
            fs::set_permissions(path(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(path("input"), "a\nb\nc\n").unwrap();
        let bench = Bench {
            payments: path("payments"),
            baseline: path("baseline"),
            lines: count_lines(&path("input")).unwrap(),
            input: path("input"),
            scratch: path("run"),
        };
        let measured = bench.measure(rows::all(), 2).unwrap();
        assert_eq!(measured.len(), rows::all().len());
        assert!(measured.iter().all(|row| row.pairs.len() == 2));
        assert!(!bench.scratch.exists());
    }
}
