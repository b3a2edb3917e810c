//! The flags of the access log job.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser};
use steadfast::cli::JobCommand;
use steadfast::prelude::*;
use steadfast::{Passed, Stream};

use super::line::Hit;

/// Hits for each URL and window of time, from the log of a web server
#[derive(Parser)]
#[command(name = "access_log", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: JobCommand<Flags>,
}

/// What to read, where to write, and how time is divided.
#[derive(Clone, Debug, Args)]
pub struct Flags {
    /// The logs in the combined format, plain or .gz, in any order [default: the sample that comes with it]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    input: Vec<PathBuf>,
    /// Where hits go: sqlite:PATH [default: sqlite:hits.sqlite]
    #[arg(long, value_name = "SINK", value_parser = sqlite)]
    sink: Option<PathBuf>,
    /// How long a window is
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = steadfast::cli::duration)]
    pub window: Duration,
    /// How far a line may be behind the latest one before it in its file
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = steadfast::cli::duration)]
    pub lateness: Duration,
}

fn sqlite(text: &str) -> std::result::Result<PathBuf, String> {
    match text.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Ok(path.into()),
        _ => Err("write sqlite:PATH".to_string()),
    }
}

impl Flags {
    pub fn input(&self) -> Vec<PathBuf> {
        if !self.input.is_empty() {
            return self.input.clone();
        }
        let here = Path::new("examples/access_log/sample.log.gz");
        if here.exists() {
            return vec![here.into()];
        }
        vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("access_log/sample.log.gz")]
    }

    pub fn sink(&self) -> PathBuf {
        self.sink.clone().unwrap_or_else(|| "hits.sqlite".into())
    }

    /// A folder beside the table.
    pub fn beside_sink(&self, what: &str) -> PathBuf {
        let mut folder = self.sink().into_os_string();
        folder.push(".");
        folder.push(what);
        folder.into()
    }

    /// Lines that are further behind than was said go to a folder of their own.
    pub fn late_records(&self) -> impl FnOnce(Stream<Passed<Hit>>) + 'static {
        let folder = self.beside_sink("late");
        move |late| late.sink("late", JsonLinesSink::new(folder))
    }
}
