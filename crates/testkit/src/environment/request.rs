//! What a process may ask of the environment, what it is answered, and who carries both.

use std::sync::Arc;

use steadfast_core::store::Put;
use steadfast_core::target::{Conditional, Marker};

use super::Fingerprint;
use crate::baton::{Call, CallFailure, CallKind};

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

/// A row that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A row more.
    Append(Arc<str>),
    /// The row of a key.
    Upsert(Arc<str>, Arc<str>),
}

/// Rows that are written in one step.
pub type Change = Arc<[Row]>;

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
    /// Read a table's marker.
    Look { table: Arc<str> },
    /// Change a table's marker, and nothing else, if it is the expected one.
    Acquire { table: Arc<str>, expected: Option<Marker>, marker: Marker },
    /// Write rows and the marker, if the marker is the expected one.
    Apply { table: Arc<str>, expected: Option<Marker>, marker: Marker, change: Change },
    /// Empty a table and change its marker, if it is the expected one.
    Reset { table: Arc<str>, expected: Option<Marker>, marker: Marker },
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
            Request::Look { table } => (CallKind::TargetLook, table.to_string()),
            Request::Acquire { table, expected, marker } => {
                (CallKind::TargetAcquire, conditional(table, expected.as_ref(), marker))
            }
            Request::Apply { table, expected, marker, .. } => {
                (CallKind::TargetApply, conditional(table, expected.as_ref(), marker))
            }
            Request::Reset { table, expected, marker } => {
                (CallKind::TargetReset, conditional(table, expected.as_ref(), marker))
            }
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
            Request::Look { .. } => CallKind::TargetLook,
            Request::Acquire { .. } => CallKind::TargetAcquire,
            Request::Apply { .. } => CallKind::TargetApply,
            Request::Reset { .. } => CallKind::TargetReset,
        }
    }

    /// Equal for requests that ask the same.
    pub fn print(&self) -> Fingerprint {
        let mut print = Fingerprint::default();
        print.add_bytes(self.call().to_string().as_bytes());
        match self {
            Request::Put { object, .. } => print.add_print(object.print),
            Request::Apply { change, .. } => {
                change.iter().for_each(|row| print.add_bytes(format!("{row:?}").as_bytes()));
            }
            Request::List { page, .. } => print.add(*page as u64),
            _ => {}
        }
        print
    }
}

/// What a conditional step changes, for people; no two steps that differ look the same.
fn conditional(table: &str, expected: Option<&Marker>, marker: &Marker) -> String {
    let short = |marker: &Marker| {
        let Marker { lineage, claim, checkpoint } = marker;
        format!("{checkpoint}/{}-{:x}/{:x}", claim.generation, claim.nonce, lineage.0)
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
    /// To a look: none if nobody has ever written.
    Marker(Option<Marker>),
    /// To a conditional step.
    Conditional(Conditional<()>),
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
            Answer::Marker(marker) => {
                print.add(6);
                print.add_marker(marker.as_ref());
            }
            Answer::Done => print.add(7),
            Answer::Conditional(Conditional::Done(())) => print.add(8),
            Answer::Conditional(Conditional::Unexpected(found)) => {
                print.add(9);
                print.add_marker(found.as_ref());
            }
        }
        print
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

/// A contract broken by a courier: an answer to another question.
pub(super) fn unexpected(answer: &Answer) -> steadfast_core::Error {
    steadfast_core::Error::internal(format!("the courier brought {answer:?}"))
}

/// What a process is told of a call that failed.
pub(super) fn failed(failure: CallFailure, whom: &str) -> steadfast_core::Error {
    steadfast_core::Error::unavailable(match failure {
        CallFailure::Refused => format!("{whom} did not answer"),
        CallFailure::AnswerLost => format!("the answer of {whom} was lost"),
        CallFailure::Dead => "the process is dead".to_string(),
    })
}
