//! What a sink asks of its table, what it is answered, and who carries both.

use std::sync::Arc;

use steadfast_core::target::{Conditional, Marker, TargetState};

use crate::baton::{CallFailure, CallKind};

/// A row that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A row more.
    Append(Arc<str>),
    /// The row of a key.
    Upsert(Arc<str>, Arc<str>),
}

/// Rows that are written in one step.
pub type Change = Arc<[Row]>;

/// A call to a table. Each is carried out in one step.
#[derive(Clone, Debug)]
pub struct TableCall {
    /// The table's name.
    pub table: Arc<str>,
    /// The job that calls.
    pub job: Arc<str>,
    /// What it wants.
    pub step: TableStep,
}

/// What is wanted of a table.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the parameters of the contract's verbs")]
pub enum TableStep {
    /// Say what is there.
    Look,
    /// Change the marker, and nothing else, if it is the expected one.
    Acquire { expected: Option<Marker>, marker: Marker, adopt: bool },
    /// Write rows and the marker, if the marker is the expected one.
    Apply { expected: Marker, marker: Marker, change: Change },
    /// Empty the table and change the marker, if it is the expected one.
    Reset { expected: Marker, marker: Marker },
    /// Write rows, whoever asks: what a target without a marker does.
    Show { change: Change },
}

impl TableStep {
    /// The rows that it writes, if it writes any.
    pub fn change(&self) -> Option<&Change> {
        match self {
            TableStep::Apply { change, .. } | TableStep::Show { change } => Some(change),
            TableStep::Look | TableStep::Acquire { .. } | TableStep::Reset { .. } => None,
        }
    }

    /// The step as a call of the baton.
    pub fn kind(&self) -> CallKind {
        match self {
            TableStep::Look => CallKind::TargetLook,
            TableStep::Acquire { .. } => CallKind::TargetAcquire,
            TableStep::Apply { .. } | TableStep::Show { .. } => CallKind::TargetApply,
            TableStep::Reset { .. } => CallKind::TargetReset,
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub enum TableAnswer {
    /// To a look.
    State(TargetState),
    /// To everything else.
    Step(Conditional<()>),
    /// The user has not allowed it: says why.
    Refused(&'static str),
}

/// Carries the calls of one process to its database.
pub trait Connection: Send + Sync {
    /// Returns with the answer.
    ///
    /// # Errors
    /// Whatever has befallen the call.
    fn ask(&self, call: TableCall) -> Result<TableAnswer, CallFailure>;
}
