//! What every implementation of a contract must pass, to be called from the tests of whoever writes
//! a source, a format, a store, a disk, a commit log or a target of their own.
//!
//! | contract | call | what it is given |
//! |---|---|---|
//! | [`Source`](steadfast_core::source::Source) | [`source()`] | an input with an end, and its records |
//! | [`Decoder`](steadfast_core::format::Decoder) | [`decoder()`] | payloads |
//! | [`Encoder`](steadfast_core::format::Encoder) | [`encoder()`], and [`format()`](fn@format) for both | records |
//! | [`Store`](steadfast_core::store::Store) | [`store()`] | fresh stores with several handles each |
//! | [`Disk`](steadfast_core::disk::Disk) | [`disk()`] | a disk with an empty folder on it |
//! | [`CommitLog`](steadfast_core::log::CommitLog) | [`commit_log()`] | empty logs with several handles each |
//! | [`Target`](steadfast_core::target::Target) | [`target()`] | fresh outside systems, and a reader that is not the target |
//!
//! Each call runs all checks of one contract. Every check begins on a fresh system, because the
//! function that it is given makes one each time. The first broken rule panics with its name:
//!
//! ```text
//! conformance: a put never changes an object that is there: expected [111, 110, 101], found [116, 119, 111]
//! ```
//!
//! # Example
//!
//! A store in memory, of which every call of the inner closure gives another handle:
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! use steadfast_core::Result;
//! use steadfast_core::store::{Put, Store};
//!
//! struct MemoryStore(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);
//!
//! impl Store for MemoryStore {
//!     fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
//!         let mut objects = self.0.lock().unwrap();
//!         if objects.contains_key(name) {
//!             return Ok(Put::AlreadyExists);
//!         }
//!         objects.insert(name.to_owned(), bytes.to_vec());
//!         Ok(Put::Created)
//!     }
//!     fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
//!         Ok(self.0.lock().unwrap().get(name).cloned())
//!     }
//!     fn list(&self, prefix: &str) -> Result<Vec<String>> {
//!         let objects = self.0.lock().unwrap();
//!         Ok(objects.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
//!     }
//!     fn delete(&self, name: &str) -> Result<()> {
//!         self.0.lock().unwrap().remove(name);
//!         Ok(())
//!     }
//!     fn describe(&self) -> String {
//!         "memory".to_owned()
//!     }
//! }
//!
//! steadfast_conformance::store(|| {
//!     let objects = Arc::default();
//!     move || Box::new(MemoryStore(Arc::clone(&objects))) as Box<dyn Store>
//! });
//! ```
//!
//! # What it knows nothing about
//!
//! How a system is built, reached or cleaned up: fixtures know that. It reads no clock, never waits
//! for a length of time and injects no faults; `Unavailable` from a system that works is a failure,
//! except where two handles race for one target.
#![deny(missing_docs)]

mod rule;

mod commit_log;
mod disk;
mod format;
mod source;
mod store;
mod target;

pub use commit_log::{CommitLogFixture, commit_log};
pub use disk::{DiskFixture, disk};
pub use format::{decoder, encoder, format};
pub use source::{SourceFixture, source};
pub use store::{StoreFixture, store};
pub use target::{TargetFixture, target};
