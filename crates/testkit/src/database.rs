//! A transactional database as a sink's target: rows and markers change together or not at all.
//!
//! It outlives every process, and holds every change against what the [`invariants`] say.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};
use steadfast_core::{Error, Result};

use crate::baton::{Call, CallFailure, CallKind, Handle};
use crate::fault_injector::Mutation;
use crate::invariants;
use crate::observer::Observer;
use crate::oracle::Oracle;
use crate::table::Table;

/// The database.
#[derive(Clone)]
pub struct Database {
    tables: Arc<Mutex<Tables>>,
    oracle: Arc<Oracle>,
    observer: Observer,
}

/// All tables, by name.
pub type Tables = BTreeMap<String, Table>;

impl Database {
    /// An empty one.
    pub fn new(oracle: Arc<Oracle>, observer: Observer) -> Self {
        Database { tables: Arc::default(), oracle, observer }
    }

    /// All tables.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a sink writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every record becomes a row.
    Append,
    /// A record replaces the row of its key. Records are pairs.
    Upsert,
}

/// A sink into a table of the database.
pub struct DatabaseSink<T> {
    /// The database.
    pub database: Database,
    /// The process.
    pub handle: Handle,
    /// Its number.
    pub process: u16,
    /// How it writes.
    pub mode: Mode,
    /// A deliberate fault.
    pub mutation: Option<Mutation>,
    /// What it takes.
    pub records: PhantomData<fn(T)>,
}

impl<T: Serialize + Send + 'static> Sink for DatabaseSink<T> {
    type Item = T;
    type Writer = LineWriter<T>;

    fn writer(&self) -> Result<LineWriter<T>> {
        Ok(LineWriter { process: self.process, staged: Vec::new(), records: PhantomData })
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        Ok(Box::new(DatabaseTarget {
            database: self.database.clone(),
            handle: self.handle.clone(),
            process: self.process,
            mode: self.mode,
            mutation: self.mutation,
            table: identity.sink.clone(),
        }))
    }

    fn describe(&self) -> String {
        "simulated database".to_string()
    }
}

/// Stages records as lines of JSON, each with the number of the process that computed it.
pub struct LineWriter<T> {
    process: u16,
    staged: Vec<u8>,
    records: PhantomData<fn(T)>,
}

impl<T: Serialize> SinkWriter for LineWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<()> {
        for item in items.drain(..) {
            self.staged.extend(format!("{}\t", self.process).bytes());
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

struct DatabaseTarget {
    database: Database,
    handle: Handle,
    process: u16,
    mode: Mode,
    mutation: Option<Mutation>,
    table: String,
}

fn failed(failure: CallFailure) -> Error {
    Error::unavailable(match failure {
        CallFailure::Refused => "the database did not answer",
        CallFailure::AnswerLost => "the database's answer was lost",
        CallFailure::Dead => "the process is gone",
    })
}

impl DatabaseTarget {
    fn call<R>(&self, kind: CallKind, effect: impl FnOnce(&mut Tables) -> Result<R>) -> Result<R> {
        let call = Call::new(kind, self.table.as_str());
        let answer = self.handle.call(call, || effect(&mut self.database.tables()));
        answer.unwrap_or_else(|failure| Err(failed(failure)))
    }

    /// Changes the table if its marker is the expected one, or says what it is; with the new marker
    /// there already, nothing is done again.
    fn change<R: Default>(
        &self,
        kind: CallKind,
        (expected, marker): (Option<&Marker>, &Marker),
        change: impl FnOnce(&mut Table, &Observer) -> Result<R>,
    ) -> Result<Conditional<R>> {
        let observer = &self.database.observer;
        let conditional = self.call(kind, |tables| {
            let found = tables.get(&self.table).and_then(|table| table.marker);
            if found.as_ref() == Some(marker) {
                return Ok(Conditional::Done(R::default()));
            }
            if found.as_ref() != expected {
                return Ok(Conditional::Unexpected(found));
            }
            let is_new = !tables.contains_key(&self.table);
            let table = tables.entry(self.table.clone()).or_default();
            table.created |= is_new;
            let changed = change(table, observer)?;
            if self.mutation != Some(Mutation::MarkerNotWritten) || kind != CallKind::TargetApply {
                table.marker = Some(*marker);
            }
            invariants::fenced(observer, &self.table, table, marker);
            observer.count(format!("target: {kind:?}"));
            Ok(Conditional::Done(changed))
        });
        if let Ok(Conditional::Unexpected(_)) = &conditional {
            observer.count(format!("fenced by the target: {kind:?}"));
        }
        conditional
    }
}

impl Target for DatabaseTarget {
    fn look(&mut self) -> Result<TargetState> {
        self.call(CallKind::TargetLook, |tables| {
            Ok(match tables.get(&self.table) {
                None => TargetState::Absent,
                Some(Table { marker: Some(marker), created, .. }) => {
                    TargetState::Owned { marker: *marker, created: *created }
                }
                Some(_) => TargetState::Foreign("a table that others created".to_string()),
            })
        })
    }

    fn check(&mut self, _planned: PlannedStep) -> Result<()> {
        Ok(())
    }

    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<Conditional<()>> {
        let is_foreign =
            self.database.tables().get(&self.table).is_some_and(|t| t.marker.is_none());
        self.change(CallKind::TargetAcquire, (expected, marker), |_, _| {
            if is_foreign && !adopt {
                return Err(Error::configuration("the table was created by others"));
            }
            Ok(())
        })
    }

    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &[Vec<u8>],
        _rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let oracle = &self.database.oracle;
        self.change(CallKind::TargetApply, (Some(expected), marker), |table, observer| {
            let mut is_recovered = false;
            let lines = chunks.iter().flat_map(|chunk| chunk.split(|byte| *byte == b'\n'));
            for line in lines.filter(|line| !line.is_empty()) {
                let line = String::from_utf8_lossy(line);
                let (by, text) = line.split_once('\t').unwrap_or_default();
                let by = by.parse().unwrap_or(0);
                is_recovered |= by != self.process;
                match self.mode {
                    Mode::Append => {
                        invariants::appends(oracle, observer, &self.table, table, by, text);
                        let id = oracle.id(&self.table, text);
                        table.appended.entry(id).or_default().push((by, text.to_string()));
                    }
                    Mode::Upsert => {
                        let pair: (serde_json::Value, Box<serde_json::value::RawValue>) =
                            serde_json::from_str(text)
                                .map_err(|e| Error::internal(e.to_string()))?;
                        let (key, value) = (pair.0.to_string(), pair.1.get().to_string());
                        invariants::upserts(oracle, observer, &self.table, table, by, &key, &value);
                        table.by_key.insert(key, (by, value));
                    }
                }
            }
            if is_recovered {
                observer.count("target: applied by recovery");
            }
            Ok(Applied::default())
        })
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        let created = self.database.tables().get(&self.table).is_some_and(|table| table.created);
        self.change(CallKind::TargetReset, (Some(expected), marker), |table, observer| {
            if !created {
                return Err(Error::configuration("an adopted table is not emptied"));
            }
            if observer.seen().claim_in(marker).is_some_and(|c| c.era != c.rank) {
                observer.count("reset: finished by another");
            }
            (table.appended, table.by_key) = (BTreeMap::new(), BTreeMap::new());
            Ok(())
        })
    }

    fn contents(&mut self) -> Result<String> {
        Ok("rows".to_string())
    }

    fn format(&self) -> String {
        "lines".to_string()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        match self.mode {
            Mode::Append => DeliveryGuarantee::AppendOnce,
            Mode::Upsert => DeliveryGuarantee::UpsertOnce,
        }
    }
}
