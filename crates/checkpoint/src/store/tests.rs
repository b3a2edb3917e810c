//! What every store must do, run on each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use steadfast_core::store::{Put, Store};
use steadfast_core::{Error, Result};

use super::{FileStore, MemoryStore, RetryPolicy, RetryingStore};

fn conforms(store: &dyn Store) {
    assert_eq!(store.get("log/1").unwrap(), None);
    assert!(store.list("log/").unwrap().is_empty());
    assert_eq!(store.put_if_absent("log/2", b"two").unwrap(), Put::Created);
    assert_eq!(store.put_if_absent("log/1", b"").unwrap(), Put::Created);
    assert_eq!(store.put_if_absent("data/x", b"x").unwrap(), Put::Created);
    assert_eq!(store.put_if_absent("log/2", b"other").unwrap(), Put::AlreadyExists);
    assert_eq!(store.get("log/2").unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(store.get("log/1").unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(store.list("log/").unwrap(), ["log/1", "log/2"]);
    store.delete("log/1").unwrap();
    store.delete("log/1").unwrap();
    assert_eq!(store.list("log/").unwrap(), ["log/2"]);
    assert_eq!(store.put_if_absent("log/1", b"again").unwrap(), Put::Created);
}

fn one_of_many_writers_wins(store: &dyn Store) {
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u8)
            .map(|n| scope.spawn(move || store.put_if_absent("race/1", &[n; 1000]).unwrap()))
            .collect();
        let won = writers.into_iter().map(|w| w.join().unwrap());
        assert_eq!(won.filter(|put| *put == Put::Created).count(), 1);
    });
    let bytes = store.get("race/1").unwrap().unwrap();
    assert!(bytes.len() == 1000 && bytes.iter().all(|b| *b == bytes[0]));
}

#[test]
fn memory() {
    conforms(&MemoryStore::new());
    one_of_many_writers_wins(&MemoryStore::new());
}

#[test]
fn file() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::new(dir.path().join("deep/down"), "w");
    conforms(&store);
    one_of_many_writers_wins(&store);
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
