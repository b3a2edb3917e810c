//! Lines that wait for their checkpoint. It does not know what becomes of them.

use serde::Serialize;
use steadfast_core::{Cause, Error, Result};

/// JSON Lines in memory.
#[derive(Default)]
pub(super) struct StagedLines(Vec<u8>);

impl StagedLines {
    /// Adds one line.
    pub(super) fn push(&mut self, line: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.0, line).map_err(|e| {
            Error::because(Cause::NOT_SERIALIZED, "a record does not serialize").caused_by(e)
        })?;
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
