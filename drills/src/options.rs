//! What every drill of many cases can be told on its command line.

use std::path::PathBuf;

use clap::Args;

use crate::job::Sink;
use crate::payments;

/// See the module.
#[derive(Args)]
pub struct Options {
    /// The payments example; built if it is not given.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Decides what is drawn, such as which cases are in a sample.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where output goes.
    #[arg(long, value_delimiter = ',', default_value = "sqlite,jsonl,sqlite-final,jsonl-final")]
    pub sink: Vec<Sink>,
    /// How many tasks each operator has.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    pub parallelism: Vec<u32>,
    /// How many cases are played at the same time.
    #[arg(long, default_value_t = 2)]
    pub at_once: usize,
    /// Tell everything about so many of the cases with findings, the shortest first.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub traces: usize,
}

impl Options {
    /// The payments example.
    pub fn binary(&self) -> PathBuf {
        self.binary.clone().unwrap_or_else(payments::build)
    }

    /// The command that starts this drill again with the same binary.
    pub fn command(&self, drill: &str) -> String {
        let binary = self.binary.as_ref().map(|binary| format!(" --binary {}", binary.display()));
        format!("cargo xtask drill {drill}{}", binary.unwrap_or_default())
    }
}
