//! What every store must do, run on each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use steadfast_core::store::Store;

use steadfast_conformance as conformance;

use super::{FileStore, MemoryStore};

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
