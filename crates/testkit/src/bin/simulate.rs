//! Runs many seeds and says which of them show a violation.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::{Parser, ValueEnum};
use steadfast::Consistency;
use steadfast_core::fault::{Fault, Faults};
use steadfast_testkit::simulation::{Scenario, simulate};
use steadfast_testkit::topologies::Topology;

/// Simulates whole jobs on a disk that forgets and in fault_injector that kills, one for each seed.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  simulate --seeds 0..1000\n  simulate --seeds 17..18 --trace\n  \
    simulate --seeds 0..400 --fault marker-not-written   (must find violations)"
)]
struct Arguments {
    /// The seeds, first..end.
    #[arg(long, default_value = "0..1000", value_parser = seeds)]
    seeds: std::ops::Range<u64>,
    /// Only this shape of job; otherwise the seed decides.
    #[arg(long)]
    topology: Option<Topology>,
    /// Only this guarantee; otherwise every seed is run under all three.
    #[arg(long)]
    consistency: Option<Guarantee>,
    /// Switch on a deliberate fault, which must then be found.
    #[arg(long, value_parser = fault)]
    fault: Option<Fault>,
    /// Print every step.
    #[arg(long)]
    trace: bool,
}

#[derive(Clone, Copy, ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "the field's own terms")]
enum Guarantee {
    ExactlyOnce,
    AtLeastOnce,
    AtMostOnce,
}

impl From<Guarantee> for Consistency {
    fn from(guarantee: Guarantee) -> Self {
        match guarantee {
            Guarantee::ExactlyOnce => Consistency::ExactlyOnce,
            Guarantee::AtLeastOnce => Consistency::AtLeastOnce,
            Guarantee::AtMostOnce => Consistency::AtMostOnce,
        }
    }
}

fn seeds(text: &str) -> Result<std::ops::Range<u64>, String> {
    let (first, end) = text.split_once("..").ok_or("write first..end, such as 0..1000")?;
    let number = |text: &str| text.parse().map_err(|_| format!("'{text}' is no number"));
    Ok(number(first)?..number(end)?)
}

/// `MarkerNotWritten` is called `marker-not-written`.
fn name_of(fault: Fault) -> String {
    let mut name = String::new();
    for c in format!("{fault:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(c.to_lowercase());
    }
    name
}

fn fault(text: &str) -> Result<Fault, String> {
    let names: Vec<String> = Fault::ALL.into_iter().map(name_of).collect();
    let found = Fault::ALL.into_iter().find(|fault| name_of(*fault) == text);
    found.ok_or_else(|| format!("there are: {}", names.join(", ")))
}

/// What all threads have found.
#[derive(Default)]
struct Findings {
    runs: AtomicU64,
    deaths: AtomicU64,
    violations: Mutex<Vec<String>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let guarantees = match (arguments.consistency, arguments.fault) {
        (Some(guarantee), _) => vec![guarantee.into()],
        // The faults break what exactly-once promises.
        (None, Some(_)) => vec![Consistency::ExactlyOnce],
        (None, None) => {
            vec![Consistency::ExactlyOnce, Consistency::AtLeastOnce, Consistency::AtMostOnce]
        }
    };
    let findings = Findings::default();
    let next = AtomicU64::new(arguments.seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= arguments.seeds.end {
                        break;
                    }
                    guarantees.iter().for_each(|level| run(&arguments, seed, *level, &findings));
                }
            });
        }
    });
    let mut violations = findings.violations.into_inner().unwrap_or_else(PoisonError::into_inner);
    violations.sort();
    violations.iter().for_each(|violation| println!("{violation}"));
    let (runs, deaths) = (findings.runs.into_inner(), findings.deaths.into_inner());
    println!("{runs} runs, {deaths} deaths of processes, {} violations", violations.len());
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
    let faults = arguments.fault.map_or(Faults::NONE, Faults::with);
    let outcome = simulate(Scenario { seed, topology, consistency, faults });
    if arguments.trace {
        outcome.trace.iter().for_each(|step| println!("{step}"));
    }
    findings.runs.fetch_add(1, Ordering::Relaxed);
    findings.deaths.fetch_add(u64::from(outcome.deaths), Ordering::Relaxed);
    if let Some(violation) = outcome.violation {
        let line = format!("seed {seed}, {topology:?}, {consistency:?}: {violation}");
        findings.violations.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}
