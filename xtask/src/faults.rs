//! `cargo xtask faults`: mistakes are planted in a copy of the checkout, one at a time, and it is seen
//! who finds them.
//!
//! The mistakes were chosen by hand, after those that were made; they stand in `faults/*.toml`, one list
//! for each crate. Nothing in the engine knows of them. One build of the copy serves all: there each
//! mistake is a choice that an environment variable makes (`plant.rs`).

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::checkout::Checkout;

mod known;
mod list;
mod plant;
mod simulation;
mod suites;
mod table;
mod trial;

use list::Fault;
use plant::Planted;
use table::Row;

/// Plant faults and see who finds them.
#[derive(Args)]
pub struct Options {
    /// Only see whether every place where a fault belongs is there.
    #[arg(long)]
    check: bool,
    /// Only these faults.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Only so many, drawn at random.
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// What decides the draw.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// How many seeds the simulation has to find a fault, each under three levels.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    seeds: u64,
    /// Let the tests look for what the simulation has not found.
    #[arg(long)]
    tests: bool,
    /// Let the tests look for every fault.
    #[arg(long, requires = "tests")]
    all: bool,
    /// Files in which earlier runs on the same sources were printed as JSON: what they have looked for is
    /// not looked for again.
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    known: Vec<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Put the result into docs/faults.md.
    #[arg(long, requires = "date", conflicts_with_all = ["only", "sample"])]
    write: bool,
    /// The day that is written there.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<String>,
}

/// The rule of `cargo xtask test`: every fault has its place.
pub fn check(checkout: &Checkout) -> Result<bool> {
    let faults = list::read(checkout)?;
    let mut problems = list::problems(checkout, &faults)?;
    if problems.is_empty() {
        problems = plant::problems(checkout, &faults)?;
    }
    problems.iter().for_each(|problem| eprintln!("faults: {problem}"));
    if problems.is_empty() {
        eprintln!("faults: {} faults, each with its place", faults.len());
    }
    Ok(problems.is_empty())
}

/// Plants faults, lets simulation and tests look for them, and says who found what.
pub fn run(checkout: &Checkout, options: &Options) -> Result<ExitCode> {
    let passed = check(checkout)?;
    if !passed || options.check {
        return Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let all = list::read(checkout)?;
    let planted = Planted::prepare(checkout, &all)?;
    let rows = hunt(&planted, chosen(all, options)?, options)?;
    match options.json {
        true => println!("{}", table::json(&rows)?),
        false => print!("{}", table::text(&rows)),
    }
    if let (true, Some(date)) = (options.write, &options.date) {
        let page = checkout.path("docs/faults.md");
        std::fs::write(&page, table::page(&rows, options.seeds, date))
            .with_context(|| page.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(all: Vec<Fault>, options: &Options) -> Result<Vec<Fault>> {
    let is_known = |name: &&String| !all.iter().any(|fault| fault.name == **name);
    if let Some(unknown) = options.only.iter().find(is_known) {
        bail!("there is no fault '{unknown}'");
    }
    let is_wanted = |fault: &Fault| options.only.is_empty() || options.only.contains(&fault.name);
    let mut faults: Vec<Fault> = all.into_iter().filter(is_wanted).collect();
    if let Some(sample) = options.sample {
        fastrand::Rng::with_seed(options.seed).shuffle(&mut faults);
        faults.truncate(sample);
        faults.sort_by_key(|fault| fault.number);
    }
    Ok(faults)
}

fn hunt(planted: &Planted, faults: Vec<Fault>, options: &Options) -> Result<Vec<Row>> {
    let known = known::read(&options.known)?;
    let mut rows: Vec<Row> = faults.into_iter().map(|fault| Row::new(fault, &known)).collect();
    seek(planted, &mut rows, options.seeds)?;
    if options.tests {
        let is_left = |row: &Row| !row.tested && (options.all || row.simulation.is_none());
        let left = rows.iter().filter(|row| is_left(row)).map(|row| &row.fault);
        let mut suites = suites::Suites::build(planted, left)?;
        for row in rows.iter_mut().filter(|row| is_left(row)) {
            row.tests = suites.look_for(&row.fault)?;
            row.tested = true;
            say(&row.fault, "tests", row.tests.as_ref());
        }
    }
    Ok(rows)
}

/// Lets the simulation look for faults in code that it runs; which that is, a run without faults shows.
fn seek(planted: &Planted, rows: &mut [Row], seeds: u64) -> Result<()> {
    let mut left = rows.iter_mut().filter(|row| !row.sought).peekable();
    if left.peek().is_none() {
        return Ok(());
    }
    let simulator = simulation::Simulator::build(planted)?;
    let reached = simulator.reached(seeds)?;
    for row in left {
        row.sought = true;
        row.reached = reached.contains(&row.fault.number);
        if row.reached {
            row.simulation = simulator.look_for(&row.fault, seeds)?;
        }
        say(&row.fault, "simulation", row.simulation.as_ref());
    }
    Ok(())
}

/// Progress goes where it does not mix with the result.
fn say(fault: &Fault, by: &str, found: Option<&trial::Found>) {
    let found = found.map_or_else(|| "-".to_string(), ToString::to_string);
    eprintln!("{:>4}  {}: {by}: {found}", fault.number, fault.name);
}
