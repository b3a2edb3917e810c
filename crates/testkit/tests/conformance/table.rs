//! The tables of the simulation and of the explorer, in every mode of writing.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use steadfast::Consistency;
use steadfast_conformance::TargetFixture;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_testkit::baton::Handle;
use steadfast_testkit::database::{Database, DatabaseConnection};
use steadfast_testkit::environment::{BatonCourier, CourierConnection, Environment};
use steadfast_testkit::input::{Input, Topology};
use steadfast_testkit::observer::{Observer, SeenProcess};
use steadfast_testkit::oracle::Oracle;
use steadfast_testkit::table::{Connection, Table, TableSink, Tables, WriteMode, signed};

const MODES: [WriteMode; 3] = [WriteMode::Append, WriteMode::Upsert, WriteMode::Unmarked];

/// Where tables are.
trait System {
    fn connection(&self) -> Arc<dyn Connection>;
    fn tables(&self) -> Tables;
    /// Whether others can have created a table.
    fn occupy(&self) -> bool;
}

struct Fixture<S> {
    system: S,
    mode: WriteMode,
    signature: Option<u16>,
}

impl<S: System> Fixture<S> {
    fn sink<T>(&self) -> TableSink<T> {
        let (mode, signature) = (self.mode, self.signature);
        TableSink {
            connection: self.system.connection(),
            mode,
            signature,
            is_other: false,
            records: PhantomData,
        }
    }
}

impl<S: System> TargetFixture for Fixture<S> {
    fn target(&self, identity: &TargetIdentity) -> Box<dyn Target> {
        self.sink::<u64>().target(identity).unwrap()
    }

    fn chunk(&self, rows: &[u64]) -> Vec<u8> {
        if self.mode == WriteMode::Upsert {
            let mut writer = self.sink::<(u64, u64)>().writer().unwrap();
            writer.write(&mut rows.iter().map(|row| (*row, *row)).collect()).unwrap();
            return writer.take_staged();
        }
        let mut writer = self.sink::<u64>().writer().unwrap();
        writer.write(&mut rows.to_vec()).unwrap();
        writer.take_staged()
    }

    fn rows(&self) -> Vec<u64> {
        let number = |line: &Arc<str>| signed(line).1.parse::<u64>().unwrap();
        let tables = self.system.tables();
        let appended = tables.values().flat_map(|table| &table.appended).map(number);
        let by_key: BTreeSet<u64> =
            tables.values().flat_map(|table| table.by_key.values()).map(number).collect();
        appended.chain(by_key).collect()
    }

    fn occupy(&self) -> Option<()> {
        (self.mode != WriteMode::Unmarked && self.system.occupy()).then_some(())
    }

    fn poison(&self) -> Option<Vec<u8>> {
        None
    }
}

/// The tables of the simulation. What the oracle thinks of these rows is not looked at.
impl System for Database {
    fn connection(&self) -> Arc<dyn Connection> {
        let (database, handle) = (self.clone(), Handle::undisturbed());
        Arc::new(DatabaseConnection { database, handle, process: 0, mutation: None })
    }

    fn tables(&self) -> Tables {
        Database::tables(self).clone()
    }

    fn occupy(&self) -> bool {
        let row = |number: u64| format!("0\t{number}").into();
        let table = Table { appended: vec![row(3), row(7)], ..Table::default() };
        Database::tables(self).insert("rows".into(), table);
        true
    }
}

pub fn database() -> Database {
    let (level, sinks) = (Consistency::ExactlyOnce, BTreeSet::new());
    let observer = Observer::default();
    observer.seen().processes.push(SeenProcess::new(level, sinks));
    let input = Input { sources: [Arc::new([]), Arc::new([])], disorder: 0, prefix: String::new() };
    Database::new(Arc::new(Oracle::new(Topology::Linear, &input)), observer, false)
}

/// The explorer's, where nobody else ever creates a table.
impl System for Arc<Mutex<Environment>> {
    fn connection(&self) -> Arc<dyn Connection> {
        let (handle, environment) = (Handle::undisturbed(), Arc::clone(self));
        Arc::new(CourierConnection(Arc::new(BatonCourier { handle, environment })))
    }

    fn tables(&self) -> Tables {
        self.lock().unwrap().tables().clone()
    }

    fn occupy(&self) -> bool {
        false
    }
}

#[test]
fn the_tables_of_the_simulation_are_targets() {
    for mode in MODES {
        let make = || Fixture { system: database(), mode, signature: Some(0) };
        steadfast_conformance::target(make);
    }
}

#[test]
fn the_tables_of_the_explorer_are_targets() {
    for mode in MODES {
        let make =
            || Fixture::<Arc<Mutex<Environment>>> { system: Arc::default(), mode, signature: None };
        steadfast_conformance::target(make);
    }
}
