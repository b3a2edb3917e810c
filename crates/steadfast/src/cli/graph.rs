//! `graph`: prints the plan of the job without running it.

use clap::{Args, ValueEnum};
use steadfast_core::Result;

use super::terminal;
use crate::Job;

const EXAMPLES: &str = "\
Examples:
  graph                          the operators and what each reads
  graph --format mermaid         for a README
  graph --format dot | dot -Tsvg -o job.svg";

/// The flags of `graph`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct GraphArgs<F: Args> {
    /// The language in which the plan is drawn.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    pub(super) flags: F,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line for each operator
    Text,
    /// A Mermaid flowchart
    Mermaid,
    /// A Graphviz digraph
    Dot,
}

impl<F: Args> GraphArgs<F> {
    pub(super) fn print(&self, job: &Job) -> Result<()> {
        terminal::print(&job.with_plan(|plan| match self.format {
            Format::Text => plan.picture().text(),
            Format::Mermaid => plan.picture().mermaid(),
            Format::Dot => plan.picture().dot(),
        }))
    }
}
