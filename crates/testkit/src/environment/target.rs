//! A transactional database behind a courier: rows and marker change together or not at all.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};
use steadfast_core::{Error, Result};

use super::request::{failed, unexpected};
use super::{Answer, Courier, Request, Row};

/// How a sink writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Every record becomes a row.
    Append,
    /// A record replaces the row of its key. Records are pairs.
    Upsert,
}

/// A sink into the table of its name.
pub struct CourierSink<T> {
    /// Who carries its requests.
    pub courier: Arc<dyn Courier>,
    /// How it writes.
    pub mode: WriteMode,
    /// What it takes.
    pub records: PhantomData<fn(T)>,
}

impl<T: Serialize + Send + 'static> Sink for CourierSink<T> {
    type Item = T;
    type Writer = LineWriter<T>;

    fn writer(&self) -> Result<LineWriter<T>> {
        Ok(LineWriter { staged: Vec::new(), records: PhantomData })
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        let (courier, table) = (Arc::clone(&self.courier), identity.sink.as_str().into());
        Ok(Box::new(CourierTarget { courier, mode: self.mode, table }))
    }

    fn describe(&self) -> String {
        "simulated database".to_string()
    }
}

/// Stages records as lines of JSON.
pub struct LineWriter<T> {
    staged: Vec<u8>,
    records: PhantomData<fn(T)>,
}

impl<T: Serialize> SinkWriter for LineWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<()> {
        for item in items.drain(..) {
            serde_json::to_writer(&mut self.staged, &item)
                .map_err(|e| Error::user_code("a record does not serialize").caused_by(e))?;
            self.staged.push(b'\n');
        }
        Ok(())
    }

    fn staged_bytes(&self) -> usize {
        self.staged.len()
    }

    fn take_staged(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.staged)
    }
}

struct CourierTarget {
    courier: Arc<dyn Courier>,
    mode: WriteMode,
    table: Arc<str>,
}

impl CourierTarget {
    fn ask(&self, request: &Request) -> Result<Answer> {
        self.courier.ask(request).map_err(|failure| failed(failure, "the database"))
    }

    fn change(&self, request: &Request) -> Result<Conditional<()>> {
        match self.ask(request)? {
            Answer::Conditional(outcome) => Ok(outcome),
            other => Err(unexpected(&other)),
        }
    }

    fn row(&self, line: &[u8]) -> Result<Row> {
        let line = std::str::from_utf8(line)
            .map_err(|e| Error::internal("staged output is no text").caused_by(e))?;
        if self.mode == WriteMode::Append {
            return Ok(Row::Append(line.into()));
        }
        let (key, row): (serde_json::Value, serde_json::Value) = serde_json::from_str(line)
            .map_err(|e| Error::internal("staged output is no pair").caused_by(e))?;
        Ok(Row::Upsert(key.to_string().into(), row.to_string().into()))
    }
}

impl Target for CourierTarget {
    fn look(&mut self) -> Result<TargetState> {
        match self.ask(&Request::Look { table: Arc::clone(&self.table) })? {
            Answer::Marker(None) => Ok(TargetState::Absent),
            Answer::Marker(Some(marker)) => Ok(TargetState::Owned { marker, created: true }),
            other => Err(unexpected(&other)),
        }
    }

    fn check(&mut self, _planned: PlannedStep) -> Result<()> {
        Ok(())
    }

    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        _adopt: bool,
    ) -> Result<Conditional<()>> {
        let (table, expected) = (Arc::clone(&self.table), expected.copied());
        self.change(&Request::Acquire { table, expected, marker: *marker })
    }

    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &[Vec<u8>],
        _rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let lines = chunks.iter().flat_map(|chunk| chunk.split(|byte| *byte == b'\n'));
        let lines = lines.filter(|line| !line.is_empty());
        let change = lines.map(|line| self.row(line)).collect::<Result<_>>()?;
        let (table, expected) = (Arc::clone(&self.table), Some(*expected));
        Ok(match self.change(&Request::Apply { table, expected, marker: *marker, change })? {
            Conditional::Done(()) => Conditional::Done(Applied::default()),
            Conditional::Unexpected(found) => Conditional::Unexpected(found),
        })
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        let (table, expected) = (Arc::clone(&self.table), Some(*expected));
        self.change(&Request::Reset { table, expected, marker: *marker })
    }

    fn contents(&mut self) -> Result<String> {
        Ok(format!("table {}", self.table))
    }

    fn format(&self) -> String {
        "lines".to_string()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        match self.mode {
            WriteMode::Append => DeliveryGuarantee::AppendOnce,
            WriteMode::Upsert => DeliveryGuarantee::UpsertOnce,
        }
    }
}
