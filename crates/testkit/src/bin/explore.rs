//! Goes through every order in which a few processes' calls can follow each other, up to a bound.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use steadfast_testkit::explorer::{self, Exploration, ExploredJob, Finding, Start, bounds};

/// Explores all schedules of a few processes of one small job, up to a bound.
#[derive(Parser)]
#[command(after_help = "Examples:\n  explore --starts run,hasty --preemptions 2\n  \
    explore --starts run,run,reset,hasty --preemptions 2 --lost 1")]
struct Arguments {
    /// The processes that may be started, in any order.
    #[arg(long, value_delimiter = ',', default_value = "run,run,reset,hasty")]
    starts: Vec<Start>,
    /// At most so many preemptions between calls.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(..=3))]
    preemptions: u8,
    /// At most so many calls that take effect and whose answer is lost.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=3))]
    lost: u8,
    /// An object of the newest checkpoint may be damaged before a process is started.
    #[arg(long)]
    damage: bool,
    /// How many checkpoints the job keeps.
    #[arg(long, default_value_t = 1)]
    retained: usize,
    /// How many entries of the log are closed together.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    block: u64,
    /// How many names a list yields before others may come in between.
    #[arg(long, default_value_t = 1000)]
    page: usize,
    /// How many pairs of payments in the middle change nothing.
    #[arg(long, default_value_t = 0)]
    quiet: usize,
    /// How many threads search; one gives the same figures in every run.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Give up after so many schedules.
    #[arg(long, default_value_t = u64::MAX)]
    most_schedules: u64,
    /// Show the shortest schedule that led to each refusal, too.
    #[arg(long)]
    refusals: bool,
    /// Explore all bounds instead, and print a table.
    #[arg(long)]
    table: bool,
    /// Only show what each process does when it is the only one.
    #[arg(long)]
    undisturbed: bool,
}

fn show(kind: &str, finding: &Finding, with_trace: bool) {
    println!("{} times, first after {} schedules: {kind}", finding.times, finding.after_schedules);
    if with_trace {
        finding.trace.iter().for_each(|line| println!("    {line}"));
        match &finding.confirmed {
            Some(Ok(())) => println!("    (confirmed with real threads)"),
            Some(Err(problem)) => println!("    (NOT confirmed with real threads: {problem})"),
            None => {}
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long it takes decides nothing")]
/// Explores all bounds. True if there is no violation.
fn table(threads: usize) -> bool {
    println!("{}", bounds::HEAD);
    let mut is_right = true;
    for exploration in bounds::all() {
        let exploration = Exploration { threads, ..exploration };
        let began = Instant::now();
        let findings = explorer::explore(&exploration);
        println!("{}", bounds::row(&exploration, &findings, began.elapsed()));
        findings.violations.iter().for_each(|(kind, finding)| show(kind, finding, true));
        findings.refusals.iter().for_each(|(kind, finding)| show(kind, finding, false));
        is_right &= findings.violations.is_empty();
    }
    is_right
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.table {
        let is_right = table(arguments.threads.max(1));
        return if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let exploration = Exploration {
        job: ExploredJob {
            retained: arguments.retained,
            block: arguments.block,
            page: arguments.page,
            quiet: arguments.quiet,
        },
        starts: arguments.starts,
        preemptions: arguments.preemptions,
        lost: arguments.lost,
        damages: u8::from(arguments.damage),
        prunes: true,
        threads: arguments.threads.max(1),
        most_schedules: arguments.most_schedules,
        progress: Some(|states| eprintln!("{} million states", states / 1_000_000)),
    };
    if arguments.undisturbed {
        explorer::undisturbed(&exploration).iter().for_each(|line| println!("{line}"));
        return ExitCode::SUCCESS;
    }
    let findings = explorer::explore(&exploration);
    println!("{} kinds of violation", findings.violations.len());
    findings.violations.iter().for_each(|(kind, finding)| show(kind, finding, true));
    println!("{} kinds of refusal of the last process", findings.refusals.len());
    findings.refusals.iter().for_each(|(kind, finding)| show(kind, finding, arguments.refusals));
    println!(
        "{} schedules to their end, {} given up at known states, {} states, {} calls, {} runs of processes{}",
        findings.schedules,
        findings.pruned,
        findings.states,
        findings.calls,
        findings.runs,
        if findings.is_cut_short { "; CUT SHORT" } else { "" }
    );
    if findings.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
