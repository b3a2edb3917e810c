//! Lines that wait for their checkpoint. It does not know what becomes of them.

use std::error::Error as StdError;

use serde::Serialize;
use steadfast_core::{Cause, Error, Result};
use steadfast_formats::to_json;

/// JSON Lines in memory.
#[derive(Default)]
pub(super) struct StagedLines(Vec<u8>);

impl StagedLines {
    /// Adds one line. What JSON does not have, such as NaN, is refused.
    pub(super) fn push(&mut self, line: &impl Serialize) -> Result<()> {
        to_json(line, &mut self.0).map_err(not_serialized)?;
        self.0.push(b'\n');
        Ok(())
    }

    /// Adds one line, in which `null` stands for what JSON does not have: why it was set aside stands beside it,
    /// and to refuse what was refused helps nobody.
    pub(super) fn push_letter(&mut self, line: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.0, line).map_err(not_serialized)?;
        self.0.push(b'\n');
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

fn not_serialized(error: impl StdError + Send + Sync + 'static) -> Error {
    Error::because(Cause::NOT_SERIALIZED, "a record does not serialize").caused_by(error)
}
