//! A transactional database as a sink's target: rows and markers change together or not at all.
//!
//! Its calls may fail, or take effect and lose their answer. It outlives every process.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use steadfast_core::fault::{Fault, Faults};
use steadfast_core::id::CheckpointId;
use steadfast_core::sink::{DeliveryGuarantee, Sink, SinkWriter, Target, TargetIdentity};
use steadfast_core::{Error, Result};

use crate::fault_injector::{Fate, FaultInjector};

/// The database.
#[derive(Clone, Default)]
pub struct Database(Arc<Mutex<Tables>>);

type Tables = BTreeMap<String, Table>;

/// One table: what an outside reader sees, and the marker.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Appended rows, in order.
    pub appended: Vec<String>,
    /// Rows by key, where the sink upserts.
    pub by_key: BTreeMap<String, String>,
    marker: Option<CheckpointId>,
}

impl Database {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a reader sees of a table.
    pub fn table(&self, name: &str) -> Table {
        self.tables().get(name).cloned().unwrap_or_default()
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
    /// The fault_injector of the process.
    pub fault_injector: FaultInjector,
    /// How it writes.
    pub mode: Mode,
    /// A deliberate fault.
    pub faults: Faults,
    /// What it takes.
    pub records: PhantomData<fn(T)>,
}

impl<T: Serialize + Send + 'static> Sink for DatabaseSink<T> {
    type Item = T;
    type Writer = LineWriter<T>;

    fn writer(&self) -> Result<LineWriter<T>> {
        Ok(LineWriter { staged: Vec::new(), records: PhantomData })
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        Ok(Box::new(DatabaseTarget {
            database: self.database.clone(),
            fault_injector: self.fault_injector.clone(),
            mode: self.mode,
            faults: self.faults,
            table: identity.sink.clone(),
        }))
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

struct DatabaseTarget {
    database: Database,
    fault_injector: FaultInjector,
    mode: Mode,
    faults: Faults,
    table: String,
}

impl DatabaseTarget {
    /// Carries out a transaction as the fault_injector lets it: whole, or not at all.
    fn transact(&self, change: impl FnOnce(&mut Table)) -> Result<()> {
        let run = || change(self.database.tables().entry(self.table.clone()).or_default());
        match self.fault_injector.fate() {
            Fate::Good => {
                run();
                Ok(())
            }
            Fate::AnswerLost => {
                run();
                Err(Error::unavailable("the database's answer was lost"))
            }
            Fate::DiesWithin if self.fault_injector.draw(2) == 0 => {
                run();
                Err(Error::unavailable("the process is gone"))
            }
            _ => Err(Error::unavailable("the database did not answer")),
        }
    }

    fn row(&self, table: &mut Table, line: &str) {
        match self.mode {
            Mode::Append => table.appended.push(line.to_string()),
            Mode::Upsert => {
                let pair: (serde_json::Value, serde_json::Value) =
                    serde_json::from_str(line).unwrap_or_default();
                table.by_key.insert(pair.0.to_string(), pair.1.to_string());
            }
        }
    }
}

impl Target for DatabaseTarget {
    fn applied(&mut self) -> Result<Option<CheckpointId>> {
        match self.fault_injector.fate() {
            Fate::Good => Ok(self.database.table(&self.table).marker),
            _ => Err(Error::unavailable("the database did not answer")),
        }
    }

    fn apply(&mut self, checkpoint: CheckpointId, parts: &[Vec<u8>]) -> Result<()> {
        self.transact(|table| {
            if table.marker >= Some(checkpoint) {
                return;
            }
            let lines = parts.iter().flat_map(|part| part.split(|byte| *byte == b'\n'));
            for line in lines.filter(|line| !line.is_empty()) {
                self.row(table, &String::from_utf8_lossy(line));
            }
            if !self.faults.has(Fault::MarkerNotWritten) {
                table.marker = Some(checkpoint);
            }
        })
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        match self.mode {
            Mode::Append => DeliveryGuarantee::AppendOnce,
            Mode::Upsert => DeliveryGuarantee::UpsertOnce,
        }
    }

    fn reset(&mut self) -> Result<()> {
        self.transact(|table| *table = Table::default())
    }
}
