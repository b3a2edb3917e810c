//! Runs many seeds and says which of them show a violation, and what happened in all of them.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::{Parser, ValueEnum};
use steadfast::Consistency;
use steadfast_testkit::coverage;
use steadfast_testkit::coverage::Counts;
use steadfast_testkit::fault_injector::Mutation;
use steadfast_testkit::input::Topology;
use steadfast_testkit::simulation::{Scenario, simulate};

/// Simulates histories of jobs whose processes come between each other, one for each seed.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  simulate --seeds 0..1000\n  simulate --seeds 17..18 --level at-most-once --trace\n  \
    simulate --seeds 0..400 --fault marker-not-written   (must find violations)"
)]
struct Arguments {
    /// The seeds, first..end.
    #[arg(long, default_value = "0..1000", value_parser = seeds)]
    seeds: std::ops::Range<u64>,
    /// Only this shape of job; otherwise the seed decides.
    #[arg(long)]
    topology: Option<Topology>,
    /// Only this level to begin with; otherwise every seed is run under all three.
    #[arg(long)]
    level: Option<Level>,
    /// Switch on a deliberate fault, which must then be found.
    #[arg(long, value_parser = fault)]
    fault: Option<Mutation>,
    /// Print every call.
    #[arg(long)]
    trace: bool,
    /// Fail if an event of the list never happened, however few seeds there are; with many seeds that
    /// is so without this flag.
    #[arg(long, conflicts_with = "may_miss")]
    must_see_all: bool,
    /// Do not fail if an event of the list never happened, however many seeds there are.
    #[arg(long)]
    may_miss: bool,
    /// Stop at the first violation.
    #[arg(long)]
    first: bool,
    /// Say which seed begins, so that whoever waits can tell a slow run from one that hangs.
    #[arg(long)]
    progress: bool,
}

#[derive(Clone, Copy, ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "the field's own terms")]
enum Level {
    ExactlyOnce,
    AtLeastOnce,
    AtMostOnce,
}

impl From<Level> for Consistency {
    fn from(level: Level) -> Self {
        match level {
            Level::ExactlyOnce => Consistency::ExactlyOnce,
            Level::AtLeastOnce => Consistency::AtLeastOnce,
            Level::AtMostOnce => Consistency::AtMostOnce,
        }
    }
}

impl Arguments {
    /// Whether every event of the list must have happened.
    fn must_see(&self) -> bool {
        let is_all = self.topology.is_none() && self.level.is_none() && self.fault.is_none();
        let seeds = self.seeds.end.saturating_sub(self.seeds.start);
        self.must_see_all || is_all && !self.may_miss && seeds >= coverage::ENOUGH_SEEDS
    }
}

fn seeds(text: &str) -> Result<std::ops::Range<u64>, String> {
    let (first, end) = text.split_once("..").ok_or("write first..end, such as 0..1000")?;
    let number = |text: &str| text.parse().map_err(|_| format!("'{text}' is no number"));
    Ok(number(first)?..number(end)?)
}

/// `MarkerNotWritten` is called `marker-not-written`.
fn name_of(fault: Mutation) -> String {
    let mut name = String::new();
    for c in format!("{fault:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(c.to_lowercase());
    }
    name
}

fn fault(text: &str) -> Result<Mutation, String> {
    let names: Vec<String> = Mutation::ALL.into_iter().map(name_of).collect();
    let found = Mutation::ALL.into_iter().find(|fault| name_of(*fault) == text);
    found.ok_or_else(|| format!("there are: {}", names.join(", ")))
}

/// What all threads have found.
#[derive(Default)]
struct Findings {
    runs: AtomicU64,
    violations: Mutex<Vec<(u64, String)>>,
    counts: Mutex<Counts>,
}

impl Findings {
    fn violations(&self) -> std::sync::MutexGuard<'_, Vec<(u64, String)>> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let levels = match arguments.level {
        Some(level) => vec![level.into()],
        None => vec![Consistency::ExactlyOnce, Consistency::AtLeastOnce, Consistency::AtMostOnce],
    };
    let findings = Findings::default();
    let next = AtomicU64::new(arguments.seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_over = arguments.first && !findings.violations().is_empty();
                    if seed >= arguments.seeds.end || is_over {
                        break;
                    }
                    if arguments.progress {
                        println!("seed {seed} begins");
                    }
                    levels.iter().for_each(|level| run(&arguments, seed, *level, &findings));
                }
            });
        }
    });
    let counts = findings.counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    counts.iter().for_each(|(what, count)| println!("{count:>9}  {what}"));
    let mut violations = findings.violations.into_inner().unwrap_or_else(PoisonError::into_inner);
    violations.sort();
    violations.iter().take(40).for_each(|(_, violation)| println!("{violation}"));
    println!("{} runs, {} violations", findings.runs.into_inner(), violations.len());
    let missing = coverage::missing(&counts);
    missing.iter().for_each(|event| println!("never happened: {event}"));
    if arguments.must_see() && !missing.is_empty() {
        return ExitCode::FAILURE;
    }
    match (arguments.fault, violations.is_empty()) {
        (None, true) | (Some(_), false) => ExitCode::SUCCESS,
        (None, false) => ExitCode::FAILURE,
        (Some(fault), true) => {
            println!("nobody noticed the fault {}", name_of(fault));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, seed: u64, consistency: Consistency, findings: &Findings) {
    let topology =
        arguments.topology.unwrap_or(Topology::ALL[(seed % Topology::ALL.len() as u64) as usize]);
    let outcome = simulate(Scenario { seed, topology, consistency, mutation: arguments.fault });
    if arguments.trace {
        outcome.trace.iter().for_each(|step| println!("{step}"));
    }
    findings.runs.fetch_add(1, Ordering::Relaxed);
    let mut counts = findings.counts.lock().unwrap_or_else(PoisonError::into_inner);
    outcome.counts.into_iter().for_each(|(what, n)| *counts.entry(what).or_default() += n);
    drop(counts);
    if let Some(violation) = outcome.violation {
        let line = format!("seed {seed}, {topology:?}, {consistency:?}: {violation}");
        findings.violations().push((seed, line));
    }
}
