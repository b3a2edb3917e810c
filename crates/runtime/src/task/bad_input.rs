//! What becomes of input that is not a record. It knows nothing of where the input comes from.

use steadfast_core::message::Batch;
use steadfast_core::source::{BadInput, BadRecord};
use steadfast_core::{Cause, Error, Result};

use crate::exchange::output::Output;

/// See the module.
pub(super) struct BadInputs {
    policy: BadInput,
    pub(super) output: Option<Box<dyn Output<BadRecord>>>,
    pub(super) count: u64,
}

impl BadInputs {
    /// Nothing bad yet; dead letters go to `output`.
    pub(super) fn new(policy: BadInput, output: Option<Box<dyn Output<BadRecord>>>) -> Self {
        BadInputs { policy, output, count: 0 }
    }

    pub(super) fn reject(&mut self, bad: BadRecord) -> Result<()> {
        self.count += 1;
        match (self.policy, &mut self.output) {
            (BadInput::Skip, _) => Ok(()),
            (BadInput::DeadLetter, Some(output)) => output.take(&mut Batch::from(vec![bad])),
            _ => Err(bad_input(&bad)),
        }
    }
}

fn bad_input(bad: &BadRecord) -> Error {
    let line = bad.line.map_or(String::new(), |line| format!("line {line}, "));
    let mut shown = String::from_utf8_lossy(&bad.raw[..bad.raw.len().min(120)]).into_owned();
    if bad.raw.len() > 120 {
        shown.push('…');
    }
    Error::because(Cause::BAD_RECORD, format!("{}: {shown}", bad.reason))
        .at(format!("{line}byte {}", bad.offset))
        .at(bad.place.clone())
        .hint("correct the input, or choose the policy dead_letter or skip for this source")
}
