//! A checkpoint store behind a courier. A list is a scan of pages, between which others may come.

use std::sync::Arc;

use steadfast_core::store::{Put, Store};
use steadfast_core::{Error, Result};

use super::{Answer, Courier, Object, Request};
use crate::baton::{CallFailure, CallKind};

/// See the module.
pub struct CourierStore {
    /// Who carries its requests.
    pub courier: Arc<dyn Courier>,
    /// How many names a page of a list has.
    pub page: usize,
    /// Tells the kind of a put from the object's name and bytes.
    pub kind_of_put: fn(&str, &[u8]) -> CallKind,
}

impl CourierStore {
    fn ask(&self, request: &Request) -> Result<Answer> {
        self.courier.ask(request).map_err(failed)
    }
}

impl Store for CourierStore {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let (kind, object) = ((self.kind_of_put)(name, bytes), Object::new(bytes));
        match self.ask(&Request::Put { kind, name: name.into(), object })? {
            Answer::Put(put) => Ok(put),
            other => Err(unexpected(&other)),
        }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self.ask(&Request::Get { name: name.into() })? {
            Answer::Get(object) => Ok(object.map(|object| object.bytes.to_vec())),
            other => Err(unexpected(&other)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let (prefix, page, mut after): (Arc<str>, _, _) = (prefix.into(), self.page.max(1), None);
        let mut all = Vec::new();
        loop {
            let names = match self.ask(&Request::List { prefix: prefix.clone(), after, page })? {
                Answer::Names(names) => names,
                other => return Err(unexpected(&other)),
            };
            all.extend(names.iter().map(ToString::to_string));
            if names.len() < page {
                return Ok(all);
            }
            after = names.last().cloned();
        }
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.ask(&Request::Delete { name: name.into() }).map(drop)
    }

    fn describe(&self) -> String {
        "simulated store".to_string()
    }
}

/// A contract broken by a courier: an answer to another question.
fn unexpected(answer: &Answer) -> Error {
    Error::internal(format!("the courier brought {answer:?}"))
}

fn failed(failure: CallFailure) -> Error {
    Error::unavailable(match failure {
        CallFailure::Refused => "the store did not answer",
        CallFailure::AnswerLost => "the store's answer was lost",
        CallFailure::Dead => "the process is gone",
    })
}
