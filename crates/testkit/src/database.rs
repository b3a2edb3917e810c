//! The database of a simulation: its tables outlive every process, and every change of one is held
//! against what the [`invariants`] say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_core::target::Conditional;
use steadfast_protocol::manifest::Manifest;

use crate::baton::{Call, CallFailure, Handle};
use crate::fault_injector::Mutation;
use crate::input::UNMARKED;
use crate::input_files::InputFiles;
use crate::invariants::{self, counting, growth, history, order, prefix, targets, unmarked};
use crate::observer::Observer;
use crate::oracle::Oracle;
use crate::shown::{Shown, ShownRow};
use crate::table::{
    self, Change, Connection, TableAnswer, TableCall, TableStep, Tables, set_aside,
};

/// The database.
#[derive(Clone)]
pub struct Database {
    tables: Arc<Mutex<Tables>>,
    /// Each table as it was before its newest output, where somebody may put it back.
    before: Option<Arc<Mutex<Tables>>>,
    oracle: Arc<Oracle>,
    observer: Observer,
}

/// A connection of one process.
pub struct DatabaseConnection {
    /// The database.
    pub database: Database,
    /// The process.
    pub handle: Handle,
    /// Its number.
    pub process: u16,
    /// A deliberate fault.
    pub mutation: Option<Mutation>,
}

impl Database {
    /// An empty one. With `can_go_back`, each table can be had as it was before its newest output.
    pub fn new(oracle: Arc<Oracle>, observer: Observer, can_go_back: bool) -> Self {
        let before = can_go_back.then(Arc::default);
        Database { tables: Arc::default(), before, oracle, observer }
    }

    /// The files that the job reads, if it reads any.
    pub fn files(&self) -> Option<&InputFiles> {
        self.oracle.files.as_deref()
    }

    /// All tables as each was before its newest output.
    pub fn before(&self) -> Tables {
        let before = self.before.as_ref();
        let before = before.map(|before| before.lock().unwrap_or_else(PoisonError::into_inner));
        before.map(|before| before.clone()).unwrap_or_default()
    }

    /// All tables.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn perform(&self, call: &TableCall, by: u16, mutation: Option<Mutation>) -> TableAnswer {
        let tables = &mut *self.tables();
        if let Some(answer) = table::answer(tables, call) {
            return answer;
        }
        let marker = tables.get(&call.table).and_then(|table| table.marker);
        self.watch(tables, call, by);
        if let (Some(before), TableStep::Apply { .. }) = (&self.before, &call.step) {
            let table = tables.get(&call.table).cloned().unwrap_or_default();
            let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
            before.insert(Arc::clone(&call.table), table);
        }
        table::carry_out(tables, call);
        let is_apply = matches!(call.step, TableStep::Apply { .. });
        if is_apply && mutation == Some(Mutation::MarkerNotWritten) {
            tables.entry(Arc::clone(&call.table)).or_default().marker = marker;
        }
        self.observer.count(format!("target: {:?}", call.step.kind()));
        if matches!(call.step, TableStep::Apply { .. } | TableStep::Show { .. }) {
            self.observer.applies(by);
        }
        if let (TableStep::Apply { marker, .. }, Some(table)) =
            (&call.step, tables.get(&call.table))
        {
            prefix::applied(&self.oracle, &self.observer, &call.table, table, marker, by);
        }
        TableAnswer::Step(Conditional::Done(()))
    }

    /// A checkpoint was committed.
    pub fn committed(&self, manifest: &Manifest, by: u16) {
        history::committed(&self.observer, manifest, by);
        let prefix = prefix::committed(&self.oracle, &self.observer, &self.tables(), manifest, by);
        growth::committed(&self.oracle, &self.observer, manifest, &prefix, by);
        counting::committed(&self.observer, manifest, &prefix, by);
        targets::committed(&self.observer, manifest, by);
    }

    /// Holds a change that is about to be made against what must hold.
    fn watch(&self, tables: &Tables, call: &TableCall, by: u16) {
        let (name, observer) = (&*call.table, &self.observer);
        match &call.step {
            TableStep::Look => {}
            TableStep::Show { change } => self.watch_rows(tables, name, change, by),
            TableStep::Acquire { expected, marker, .. } => {
                targets::moves(&self.oracle, observer, name, expected.as_ref(), marker);
                if expected.is_some_and(|expected| expected.checkpoint > marker.checkpoint) {
                    observer.count("target: ahead, and moved back");
                }
                invariants::fenced(observer, name, marker);
            }
            TableStep::Apply { marker, change, .. } => {
                self.watch_rows(tables, name, change, by);
                invariants::fenced(observer, name, marker);
            }
            TableStep::Reset { marker, .. } => {
                let claim = observer.seen().claim_in(marker).cloned();
                if claim.is_some_and(|claim| claim.era != claim.rank) {
                    observer.count("reset: finished by another");
                }
                invariants::fenced(observer, name, marker);
            }
        }
    }

    fn watch_rows(&self, tables: &Tables, name: &str, change: &Change, applied_by: u16) {
        let (oracle, observer) = (&*self.oracle, &self.observer);
        let mut shown =
            tables.get(name).map_or_else(Shown::default, |t| Shown::of(oracle, name, t));
        let mut is_recovered = false;
        for row in &**change {
            let row = ShownRow::read(oracle, name, row);
            is_recovered |= row.by != applied_by;
            match row.key {
                None if name == UNMARKED => {
                    unmarked::shows(oracle, observer, name, &shown, &row, applied_by);
                }
                None => {
                    invariants::appends(oracle, observer, name, &shown, &row);
                    order::follows(observer, name, &shown, &row);
                }
                Some(key) => invariants::upserts(oracle, observer, name, &shown, key, &row),
            }
            shown.add(row);
        }
        if is_recovered {
            observer.count("target: applied by recovery");
        }
    }
}

impl Connection for DatabaseConnection {
    fn ask(&self, call: TableCall) -> Result<TableAnswer, CallFailure> {
        let kind = call.step.kind();
        targets::attempts(&self.database.observer, &call, self.process);
        let perform = || self.database.perform(&call, self.process, self.mutation);
        let answer = self.handle.call(Call::new(kind, &*call.table), perform);
        let observer = &self.database.observer;
        if let (Ok(TableAnswer::Step(Conditional::Done(()))), Some(change)) =
            (&answer, call.step.change())
            && let Some(own) = observer.seen().processes.get_mut(usize::from(self.process))
        {
            own.rejected += set_aside(change);
        }
        if let Ok(TableAnswer::Step(Conditional::Unexpected(found))) = &answer {
            if let TableStep::Apply { marker, .. } = &call.step {
                targets::refused(observer, marker, self.process);
            }
            observer.count(format!("fenced by the target: {kind:?}"));
            if let (TableStep::Apply { marker, .. }, Some(found)) = (&call.step, found)
                && found.checkpoint > marker.checkpoint
            {
                observer.count("target: an older checkpoint arrives late");
            }
        }
        answer
    }
}
