//! A table of a transactional database: what a sink may do with it, and what an outside reader sees.
//!
//! Rows and marker change together or not at all. It is the one model that the simulation and the
//! explorer share: a table is a value that is cheap to copy, and a call says all that it takes. Who
//! carries calls, who watches them and what rows mean is not known here.

mod call;
mod sink;
mod target;

pub use call::{Change, Connection, Row, TableAnswer, TableCall, TableStep};
pub use sink::{LineWriter, TableSink, WriteMode, signed};

use std::collections::BTreeMap;
use std::sync::Arc;

use steadfast_core::target::{Conditional, Marker, TargetState};

/// How many rows a table says, where it may, that it has set aside of those that it was given: it has all of
/// them, but what is told must be passed on.
pub fn set_aside(change: &Change) -> u64 {
    change.len() as u64 % 3
}

/// All tables of a database, by name.
pub type Tables = BTreeMap<Arc<str>, Table>;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Appended rows, in order.
    pub appended: Vec<Arc<str>>,
    /// Rows by key, where the sink upserts.
    pub by_key: BTreeMap<Arc<str>, Arc<str>>,
    /// Who may write to it, and the newest checkpoint whose output it holds.
    pub marker: Option<Marker>,
    /// The job of the sink whose marker it is.
    pub job: Option<Arc<str>>,
    /// Whether the sink created it: what others created is never emptied.
    pub created: bool,
}

/// The answer to a call that changes nothing; none if the call is to be carried out.
pub fn answer(tables: &Tables, call: &TableCall) -> Option<TableAnswer> {
    let table = tables.get(&call.table);
    let own = table.filter(|table| table.job.as_ref() == Some(&call.job));
    let found = own.and_then(|table| table.marker);
    let (expected, marker) = match &call.step {
        TableStep::Look => return Some(TableAnswer::State(state(table, found))),
        TableStep::Show { .. } => return None,
        TableStep::Acquire { expected, marker, .. } => (expected.as_ref(), marker),
        TableStep::Apply { expected, marker, .. } | TableStep::Reset { expected, marker } => {
            (Some(expected), marker)
        }
    };
    if found.as_ref() == Some(marker) {
        return Some(TableAnswer::Step(Conditional::Done(())));
    }
    if found.as_ref() != expected {
        return Some(TableAnswer::Step(Conditional::Unexpected(found)));
    }
    let table = table?;
    let is_taken = found.is_none() && table.marker.is_some();
    match call.step {
        TableStep::Acquire { .. } if is_taken => {
            Some(TableAnswer::Refused("the table belongs to another job"))
        }
        TableStep::Acquire { adopt: false, .. } if found.is_none() => {
            Some(TableAnswer::Refused("the table was created by others"))
        }
        TableStep::Reset { .. } if !table.created => Some(TableAnswer::Refused(ADOPTED)),
        _ => None,
    }
}

/// Why a table is not emptied.
const ADOPTED: &str = "an adopted table is not emptied";

fn state(table: Option<&Table>, found: Option<Marker>) -> TargetState {
    match (table, found) {
        (None, _) => TargetState::Absent,
        (Some(table), Some(marker)) => TargetState::Owned { marker, created: table.created },
        (Some(_), None) => TargetState::Foreign("a table that others created".to_string()),
    }
}

/// Carries out a call for which there was no other answer.
pub fn carry_out(tables: &mut Tables, call: &TableCall) {
    let table = match tables.get_mut(&call.table) {
        Some(table) => table,
        None => {
            let table = Table { created: true, ..Table::default() };
            tables.entry(Arc::clone(&call.table)).or_insert(table)
        }
    };
    let marker = match &call.step {
        TableStep::Look => return,
        TableStep::Show { change } => return table.write(change),
        TableStep::Acquire { marker, .. } => marker,
        TableStep::Apply { marker, change, .. } => {
            table.write(change);
            marker
        }
        TableStep::Reset { marker, .. } => {
            table.appended.clear();
            table.by_key.clear();
            marker
        }
    };
    table.marker = Some(*marker);
    table.job = Some(Arc::clone(&call.job));
}

impl Table {
    fn write(&mut self, change: &Change) {
        for row in &**change {
            match row {
                Row::Append(row) => self.appended.push(Arc::clone(row)),
                Row::Upsert(key, row) => {
                    self.by_key.insert(Arc::clone(key), Arc::clone(row));
                }
            }
        }
    }
}
