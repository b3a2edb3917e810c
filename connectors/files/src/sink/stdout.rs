//! A sink that prints records. A terminal remembers no marker, so it prints again after a crash.

use std::io::Write;
use std::marker::PhantomData;

use serde::Serialize;
use steadfast_core::id::CheckpointId;
use steadfast_core::sink::{DeliveryGuarantee, Sink, Target, TargetIdentity};
use steadfast_core::{Error, Result};

use super::json_lines::JsonLinesWriter;

/// Prints records as JSON Lines on standard output, with each checkpoint, at least once.
pub struct StdoutSink<T> {
    records: PhantomData<fn(T)>,
}

impl<T> StdoutSink<T> {
    /// Prints.
    pub fn new() -> Self {
        StdoutSink { records: PhantomData }
    }
}

impl<T> Default for StdoutSink<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Serialize + Send + 'static> Sink for StdoutSink<T> {
    type Item = T;
    type Writer = JsonLinesWriter<T>;

    fn writer(&self) -> Result<JsonLinesWriter<T>> {
        Ok(JsonLinesWriter::new())
    }

    fn target(&self, _identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        Ok(Box::new(StdoutTarget))
    }

    fn describe(&self) -> String {
        "standard output (at least once)".to_string()
    }
}

struct StdoutTarget;

impl Target for StdoutTarget {
    fn applied(&mut self) -> Result<Option<CheckpointId>> {
        Ok(None)
    }

    fn apply(&mut self, _checkpoint: CheckpointId, parts: &[Vec<u8>]) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let printed = parts.iter().try_for_each(|part| out.write_all(part));
        printed
            .and_then(|()| out.flush())
            .map_err(|error| Error::unavailable("cannot write to standard output").caused_by(error))
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AtLeastOnce
    }

    fn reset(&mut self) -> Result<()> {
        Ok(())
    }
}
