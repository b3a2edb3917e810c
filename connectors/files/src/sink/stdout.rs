//! A sink that prints records. A terminal remembers no marker, so it prints again after a crash.

use std::io::Write;
use std::marker::PhantomData;

use serde::Serialize;
use steadfast_core::chunks::Chunks;
use steadfast_core::sink::Sink;
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};
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
    fn look(&mut self) -> Result<TargetState> {
        Ok(TargetState::Unmarked)
    }

    fn check(&mut self, _planned: PlannedStep) -> Result<()> {
        Ok(())
    }

    fn acquire(
        &mut self,
        _expected: Option<&Marker>,
        _marker: &Marker,
        _adopt: bool,
    ) -> Result<Conditional<()>> {
        Ok(Conditional::Done(()))
    }

    fn apply(
        &mut self,
        _expected: &Marker,
        _marker: &Marker,
        chunks: &dyn Chunks,
        _rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let mut out = std::io::stdout().lock();
        let failed = |error| Error::unavailable("cannot write to standard output").caused_by(error);
        for number in 0..chunks.count() {
            out.write_all(&chunks.chunk(number)?).map_err(failed)?;
        }
        out.flush().map_err(failed)?;
        Ok(Conditional::Done(Applied::default()))
    }

    fn reset(&mut self, _expected: &Marker, _marker: &Marker) -> Result<Conditional<()>> {
        Ok(Conditional::Done(()))
    }

    fn contents(&mut self) -> Result<String> {
        Ok("nothing: what was printed stays".to_string())
    }

    fn format(&self) -> String {
        "lines".to_string()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AtLeastOnce
    }
}
