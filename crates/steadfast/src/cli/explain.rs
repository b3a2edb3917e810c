//! `explain`: prints the page about an error code.

use clap::Args;
use steadfast_core::{Cause, Error, Result};

use super::terminal;
use crate::explain::{page, titles};

/// The code to explain.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The code of an error, such as SF0301; without it all are listed
    code: Option<String>,
}

impl ExplainArgs {
    pub(super) fn print(&self) -> Result<()> {
        match &self.code {
            None => {
                let lines = titles().map(|(code, title)| format!("{code}  {title}\n"));
                terminal::print(&lines.collect::<String>())
            }
            Some(code) => match page(code) {
                Some(page) => terminal::print(page),
                None => Err(Error::because(Cause::OPTION, format!("there is no error '{code}'"))
                    .hint("'explain' without a code lists all that there are")),
            },
        }
    }
}
