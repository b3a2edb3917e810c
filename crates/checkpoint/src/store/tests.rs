//! What every store must do, run on each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use steadfast_core::store::{Put, Store};
use steadfast_core::{Error, Result};

use steadfast_conformance as conformance;

use super::{FileStore, MemoryStore, RetryPolicy, RetryingStore};

#[test]
fn memory() {
    conformance::store(|| {
        let store = Arc::new(MemoryStore::new());
        move || Box::new(Arc::clone(&store)) as Box<dyn Store>
    });
}

#[test]
fn file() {
    conformance::store(|| {
        let dir = tempfile::tempdir().unwrap();
        let writers = AtomicU32::new(0);
        move || {
            let writer = format!("w{}", writers.fetch_add(1, Ordering::Relaxed));
            Box::new(FileStore::new(dir.path().join("deep/down"), writer)) as Box<dyn Store>
        }
    });
}

/// Fails every call but the third, after having carried it out.
struct Flaky(MemoryStore, AtomicU32);

impl Flaky {
    fn answer<T>(&self, answer: Result<T>) -> Result<T> {
        let unlucky = self.1.fetch_add(1, Ordering::Relaxed) % 3 != 2;
        if unlucky { Err(Error::unavailable("no answer")) } else { answer }
    }
}

impl Store for Flaky {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        self.answer(self.0.put_if_absent(name, bytes))
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.answer(self.0.get(name))
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.answer(self.0.list(prefix))
    }
    fn delete(&self, name: &str) -> Result<()> {
        self.answer(self.0.delete(name))
    }
    fn describe(&self) -> String {
        "flaky".into()
    }
}

#[test]
fn patience_is_rewarded_and_ends() {
    let retry_policy =
        |attempts| RetryPolicy { attempts, pause: Duration::ZERO, wait: Arc::new(|_| ()) };
    let store = RetryingStore::new(Flaky(MemoryStore::new(), AtomicU32::new(0)), retry_policy(3));
    // The put took effect the first time, only its answer was lost: callers must expect this.
    assert_eq!(store.put_if_absent("a", b"1").unwrap(), Put::AlreadyExists);
    assert_eq!(store.get("a").unwrap().as_deref(), Some(&b"1"[..]));
    let store = RetryingStore::new(Flaky(MemoryStore::new(), AtomicU32::new(0)), retry_policy(2));
    assert!(store.get("a").is_err());
}
