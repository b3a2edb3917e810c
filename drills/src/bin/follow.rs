//! Follows logs that are written, rotated and compressed for long, by a job that is killed and stopped, and
//! says which payments did not count once.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use steadfast_drills::follow::campaign::Campaign;
use steadfast_drills::follow::form::Form;
use steadfast_drills::payments;

/// Logs that grow and are rotated, followed by a job that is killed and stopped at random moments.
#[derive(Parser)]
#[command(
    name = "follow",
    after_help = "Examples:\n  follow --minutes 20 --seed 1\n  follow --only 17\n  \
    follow --minutes 2 --forms dated-rename,compress\n  follow --minutes 2 --with replace\n\n\
    A seed decides what is done and how long is waited in between, not how far the job gets in that time: \
    a round may have to be played several times to see the same."
)]
struct Arguments {
    /// The payments example; built if it is not given.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// How long logs are written.
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// How many seconds of that are one round, with a folder and a job of its own.
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0)]
    round: f64,
    /// That of the first round; each round has the next one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many rounds are played at the same time.
    #[arg(long, default_value_t = 2)]
    at_once: usize,
    /// What is done with the logs: all of docs/files.md that works, if none is named.
    #[arg(long, value_delimiter = ',', value_name = "FORM")]
    forms: Vec<Form>,
    /// These too.
    #[arg(long, value_delimiter = ',', value_name = "FORM")]
    with: Vec<Form>,
    /// Tell the story of so many of the rounds with findings, the shortest first.
    #[arg(long, value_name = "N", default_value_t = 1)]
    traces: usize,
    /// Play only the round of this seed.
    #[arg(long, value_name = "SEED")]
    only: Option<u64>,
}

impl Arguments {
    fn forms(&self) -> Vec<Form> {
        let mut forms = if self.forms.is_empty() { Form::sound() } else { self.forms.clone() };
        forms.extend(&self.with);
        forms.sort_unstable();
        forms.dedup();
        forms
    }

    /// The command that plays one round again, but for its seed.
    fn replay(&self) -> String {
        let words =
            |forms: &[Form]| forms.iter().map(Form::to_string).collect::<Vec<_>>().join(",");
        let mut command = "cargo xtask drill follow".to_string();
        for (flag, forms) in [("--forms", &self.forms), ("--with", &self.with)] {
            if !forms.is_empty() {
                command += &format!(" {flag} {}", words(forms));
            }
        }
        command + &format!(" --round {} --only", self.round)
    }
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    ensure!(arguments.round > 0.0 && arguments.minutes >= 0.0, "a round takes some time");
    let (replay, forms) = (arguments.replay(), arguments.forms());
    let binary = match arguments.binary {
        // The job is started in a folder of its own.
        Some(path) => path.canonicalize().with_context(|| path.display().to_string())?,
        None => payments::build(),
    };
    let campaign = Campaign {
        binary,
        forms,
        time: Duration::from_secs_f64(arguments.minutes * 60.0),
        round: Duration::from_secs_f64(arguments.round),
        seed: arguments.seed,
        at_once: arguments.at_once.max(1),
        only: arguments.only,
    };
    let outcome = campaign.play()?;
    for line in outcome.summary(&replay, arguments.traces) {
        println!("{line}");
    }
    let passed = outcome.flawed().next().is_none();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
