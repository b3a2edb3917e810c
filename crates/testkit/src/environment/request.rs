//! What a process may ask of the environment, what it is answered, and who carries both.

use std::sync::Arc;

use steadfast_core::store::Put;
use steadfast_core::target::{Conditional, Marker, TargetState};

use super::Fingerprint;
use crate::baton::{Call, CallFailure, CallKind};
use crate::table::{TableAnswer, TableCall, TableStep};

/// The contents of an object. Cheap to copy.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// Of the bytes.
    pub print: Fingerprint,
}

impl Object {
    /// An object of these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        let mut print = Fingerprint::default();
        print.add_bytes(&bytes);
        Object { bytes, print }
    }
}

/// A request. Each is carried out in one step.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the parameters of the contracts' verbs")]
pub enum Request {
    /// Create an object if there is none.
    Put { kind: CallKind, name: Arc<str>, object: Object },
    /// Read an object.
    Get { name: Arc<str> },
    /// Read the next page of names: a list is no snapshot.
    List { prefix: Arc<str>, after: Option<Arc<str>>, page: usize },
    /// Remove an object.
    Delete { name: Arc<str> },
    /// Whatever a sink wants of its table.
    Table(TableCall),
}

impl Request {
    /// The request as a call of the baton.
    pub fn call(&self) -> Call {
        let (kind, object): (CallKind, String) = match self {
            Request::Put { kind, name, .. } => (*kind, name.to_string()),
            Request::Get { name } => (CallKind::StoreGet, name.to_string()),
            Request::List { prefix, after: None, .. } => (CallKind::StoreList, prefix.to_string()),
            Request::List { after: Some(after), .. } => {
                (CallKind::StoreList, format!("names after {after}"))
            }
            Request::Delete { name } => (CallKind::StoreDelete, name.to_string()),
            Request::Table(call) => (call.step.kind(), described(call)),
        };
        Call { kind, object }
    }

    /// The kind of the call.
    pub fn kind(&self) -> CallKind {
        match self {
            Request::Put { kind, .. } => *kind,
            Request::Get { .. } => CallKind::StoreGet,
            Request::List { .. } => CallKind::StoreList,
            Request::Delete { .. } => CallKind::StoreDelete,
            Request::Table(call) => call.step.kind(),
        }
    }

    /// Equal for requests that ask the same.
    pub fn print(&self) -> Fingerprint {
        let mut print = Fingerprint::default();
        print.add_bytes(self.call().to_string().as_bytes());
        match self {
            Request::Put { object, .. } => print.add_print(object.print),
            Request::Table(call) => match &call.step {
                TableStep::Acquire { adopt, .. } => print.add(u64::from(*adopt)),
                TableStep::Apply { change, .. } | TableStep::Show { change } => {
                    change.iter().for_each(|row| print.add_bytes(format!("{row:?}").as_bytes()));
                }
                TableStep::Look | TableStep::Reset { .. } => {}
            },
            Request::List { page, .. } => print.add(*page as u64),
            _ => {}
        }
        print
    }
}

/// A call to a table for people; no two steps that differ look the same, but for their rows.
fn described(TableCall { table, step, .. }: &TableCall) -> String {
    let short = |marker: &Marker| {
        let Marker { lineage, claim, checkpoint } = marker;
        format!("{checkpoint}/{}-{:x}/{:x}", claim.generation, claim.nonce, lineage.0)
    };
    let (expected, marker) = match step {
        TableStep::Look => return table.to_string(),
        TableStep::Show { .. } => return format!("{table} (no marker)"),
        TableStep::Acquire { expected, marker, .. } => (expected.as_ref(), marker),
        TableStep::Apply { expected, marker, .. } | TableStep::Reset { expected, marker } => {
            (Some(expected), marker)
        }
    };
    let expected = expected.map_or("none".to_string(), short);
    format!("{table} ({expected} -> {})", short(marker))
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To a put.
    Put(Put),
    /// To a get.
    Get(Option<Object>),
    /// To a list; none if there are no more.
    Names(Vec<Arc<str>>),
    /// To a call to a table.
    Table(TableAnswer),
    /// To everything else.
    Done,
}

impl Answer {
    /// Equal for answers that say the same.
    pub fn print(&self) -> Fingerprint {
        let mut print = Fingerprint::default();
        match self {
            Answer::Put(Put::Created) => print.add(1),
            Answer::Put(Put::AlreadyExists) => print.add(2),
            Answer::Get(None) => print.add(3),
            Answer::Get(Some(object)) => {
                print.add(4);
                print.add_print(object.print);
            }
            Answer::Names(names) => {
                print.add(5);
                names.iter().for_each(|name| print.add_bytes(name.as_bytes()));
            }
            Answer::Table(answer) => add_table_answer(&mut print, answer),
            Answer::Done => print.add(7),
        }
        print
    }
}

fn add_table_answer(print: &mut Fingerprint, answer: &TableAnswer) {
    match answer {
        TableAnswer::State(TargetState::Absent) => print.add(6),
        TableAnswer::State(TargetState::Owned { marker, created }) => {
            print.add(8 + u64::from(*created));
            print.add_marker(Some(marker));
        }
        TableAnswer::State(TargetState::Foreign(_)) => print.add(10),
        TableAnswer::State(TargetState::Unmarked) => print.add(11),
        TableAnswer::Step(Conditional::Done(())) => print.add(12),
        TableAnswer::Step(Conditional::Unexpected(found)) => {
            print.add(13);
            print.add_marker(found.as_ref());
        }
        TableAnswer::Refused(why) => {
            print.add(14);
            print.add_bytes(why.as_bytes());
        }
    }
}

/// Carries the requests of one process.
pub trait Courier: Send + Sync {
    /// Returns with the answer.
    ///
    /// # Errors
    /// Whatever has befallen the call.
    fn ask(&self, request: &Request) -> Result<Answer, CallFailure>;
}
