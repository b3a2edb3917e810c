//! A store in memory: for tests, and for jobs that need not survive their process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use steadfast_core::Result;
use steadfast_core::store::{Put, Store};

/// Keeps objects in memory. Share it by `Arc` to outlive a run.
#[derive(Debug, Default)]
pub struct MemoryStore {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        // Every update is one call on the map, so a panic elsewhere cannot leave it half done.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let mut objects = self.objects();
        if objects.contains_key(name) {
            return Ok(Put::AlreadyExists);
        }
        objects.insert(name.to_string(), bytes.to_vec());
        Ok(Put::Created)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.objects().get(name).cloned())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let objects = self.objects();
        let from = objects.range(prefix.to_string()..);
        Ok(from
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(prefix))
            .cloned()
            .collect())
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.objects().remove(name);
        Ok(())
    }

    fn describe(&self) -> String {
        "memory".to_string()
    }
}
