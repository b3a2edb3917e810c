//! A store that asks again when the one behind it did not answer.
//!
//! Every verb may be repeated, so the only question is for how long. It sleeps on the thread of
//! the service that calls it, never on a worker.

use std::sync::Arc;
use std::time::Duration;

use steadfast_core::store::{Put, Store};
use steadfast_core::{ErrorKind, Result};

/// How long to go on asking.
#[derive(Clone)]
pub struct RetryPolicy {
    /// How often to ask before giving up.
    pub attempts: u32,
    /// The pause after the first failure; it doubles each time, up to five seconds.
    pub pause: Duration,
    /// Waits: the process sleeps, a simulation does not.
    pub wait: Arc<dyn Fn(Duration) + Send + Sync>,
}

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Repeats calls that came back `Unavailable`.
pub struct RetryingStore<S> {
    store: S,
    retry_policy: RetryPolicy,
}

impl<S: Store> RetryingStore<S> {
    /// Wraps `store`.
    pub fn new(store: S, retry_policy: RetryPolicy) -> Self {
        RetryingStore { store, retry_policy }
    }

    fn ask<T>(&self, call: impl Fn(&S) -> Result<T>) -> Result<T> {
        let mut pause = self.retry_policy.pause;
        for _ in 1..self.retry_policy.attempts {
            match call(&self.store) {
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    (self.retry_policy.wait)(pause)
                }
                answer => return answer,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        call(&self.store)
    }
}

impl<S: Store> Store for RetryingStore<S> {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        self.ask(|store| store.put_if_absent(name, bytes))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.ask(|store| store.get(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.ask(|store| store.list(prefix))
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.ask(|store| store.delete(name))
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}
