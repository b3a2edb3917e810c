//! Lets every call to the disk meet every fault in turn, and says what went wrong.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use steadfast_drills::faults::campaign::Campaign;
use steadfast_drills::faults::case::{Case, Fault};
use steadfast_drills::options::Options;

/// A process meets a fault at one call to the disk; all calls and all faults in turn.
#[derive(Parser)]
#[command(
    name = "faults",
    after_help = "Examples:\n  faults --sample 40\n  faults --sink jsonl --parallelism 1 --fault lost\n  \
    faults --sample 0       only hold the recordings against the order that survives power loss\n  \
    faults --only sqlite/1/fresh/main:link:store-log:1/lost\n\n\
    A folder for temporary files in memory (TMPDIR) makes it much faster."
)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Play one of so many cases; 0 plays none and judges the recordings only.
    #[arg(long, value_name = "N", default_value_t = 1)]
    sample: usize,
    /// Play only these faults: dies-before, dies-after, eio, eio-3, eio-on, enospc-3, lost, short,
    /// short-enospc, gate.
    #[arg(long, value_delimiter = ',', value_name = "FAULT")]
    fault: Vec<Fault>,
    /// Play only calls whose verb and kind of path are these, such as list:store-data.
    #[arg(long, value_delimiter = ',', value_name = "VERB:KIND")]
    call: Vec<String>,
    /// Play only this case, and tell everything about it.
    #[arg(long, value_name = "CASE")]
    only: Option<Case>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let is_single = arguments.only.is_some();
    let with_traces = if is_single { 1 } else { arguments.options.traces };
    let replay = arguments.options.command("faults") + " --only";
    let campaign = Campaign {
        binary: arguments.options.binary(),
        sinks: arguments.options.sink,
        parallelism: arguments.options.parallelism,
        sample: arguments.sample,
        seed: arguments.options.seed,
        at_once: arguments.options.at_once,
        faults: arguments.fault,
        calls: arguments.call,
        only: arguments.only,
    };
    let report = campaign.play()?;
    if is_single && report.is_clean() {
        let played = report.outcome.played.iter();
        played.flat_map(|played| &played.trace).for_each(|line| println!("{line}"));
    }
    for line in report.summary(&replay, with_traces) {
        println!("{line}");
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
