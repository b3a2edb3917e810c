//! The contract of a target: the outside system that a sink's output is brought into.
//!
//! A target knows who writes to it. It keeps a [`Marker`] that names the history (*lineage*) and the
//! process (*claim*) that may write, and the newest checkpoint whose output it holds. Every change is
//! one atomic step on the condition that the marker is still the one that the caller expects; a
//! process that was overtaken while it slept, a copy of a store and a store that was restored from
//! an old copy are strangers, whatever they try.
//!
//! ```text
//!             acquire                    apply
//!   Absent ────────────▶ Owned(marker) ─────────▶ Owned(marker with a later checkpoint)
//!   Foreign ─ acquire ─▶      │  ▲
//!            with adopt       └──┘ acquire by the next claim; reset empties it in the same step
//! ```
//!
//! It knows nothing of stores, logs or checkpoints beyond their numbers. Only the committer may
//! reach a target, and recovery before there is one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::chunks::Chunks;
use crate::error::Result;
use crate::id::{CheckpointId, ClaimId, Lineage};

/// Who writes: what a job and its sink are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetIdentity {
    /// The job's name.
    pub job: String,
    /// The sink's name within the job.
    pub sink: String,
}

/// What a target remembers of who wrote to it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The history that the target belongs to.
    pub lineage: Lineage,
    /// The process that may write to it.
    pub claim: ClaimId,
    /// The newest checkpoint whose output it holds; 0 if it holds none.
    pub checkpoint: CheckpointId,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Marker { lineage, claim, checkpoint } = self;
        write!(f, "checkpoint {checkpoint} by claim {claim} of lineage {lineage}")
    }
}

/// The outside system, as seen by the committer. Calls block; each may be repeated after
/// `Unavailable`, because a change that took effect is recognised by its marker.
pub trait Target: Send {
    /// Looks, and neither creates nor changes anything.
    ///
    /// # Errors
    /// `Unavailable` if the outside system does not answer; `Configuration` if what is there cannot
    /// take this sink's output (a missing column); `Damaged` if its marker cannot be read.
    fn look(&mut self) -> Result<TargetState>;

    /// Refuses what [`acquire`](Target::acquire) or [`reset`](Target::reset) would refuse, as far as
    /// that can be seen without changing anything: it is asked before anybody is fenced.
    ///
    /// # Errors
    /// Those of the step that is planned.
    fn check(&mut self, planned: PlannedStep) -> Result<()>;

    /// Takes the target over: creates what is missing and makes `marker` its marker, in one step, if
    /// its marker is `expected` (`None`: it has none of this sink). Rows, files and records stay as
    /// they are. With `adopt`, what others created is used too; it is recorded that this sink did
    /// not create it.
    ///
    /// # Errors
    /// `Unavailable` if it is not known to have happened; `Configuration` if it is foreign and
    /// `adopt` was not given.
    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<Conditional<()>>;

    /// Brings `chunks` (what the writers staged, in a fixed order) into the outside system and makes
    /// `marker` its marker, in one atomic step, if its marker is `expected`.
    ///
    /// # Errors
    /// `Unavailable` if it is not known to have happened; `Rejected` if the outside system will
    /// never take some of the rows and `rejected` says to fail: nothing has changed then.
    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        rejected: RejectedRows,
    ) -> Result<Conditional<Applied>>;

    /// Removes what this sink has written into what it created, and makes `marker` its marker, in
    /// one step, if its marker is `expected`. What others created or wrote stays. A reset that was
    /// cut off in a system without transactions is finished by the next `acquire` or `reset`. A target
    /// without a marker has nothing to reset.
    ///
    /// # Errors
    /// `Unavailable` if it is not known to have happened; `Configuration` if the sink's output
    /// cannot be told from that of others (an adopted table): nothing has changed then.
    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>>;

    /// What a reset would remove, for people: `9998 rows of table balances`.
    ///
    /// # Errors
    /// `Unavailable` if the outside system does not answer.
    fn contents(&mut self) -> Result<String>;

    /// What its chunks are: kind, version, columns. Output that was staged in one format is never
    /// applied in another.
    fn format(&self) -> String;

    /// How often what is applied can show up.
    fn guarantee(&self) -> DeliveryGuarantee;
}

/// What is going to be done with a target that this sink owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedStep {
    /// To take it over as it is.
    Acquire,
    /// To empty it.
    Reset,
}

/// What is found when a target is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// There is nothing yet.
    Absent,
    /// This sink has written to it, or may.
    Owned {
        /// Who wrote last.
        marker: Marker,
        /// Whether this sink created it, so that a reset may empty it.
        created: bool,
    },
    /// It is there, but not because of this sink: says whose it is, as far as that is known.
    Foreign(String),
    /// It keeps no marker: a terminal.
    Unmarked,
}

/// The outcome of a step that is taken on a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conditional<T> {
    /// It was taken, now or by an earlier try of the same call.
    Done(T),
    /// The marker was neither the expected nor the new one: nothing has changed.
    Unexpected(Option<Marker>),
}

/// What an application has done beside the obvious.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many rows the outside system refused for good, and were set aside there. A repeated call may
    /// say 0 or the same number again.
    pub rejected: u64,
}

/// What to do with committed rows that the outside system will never take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RejectedRows {
    /// Change nothing and say which rows they are.
    #[default]
    Fail,
    /// Keep them in the outside system beside the rest, with the reason, in the same step.
    SetAside,
}

/// What a target can promise about output that is applied more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryGuarantee {
    /// Applying a checkpoint again has no effect, and so has applying other output for the same keys:
    /// upserts. Falling back to an older checkpoint is safe.
    UpsertOnce,
    /// Applying a checkpoint again has no effect: appends guarded by a marker.
    AppendOnce,
    /// There is no marker: output shows up again after a crash.
    AtLeastOnce,
}
