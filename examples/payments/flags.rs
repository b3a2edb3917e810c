//! The flags of the payments job.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use steadfast::cli::JobCommand;
use steadfast::prelude::*;

use super::generate::{Spec, generate};

/// Account balances from a stream of payments
#[derive(Parser)]
#[command(name = "payments", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Make payments to try the job on
    Generate(GenerateArgs),
    #[command(flatten)]
    Job(JobCommand<Flags>),
}

/// What to read, where to write, and what to do with what is no payment.
#[derive(Clone, Debug, Args)]
pub struct Flags {
    /// The files with payments, one JSON object on a line, or - for standard input [default: the sample that
    /// comes with it]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    input: Vec<PathBuf>,
    /// Read on as the files grow, and new ones as they come; --input takes patterns, such as 'logs/app.jsonl*'
    #[arg(long)]
    pub follow: bool,
    /// Where balances go: sqlite:PATH, jsonl:FOLDER or stdout [default: sqlite:payments.sqlite]
    #[arg(long, value_name = "SINK")]
    sink: Option<SinkFlag>,
    /// What becomes of lines that are no payments
    #[arg(long, value_enum, default_value_t = BadInputFlag::DeadLetter)]
    bad_input: BadInputFlag,
    /// Count payments that come twice as two, to see what goes wrong then
    #[arg(long)]
    pub naive: bool,
    /// When balances are written
    #[arg(long, value_enum, default_value_t = EmitFlag::Changes)]
    emit: EmitFlag,
}

#[derive(Clone, Debug)]
pub enum SinkFlag {
    Sqlite(PathBuf),
    JsonLines(PathBuf),
    Stdout,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BadInputFlag {
    /// Stop with an error that names the line
    Fail,
    /// Write them to the folder <sink>.dead-letters
    DeadLetter,
    /// Count them
    Skip,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EmitFlag {
    /// With every checkpoint, those that have changed
    Changes,
    /// All, at the end of the input
    Final,
}

/// What is read.
pub enum Input {
    Files(Vec<PathBuf>),
    Standard,
}

/// Payments to try the job on.
fn sample() -> PathBuf {
    let here = Path::new("examples/payments/sample.jsonl");
    if here.exists() {
        return here.into();
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).join("payments/sample.jsonl")
}

impl FromStr for SinkFlag {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(SinkFlag::Sqlite(path.into())),
            Some(("jsonl", folder)) if !folder.is_empty() => Ok(SinkFlag::JsonLines(folder.into())),
            None if text == "stdout" => Ok(SinkFlag::Stdout),
            _ => Err("write sqlite:PATH, jsonl:FOLDER or stdout".to_string()),
        }
    }
}

impl Flags {
    /// A job without deduplication is another job, with checkpoints and a table of its own.
    pub fn job_name(&self) -> &'static str {
        if self.naive { "payments-naive" } else { "payments" }
    }

    pub fn input(&self) -> Result<Input, UserError> {
        let is_standard_input = |path: &PathBuf| path == Path::new("-");
        match &self.input[..] {
            [one] if is_standard_input(one) && !self.follow => Ok(Input::Standard),
            paths if paths.iter().any(is_standard_input) => {
                let problem = "--input - is read alone, and without --follow: it goes on by itself";
                Err(Error::configuration(problem).into())
            }
            [] => Ok(Input::Files(vec![sample()])),
            paths => Ok(Input::Files(paths.to_vec())),
        }
    }

    pub fn sink(&self) -> SinkFlag {
        let default = || SinkFlag::Sqlite(format!("{}.sqlite", self.job_name()).into());
        self.sink.clone().unwrap_or_else(default)
    }

    pub fn bad_input(&self) -> BadInput {
        match self.bad_input {
            BadInputFlag::Fail => BadInput::Fail,
            BadInputFlag::DeadLetter => BadInput::DeadLetter,
            BadInputFlag::Skip => BadInput::Skip,
        }
    }

    /// The folder beside the output.
    pub fn dead_letters(&self) -> PathBuf {
        let mut folder = match self.sink() {
            SinkFlag::Sqlite(path) | SinkFlag::JsonLines(path) => path.into_os_string(),
            SinkFlag::Stdout => self.job_name().into(),
        };
        folder.push(".dead-letters");
        folder.into()
    }

    pub fn emit(&self) -> Emit {
        match self.emit {
            EmitFlag::Changes => Emit::Changes,
            EmitFlag::Final => Emit::Final,
        }
    }
}

/// What to make.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  generate --events 10000000 --output payments.jsonl\n  \
    generate --events 1000 --bad-lines 3 --output - | head")]
pub struct GenerateArgs {
    /// How many payments, duplicates included
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: u64,
    /// How many accounts they are spread over
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    accounts: u64,
    /// The same seed gives the same payments
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many of a thousand payments come a second time
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=500))]
    duplicates_per_mille: u64,
    /// How many lines that are no payments are put in between
    #[arg(long, value_name = "N", default_value_t = 0)]
    bad_lines: u64,
    /// The file to write, or - for standard output
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

impl GenerateArgs {
    pub fn generate(&self) -> Result<()> {
        let spec = Spec {
            seed: self.seed,
            events: self.events,
            accounts: self.accounts,
            duplicate_rate_per_mille: self.duplicates_per_mille,
            bad_lines: self.bad_lines,
        };
        let place = self.output.display().to_string();
        let failed = |error: std::io::Error| {
            Error::unavailable("cannot write the file").at(place.clone()).caused_by(error)
        };
        // Shows itself only where a person looks.
        let bar = ProgressBar::no_length();
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {bytes} written, {bytes_per_sec}")
        {
            bar.set_style(style);
        }
        let done = if self.output == Path::new("-") {
            generate(&mut std::io::stdout().lock(), &spec).map_err(failed)?
        } else {
            let file = File::create(&self.output).map_err(failed)?;
            generate(&mut bar.wrap_write(BufWriter::new(file)), &spec).map_err(failed)?
        };
        bar.finish_and_clear();
        eprintln!(
            "{place}: {} payments, {} of them twice, {} bad lines, {} bytes",
            done.events, done.duplicates, done.bad_lines, done.bytes
        );
        Ok(())
    }
}
