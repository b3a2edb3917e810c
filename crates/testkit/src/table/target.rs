//! The contract of a target, kept by calls to a table.

use std::sync::Arc;

use serde_json::value::RawValue;
use steadfast_core::chunks::Chunks;
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};
use steadfast_core::{Error, Result};

use super::call::{Change, Connection, Row, TableAnswer, TableCall, TableStep};
use super::sink::{WriteMode, signed};
use super::{ADOPTED, set_aside};
use crate::baton::CallFailure;

/// See the module.
pub(super) struct TableTarget {
    connection: Arc<dyn Connection>,
    mode: WriteMode,
    is_other: bool,
    table: Arc<str>,
    job: Arc<str>,
    /// Whether the sink had created the table when this process looked last; none before it did.
    created: Option<bool>,
}

impl TableTarget {
    pub(super) fn new(
        connection: Arc<dyn Connection>,
        (mode, is_other): (WriteMode, bool),
        identity: &TargetIdentity,
    ) -> Self {
        let (table, job) = (identity.sink.as_str().into(), identity.job.as_str().into());
        TableTarget { connection, mode, is_other, table, job, created: None }
    }

    fn ask(&self, step: TableStep) -> Result<TableAnswer> {
        let (table, job) = (Arc::clone(&self.table), Arc::clone(&self.job));
        match self.connection.ask(TableCall { table, job, step }).map_err(failed)? {
            TableAnswer::Refused(why) => Err(Error::configuration(why)),
            answer => Ok(answer),
        }
    }

    fn step(&self, step: TableStep) -> Result<Conditional<()>> {
        match self.ask(step)? {
            TableAnswer::Step(outcome) => Ok(outcome),
            other => Err(unexpected(&other)),
        }
    }

    fn row(&self, line: &[u8]) -> Result<Row> {
        let line = std::str::from_utf8(line)
            .map_err(|e| Error::internal("staged output is no text").caused_by(e))?;
        if self.mode != WriteMode::Upsert {
            return Ok(Row::Append(line.into()));
        }
        let (by, pair) = signed(line);
        let (key, row): (&RawValue, &RawValue) = serde_json::from_str(pair)
            .map_err(|e| Error::internal("staged output is no pair").caused_by(e))?;
        let row = match by {
            Some(by) => format!("{by}\t{row}").into(),
            None => row.get().into(),
        };
        Ok(Row::Upsert(key.get().into(), row))
    }
}

impl Target for TableTarget {
    fn look(&mut self) -> Result<TargetState> {
        if self.mode == WriteMode::Unmarked {
            return Ok(TargetState::Unmarked);
        }
        let state = match self.ask(TableStep::Look)? {
            TableAnswer::State(state) => state,
            other => return Err(unexpected(&other)),
        };
        self.created = Some(!matches!(state, TargetState::Owned { created: false, .. }));
        Ok(state)
    }

    /// Goes by the last look: recovery looks before it plans.
    fn check(&mut self, planned: PlannedStep) -> Result<()> {
        if planned == PlannedStep::Reset && self.created.is_none() {
            self.look()?;
        }
        match (planned, self.created) {
            (PlannedStep::Reset, Some(false)) => Err(Error::configuration(ADOPTED)),
            _ => Ok(()),
        }
    }

    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<Conditional<()>> {
        if self.mode == WriteMode::Unmarked {
            return Ok(Conditional::Done(()));
        }
        self.step(TableStep::Acquire { expected: expected.copied(), marker: *marker, adopt })
    }

    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let chunks = (0..chunks.count()).map(|number| chunks.chunk(number));
        let chunks = chunks.collect::<Result<Vec<_>>>()?;
        let lines = chunks.iter().flat_map(|chunk| chunk.split(|byte| *byte == b'\n'));
        let lines = lines.filter(|line| !line.is_empty());
        let change: Change = lines.map(|line| self.row(line)).collect::<Result<_>>()?;
        let step = match self.mode {
            WriteMode::Unmarked => TableStep::Show { change },
            _ => TableStep::Apply { expected: *expected, marker: *marker, change },
        };
        let change = step.change().filter(|_| rejected == RejectedRows::SetAside);
        let rejected = change.map_or(0, set_aside);
        Ok(match self.step(step)? {
            Conditional::Done(()) => Conditional::Done(Applied { rejected }),
            Conditional::Unexpected(found) => Conditional::Unexpected(found),
        })
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        if self.mode == WriteMode::Unmarked {
            return Ok(Conditional::Done(()));
        }
        self.step(TableStep::Reset { expected: *expected, marker: *marker })
    }

    fn contents(&mut self) -> Result<String> {
        Ok(format!("rows of table {}", self.table))
    }

    fn format(&self) -> String {
        if self.is_other { "other lines".to_string() } else { "lines".to_string() }
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        match self.mode {
            WriteMode::Append => DeliveryGuarantee::AppendOnce,
            WriteMode::Upsert => DeliveryGuarantee::UpsertOnce,
            WriteMode::Unmarked => DeliveryGuarantee::AtLeastOnce,
        }
    }
}

/// A contract broken by a connection: an answer to another question.
fn unexpected(answer: &TableAnswer) -> Error {
    Error::internal(format!("the database answered {answer:?}"))
}

fn failed(failure: CallFailure) -> Error {
    Error::unavailable(match failure {
        CallFailure::Refused => "the database did not answer",
        CallFailure::AnswerLost => "the database's answer was lost",
        CallFailure::Dead => "the process is gone",
    })
}
