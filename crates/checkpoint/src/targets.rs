//! The targets of a job, as one process holds them: the only place from which a target is reached.
//!
//! Whoever wants to apply output needs a `Permit`. It decides nothing: recovery says what is to be
//! done with a target before the job goes on, the committer brings output in afterwards.

use std::collections::BTreeMap;

use steadfast_core::chunks::Chunks;
use steadfast_core::id::CheckpointId;
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target, TargetState,
};
use steadfast_core::{Cause, Error, ErrorKind, Result};
use steadfast_protocol::coordinator::SinkInit;

use crate::leadership::Permit;
use crate::retry::RetryPolicy;
use crate::staged::StagedChunks;

/// See the module.
pub struct Targets {
    held: BTreeMap<String, Held>,
    rejected: RejectedRows,
    retry: RetryPolicy,
}

struct Held {
    target: Box<dyn Target>,
    /// As this process has left it; none before it was acquired, and where none is kept.
    marker: Option<Marker>,
}

/// What is seen of a target without touching it.
pub(crate) struct Looked {
    pub(crate) state: TargetState,
    pub(crate) guarantee: DeliveryGuarantee,
    pub(crate) format: String,
}

/// The chunks of a checkpoint's output, by sink.
pub(crate) type Outputs<'a> = BTreeMap<String, StagedChunks<'a>>;

impl Targets {
    /// The targets of all sinks, none of which has been touched yet. `rejected` says what becomes of
    /// rows that a target will never take, `retry` what is done about one that does not answer.
    pub fn new(
        targets: BTreeMap<String, Box<dyn Target>>,
        rejected: RejectedRows,
        retry: RetryPolicy,
    ) -> Self {
        let held = |(sink, target)| (sink, Held { target, marker: None });
        Targets { held: targets.into_iter().map(held).collect(), rejected, retry }
    }

    /// The sinks that cannot keep what a job promises, because their targets keep no marker.
    pub fn at_least_once(&self) -> impl Iterator<Item = &String> {
        let weak = |held: &Held| held.target.guarantee() == DeliveryGuarantee::AtLeastOnce;
        self.held.iter().filter(move |(_, held)| weak(held)).map(|(sink, _)| sink)
    }

    /// All sinks, with what their targets say now.
    pub fn describe(&self) -> BTreeMap<String, SinkInit> {
        let each = |(sink, held): (&String, &Held)| {
            (sink.clone(), SinkInit { marker: held.marker, format: held.target.format() })
        };
        self.held.iter().map(each).collect()
    }

    pub(crate) fn sinks(&self) -> Vec<String> {
        self.held.keys().cloned().collect()
    }

    fn held(&mut self, sink: &str) -> Result<&mut Held> {
        let missing = || format!("there is output for '{sink}', which is no sink of this job");
        self.held.get_mut(sink).ok_or_else(|| Error::internal(missing()))
    }

    /// Asks a target until it answers: every one of its verbs may be repeated.
    fn ask<T>(&mut self, sink: &str, ask: impl Fn(&mut dyn Target) -> Result<T>) -> Result<T> {
        let retry = self.retry.clone();
        let target = &mut *self.held(sink)?.target;
        retry.ask(&place(sink), || ask(target).map_err(at(sink)))
    }

    /// Has output applied. What keeps no marker is asked once: what it has shown it would show again.
    fn ask_to_apply(
        &mut self,
        sink: &str,
        (expected, marker): (&Marker, &Marker),
        chunks: &dyn Chunks,
    ) -> Result<Conditional<Applied>> {
        let rejected = self.rejected;
        let apply = |target: &mut dyn Target| target.apply(expected, marker, chunks, rejected);
        let applied = match self.held(sink)?.target.guarantee() {
            DeliveryGuarantee::AtLeastOnce => {
                apply(&mut *self.held(sink)?.target).map_err(at(sink))
            }
            _ => self.ask(sink, apply),
        };
        tell_rejected(sink, marker.checkpoint, &applied);
        applied
    }

    /// Looks at a target, changing nothing.
    pub(crate) fn look(&mut self, sink: &str) -> Result<Looked> {
        let state = self.ask(sink, |target| target.look())?;
        let target = &self.held(sink)?.target;
        Ok(Looked { state, guarantee: target.guarantee(), format: target.format() })
    }

    /// Refuses what would be refused later, changing nothing.
    pub(crate) fn check(&mut self, sink: &str, planned: PlannedStep) -> Result<()> {
        self.ask(sink, |target| target.check(planned))
    }

    /// What a reset would remove.
    pub(crate) fn contents(&mut self, sink: &str) -> Result<String> {
        self.ask(sink, |target| target.contents())
    }

    /// Notes that a target is settled with this marker.
    pub(crate) fn settle(&mut self, sink: &str, marker: Option<Marker>) -> Result<()> {
        self.held(sink)?.marker = marker;
        Ok(())
    }

    /// Takes a target over as it is. False if others came between.
    pub(crate) fn acquire(
        &mut self,
        sink: &str,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<bool> {
        let acquired = self.ask(sink, |target| target.acquire(expected, marker, adopt))?;
        Ok(acquired == Conditional::Done(()))
    }

    /// Empties a target. False if others came between.
    pub(crate) fn reset(&mut self, sink: &str, expected: &Marker, marker: &Marker) -> Result<bool> {
        let reset = self.ask(sink, |target| target.reset(expected, marker))?;
        Ok(reset == Conditional::Done(()))
    }

    /// Finishes the output of a restored checkpoint in one target whose marker was found to be
    /// `expected`. Says how many rows were set aside; `None` if others came between.
    pub(crate) fn finish(
        &mut self,
        permit: &Permit,
        sink: &str,
        expected: &Marker,
        chunks: &dyn Chunks,
    ) -> Result<Option<u64>> {
        match self.ask_to_apply(sink, (expected, &permit.marker()), chunks)? {
            Conditional::Done(applied) => Ok(Some(applied.rejected)),
            Conditional::Unexpected(_) => Ok(None),
        }
    }

    /// Brings the output of a checkpoint into every target. Says how many rows were set aside.
    ///
    /// # Errors
    /// `Fenced` if another process has taken a target over.
    pub(crate) fn apply(&mut self, permit: Permit, outputs: &Outputs<'_>) -> Result<u64> {
        let marker = permit.marker();
        let mut rejected = 0;
        for (sink, chunks) in outputs {
            // A target without a marker ignores what it should have been.
            let expected = self.held(sink)?.marker.unwrap_or(marker);
            match self.ask_to_apply(sink, (&expected, &marker), chunks)? {
                Conditional::Done(applied) => rejected += applied.rejected,
                Conditional::Unexpected(found) => return Err(at(sink)(taken_over(found))),
            }
            let held = self.held(sink)?;
            held.marker = held.marker.map(|_| marker);
        }
        Ok(rejected)
    }
}

/// Tells what a target will never take.
fn tell_rejected(sink: &str, checkpoint: CheckpointId, applied: &Result<Conditional<Applied>>) {
    let checkpoint = checkpoint.0;
    match applied {
        Ok(Conditional::Done(Applied { rejected: rows, .. })) if *rows > 0 => {
            tracing::warn!(name: "rows_set_aside", sink, checkpoint, rows, "the target refuses rows");
        }
        Err(error) if error.kind() == ErrorKind::Rejected => tracing::error!(
            name: "output_rejected",
            sink,
            checkpoint,
            error = %error.message(),
            "the target refuses the output for good"
        ),
        _ => {}
    }
}

fn place(sink: &str) -> String {
    format!("sink '{sink}'")
}

fn at(sink: &str) -> impl Fn(Error) -> Error {
    move |error| error.at(place(sink))
}

fn taken_over(found: Option<Marker>) -> Error {
    let Some(marker) = found else {
        return Error::because(Cause::OUTPUT_LOST, "the target has lost its marker").hint(
            "somebody has removed or replaced it; start the job again to see what is missing",
        );
    };
    Error::because(
        Cause::TARGET_TAKEN_OVER,
        format!("another process writes to the target now ({marker})"),
    )
    .hint("one process at a time writes to a target; stop one of them")
}
