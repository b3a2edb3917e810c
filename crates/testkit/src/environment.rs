//! What outlives every process, as a value: the objects of a store and the tables of a database.
//!
//! A process reaches it by [`Request`]s, each of which is carried out in one step and answered. Who
//! carries requests is a [`Courier`]: the baton, which lets others come in between, or something
//! that knows the answers already. The environment can be copied, and has a fingerprint that is
//! equal if its contents are. It knows nothing of jobs.

mod fingerprint;
mod request;
mod store;

pub use fingerprint::Fingerprint;
pub use request::{Answer, Courier, Object, Request};
pub use store::CourierStore;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use steadfast_core::store::Put;
use steadfast_core::target::Conditional;

use crate::baton::{CallFailure, Handle};
use crate::table::{self, Connection, Table, TableAnswer, TableCall, Tables};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    objects: Arc<BTreeMap<Arc<str>, Object>>,
    tables: Arc<Tables>,
    /// Of all objects, in any order.
    objects_print: Fingerprint,
    /// Of all tables, in any order.
    tables_print: Fingerprint,
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
            Request::Table(call) => Answer::Table(self.call_table(call)),
        }
    }

    fn call_table(&mut self, call: &TableCall) -> TableAnswer {
        if let Some(answer) = table::answer(&self.tables, call) {
            return answer;
        }
        self.tables_print.toggle(print_of(&self.tables, &call.table));
        table::carry_out(Arc::make_mut(&mut self.tables), call);
        self.tables_print.toggle(print_of(&self.tables, &call.table));
        TableAnswer::Step(Conditional::Done(()))
    }

    /// Whether there is an object of this name.
    pub fn has_object(&self, name: &str) -> bool {
        self.objects.contains_key(name)
    }

    /// All tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
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

/// Nothing, if there is no such table.
fn print_of(tables: &Tables, name: &str) -> Fingerprint {
    let mut print = Fingerprint::default();
    let Some(Table { appended, by_key, marker, job, created }) = tables.get(name) else {
        return print;
    };
    print.add_bytes(name.as_bytes());
    print.add_marker(marker.as_ref());
    print.add_bytes(job.as_deref().unwrap_or_default().as_bytes());
    print.add((appended.len() as u64) << 1 | u64::from(*created));
    appended.iter().for_each(|row| print.add_bytes(row.as_bytes()));
    for (key, row) in by_key {
        print.add_bytes(key.as_bytes());
        print.add_bytes(row.as_bytes());
    }
    print
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

/// A connection to the tables by a courier.
pub struct CourierConnection(pub Arc<dyn Courier>);

impl Connection for CourierConnection {
    fn ask(&self, call: TableCall) -> Result<TableAnswer, CallFailure> {
        match self.0.ask(&Request::Table(call))? {
            Answer::Table(answer) => Ok(answer),
            // Whoever carries answers to the wrong question has lost the right one.
            _ => Err(CallFailure::AnswerLost),
        }
    }
}

#[cfg(test)]
mod tests;
