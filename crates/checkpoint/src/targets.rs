//! The targets of a job, as one process holds them: the only place from which a target is reached.
//!
//! Whoever wants to apply output needs a `Permit`. It decides nothing: recovery says what is to be
//! done with a target before the job goes on, the committer brings output in afterwards.

use std::collections::BTreeMap;

use steadfast_core::chunks::Chunks;
use steadfast_core::target::{
    Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target, TargetState,
};
use steadfast_core::{Error, Result};
use steadfast_protocol::coordinator::SinkInit;

use crate::leadership::Permit;
use crate::staged::StagedChunks;

/// See the module.
pub struct Targets {
    held: BTreeMap<String, Held>,
    rejected: RejectedRows,
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
    /// rows that a target will never take.
    pub fn new(targets: BTreeMap<String, Box<dyn Target>>, rejected: RejectedRows) -> Self {
        let held = |(sink, target)| (sink, Held { target, marker: None });
        Targets { held: targets.into_iter().map(held).collect(), rejected }
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

    /// Looks at a target, changing nothing.
    pub(crate) fn look(&mut self, sink: &str) -> Result<Looked> {
        let Held { target, .. } = self.held(sink)?;
        let state = target.look().map_err(at(sink))?;
        Ok(Looked { state, guarantee: target.guarantee(), format: target.format() })
    }

    /// Refuses what would be refused later, changing nothing.
    pub(crate) fn check(&mut self, sink: &str, planned: PlannedStep) -> Result<()> {
        self.held(sink)?.target.check(planned).map_err(at(sink))
    }

    /// What a reset would remove.
    pub(crate) fn contents(&mut self, sink: &str) -> Result<String> {
        self.held(sink)?.target.contents().map_err(at(sink))
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
        let acquired = self.held(sink)?.target.acquire(expected, marker, adopt);
        Ok(acquired.map_err(at(sink))? == Conditional::Done(()))
    }

    /// Empties a target. False if others came between.
    pub(crate) fn reset(&mut self, sink: &str, expected: &Marker, marker: &Marker) -> Result<bool> {
        let reset = self.held(sink)?.target.reset(expected, marker);
        Ok(reset.map_err(at(sink))? == Conditional::Done(()))
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
        let rejected = self.rejected;
        let target = &mut self.held(sink)?.target;
        let applied = target.apply(expected, &permit.marker(), chunks, rejected);
        match applied.map_err(at(sink))? {
            Conditional::Done(applied) => Ok(Some(applied.rejected)),
            Conditional::Unexpected(_) => Ok(None),
        }
    }

    /// Brings the output of a checkpoint into every target. Says how many rows were set aside.
    ///
    /// # Errors
    /// `Fenced` if another process has taken a target over.
    pub(crate) fn apply(&mut self, permit: Permit, outputs: &Outputs<'_>) -> Result<u64> {
        let (rejected_rows, marker) = (self.rejected, permit.marker());
        let mut rejected = 0;
        for (sink, chunks) in outputs {
            let Held { target, marker: held } = self.held(sink)?;
            // A target without a marker ignores what it should have been.
            let expected = held.unwrap_or(marker);
            let applied = target.apply(&expected, &marker, chunks, rejected_rows);
            match applied.map_err(at(sink))? {
                Conditional::Done(applied) => rejected += applied.rejected,
                Conditional::Unexpected(found) => return Err(at(sink)(taken_over(found))),
            }
            *held = held.map(|_| marker);
        }
        Ok(rejected)
    }
}

fn at(sink: &str) -> impl Fn(Error) -> Error {
    move |error| error.at(format!("sink '{sink}'"))
}

fn taken_over(found: Option<Marker>) -> Error {
    let Some(marker) = found else {
        return Error::damaged("the target has lost its marker").hint(
            "somebody has removed or replaced it; start the job again to see what is missing",
        );
    };
    Error::fenced(format!("another process writes to the target now ({marker})"))
        .hint("one process at a time writes to a target; stop one of them")
}
