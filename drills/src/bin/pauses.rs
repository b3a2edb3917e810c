//! Holds a process back at every call to the disk in turn while another comes between, and says
//! what went wrong.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use steadfast_drills::options::Options;
use steadfast_drills::pauses::campaign::Campaign;
use steadfast_drills::pauses::case::Case;

/// A process is held at one call to the disk while a second comes between; all calls in turn.
#[derive(Parser)]
#[command(
    name = "pauses",
    after_help = "Examples:\n  pauses --sample 40\n  pauses --sink jsonl --parallelism 1\n  \
    pauses --only sqlite/1/fresh/main:link:store-log:1/takeover\n\n\
    A folder for temporary files in memory (TMPDIR) makes it much faster."
)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Play one of so many cases.
    #[arg(long, value_name = "N", default_value_t = 1)]
    sample: usize,
    /// The flag of `run` that forgets everything and begins anew.
    #[arg(long, default_value = ANEW_FLAG, allow_hyphen_values = true)]
    anew_flag: String,
    /// Play only cases in which the second process does one of these: takeover, anew, killed,
    /// killed-anew, stranger, stranger-adopt, continue, onward.
    #[arg(long, value_delimiter = ',', value_name = "ACTION")]
    action: Vec<String>,
    /// Play only this case, and tell everything about it.
    #[arg(long, value_name = "CASE")]
    only: Option<Case>,
}

impl Arguments {
    /// The command that plays one case again, but for its name.
    fn replay(&self) -> String {
        let mut command = self.options.command("pauses");
        if self.anew_flag != ANEW_FLAG {
            command += &format!(" --anew-flag={}", self.anew_flag);
        }
        command + " --only"
    }
}

/// What `run` calls it.
const ANEW_FLAG: &str = "--reset";

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let is_single = arguments.only.is_some();
    let with_traces = if is_single { 1 } else { arguments.options.traces };
    let replay = arguments.replay();
    let campaign = Campaign {
        binary: arguments.options.binary(),
        anew_flag: arguments.anew_flag,
        sinks: arguments.options.sink,
        parallelism: arguments.options.parallelism,
        sample: arguments.sample,
        seed: arguments.options.seed,
        at_once: arguments.options.at_once,
        actions: arguments.action,
        only: arguments.only,
    };
    let outcome = campaign.play()?;
    if is_single && outcome.flawed().next().is_none() {
        outcome.played.iter().flat_map(|played| &played.trace).for_each(|line| println!("{line}"));
    }
    for line in outcome.summary(&replay, with_traces) {
        println!("{line}");
    }
    let passed = outcome.flawed().next().is_none();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
