//! What becomes of input that is not a record. It knows nothing of where the input comes from.

use std::sync::Arc;

use steadfast_core::message::Batch;
use steadfast_core::source::{BadInput, BadRecord};
use steadfast_core::{Cause, Error, Result};

use crate::bad_limit::BadOfSource;
use crate::exchange::output::Output;

/// See the module.
pub(super) struct BadInputs {
    policy: BadInput,
    pub(super) output: Option<Box<dyn Output<BadRecord>>>,
    pub(super) count: u64,
    of_source: Arc<BadOfSource>,
}

impl BadInputs {
    /// Nothing bad yet in this task of a source; dead letters go to `output`.
    pub(super) fn new(
        policy: BadInput,
        output: Option<Box<dyn Output<BadRecord>>>,
        of_source: Arc<BadOfSource>,
    ) -> Self {
        BadInputs { policy, output, count: 0, of_source }
    }

    /// Something is a record.
    pub(super) fn has_good(&self) {
        self.of_source.has_good();
    }

    /// The task has come to the end of the source.
    pub(super) fn ended(&self) -> Result<()> {
        self.of_source.ended()
    }

    pub(super) fn reject(&mut self, bad: BadRecord) -> Result<()> {
        self.count += 1;
        if self.policy != BadInput::Fail {
            self.of_source.add(&bad)?;
        }
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
        .hint(
            "correct the input; or set such input aside with dead_letters(), or leave it out with \
             skip_bad_input(), on this source (often --bad-input dead-letter or skip)",
        )
}
