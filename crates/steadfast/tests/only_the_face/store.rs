//! A store of one's own: a drawer that outlives the jobs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use steadfast::Result;
use steadfast::store::{Put, Store};

#[derive(Clone, Default)]
pub struct Drawer(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Drawer {
    pub fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

impl Store for Drawer {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let mut objects = self.0.lock().unwrap();
        if objects.contains_key(name) {
            return Ok(Put::AlreadyExists);
        }
        objects.insert(name.to_string(), bytes.to_vec());
        Ok(Put::Created)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.names().into_iter().filter(|name| name.starts_with(prefix)).collect())
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }

    fn describe(&self) -> String {
        "a drawer".to_string()
    }
}
