//! What outlives every process, as a value: the objects of a store and the tables of a database.
//!
//! A process reaches it by [`Request`]s, each of which is carried out in one step and answered. Who
//! carries requests is a [`Courier`]: the baton, which lets others come in between, or something
//! that knows the answers already. The environment can be copied, and has a fingerprint that is
//! equal if its contents are. It knows nothing of jobs.

mod fingerprint;
mod request;
mod store;
mod target;

pub use fingerprint::Fingerprint;
pub use request::{Answer, Change, Courier, Object, Request, Row};
pub use store::CourierStore;
pub use target::{CourierSink, LineWriter, WriteMode};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use steadfast_core::store::Put;
use steadfast_core::target::{Conditional, Marker};

use crate::baton::{CallFailure, Handle};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    objects: Arc<BTreeMap<Arc<str>, Object>>,
    tables: Arc<BTreeMap<Arc<str>, Table>>,
    /// Of all objects, in any order.
    objects_print: Fingerprint,
    /// Of all tables, in any order.
    tables_print: Fingerprint,
}

/// A table as an outside reader sees it, and its marker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Appended rows, in order.
    pub appended: Vec<Arc<str>>,
    /// Rows by key, where the sink upserts.
    pub by_key: BTreeMap<Arc<str>, Arc<str>>,
    /// Who may write to it, and the newest checkpoint whose output it holds.
    pub marker: Option<Marker>,
}

impl Environment {
    /// Carries out a request.
    pub fn perform(&mut self, request: &Request) -> Answer {
        match request {
            Request::Put { name, object, .. } => {
                if self.objects.contains_key(name) {
                    return Answer::Put(Put::AlreadyExists);
                }
                self.objects_print.toggle(entry(name, object));
                Arc::make_mut(&mut self.objects).insert(Arc::clone(name), object.clone());
                Answer::Put(Put::Created)
            }
            Request::Get { name } => Answer::Get(self.objects.get(name).cloned()),
            Request::List { prefix, after, page } => {
                let from = after.as_ref().unwrap_or(prefix);
                let names = self.objects.range(Arc::clone(from)..).map(|(name, _)| name);
                let names = names.filter(|name| after.as_ref() != Some(name));
                let names = names.take_while(|name| name.starts_with(&**prefix));
                Answer::Names(names.take(*page).cloned().collect())
            }
            Request::Delete { name } => {
                if let Some(object) = self.objects.get(name) {
                    self.objects_print.toggle(entry(name, object));
                    Arc::make_mut(&mut self.objects).remove(name);
                }
                Answer::Done
            }
            Request::Look { table } => Answer::Marker(self.table(table).and_then(|t| t.marker)),
            Request::Acquire { table, expected, marker } => {
                self.change(table, (expected.as_ref(), marker), |_| {})
            }
            Request::Apply { table, expected, marker, change } => {
                let write = |table: &mut Table| change.iter().for_each(|row| table.write(row));
                self.change(table, (expected.as_ref(), marker), write)
            }
            Request::Reset { table, expected, marker } => {
                let empty = |table: &mut Table| *table = Table::default();
                self.change(table, (expected.as_ref(), marker), empty)
            }
        }
    }

    /// Changes a table on the condition that its marker is the expected one.
    fn change(
        &mut self,
        name: &Arc<str>,
        (expected, marker): (Option<&Marker>, &Marker),
        change: impl FnOnce(&mut Table),
    ) -> Answer {
        let found = self.table(name).and_then(|table| table.marker);
        if found.as_ref() == Some(marker) {
            return Answer::Conditional(Conditional::Done(()));
        }
        if found.as_ref() != expected {
            return Answer::Conditional(Conditional::Unexpected(found));
        }
        let table = Arc::make_mut(&mut self.tables).entry(Arc::clone(name)).or_default();
        self.tables_print.toggle(table.fingerprint(name));
        change(table);
        table.marker = Some(*marker);
        self.tables_print.toggle(table.fingerprint(name));
        Answer::Conditional(Conditional::Done(()))
    }

    /// Whether there is an object of this name.
    pub fn has_object(&self, name: &str) -> bool {
        self.objects.contains_key(name)
    }

    /// What a reader sees of a table, if anything was ever written to it.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// Every object of the store, in the order of the names.
    pub fn objects(&self) -> impl DoubleEndedIterator<Item = (&Arc<str>, &Object)> {
        self.objects.iter()
    }

    /// Turns over the bits of an object's last byte, as a bad disk might.
    pub fn damage(&mut self, name: &str) {
        let Some((name, object)) = self.objects.get_key_value(name) else { return };
        let (name, object) = (Arc::clone(name), object.clone());
        let mut bytes = object.bytes.to_vec();
        if let Some(byte) = bytes.last_mut() {
            *byte = !*byte;
        }
        let damaged = Object::new(bytes);
        self.objects_print.toggle(entry(&name, &object));
        self.objects_print.toggle(entry(&name, &damaged));
        Arc::make_mut(&mut self.objects).insert(name, damaged);
    }

    /// Equal if the contents are.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut print = self.objects_print;
        print.add_print(self.tables_print);
        print
    }
}

fn entry(name: &str, object: &Object) -> Fingerprint {
    let mut print = Fingerprint::default();
    print.add_bytes(name.as_bytes());
    print.add_print(object.print);
    print
}

impl Table {
    /// Nothing, if it is as if nobody had ever written to it.
    fn fingerprint(&self, name: &str) -> Fingerprint {
        let mut print = Fingerprint::default();
        if *self == Table::default() {
            return print;
        }
        print.add_bytes(name.as_bytes());
        print.add_marker(self.marker.as_ref());
        print.add(self.appended.len() as u64);
        self.appended.iter().for_each(|row| print.add_bytes(row.as_bytes()));
        for (key, row) in &self.by_key {
            print.add_bytes(key.as_bytes());
            print.add_bytes(row.as_bytes());
        }
        print
    }

    fn write(&mut self, row: &Row) {
        match row {
            Row::Append(row) => self.appended.push(Arc::clone(row)),
            Row::Upsert(key, row) => drop(self.by_key.insert(Arc::clone(key), Arc::clone(row))),
        }
    }
}

/// Carries requests of one process through the baton to an environment that all share.
pub struct BatonCourier {
    /// The process.
    pub handle: Handle,
    /// What all processes share.
    pub environment: Arc<Mutex<Environment>>,
}

impl Courier for BatonCourier {
    fn ask(&self, request: &Request) -> Result<Answer, CallFailure> {
        self.handle.call(request.call(), || {
            self.environment.lock().unwrap_or_else(PoisonError::into_inner).perform(request)
        })
    }
}

#[cfg(test)]
mod tests;
