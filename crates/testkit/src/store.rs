//! The store as one process of a simulation calls it: every verb is a call that can fail or lose
//! its answer, beside those that the file store behind it makes to its disk.

use std::sync::Arc;

use steadfast_core::store::{Put, Store};
use steadfast_core::{Error, Result};
use steadfast_protocol::entry::LogEntry;

use crate::baton::{Call, CallFailure, CallKind, Handle};
use crate::database::Database;
use crate::invariants::kept::{Kept, closing};
use crate::observer::Observer;
use crate::remembered::with_all_splits;

/// See the module.
pub struct CalledStore<S> {
    /// The store behind it.
    pub store: S,
    /// The process.
    pub handle: Handle,
    /// Its number.
    pub process: u16,
    /// Its nonce.
    pub nonce: u64,
    /// Who writes down what it claims and commits.
    pub observer: Observer,
    /// What shows whether a commit keeps what was promised.
    pub database: Database,
    /// What lies in the store, for whoever looks without calling.
    pub kept: Kept,
}

fn failed(failure: CallFailure) -> Error {
    Error::unavailable(match failure {
        CallFailure::Refused => "the store did not answer",
        CallFailure::AnswerLost => "the store's answer was lost",
        CallFailure::Dead => "the process is gone",
    })
}

impl<S: Store> CalledStore<S> {
    /// Whether the block of a log entry is closed.
    fn is_closed(&self, name: &str) -> Result<bool> {
        Ok(self.store.get(&closing(name))?.is_some())
    }

    /// Whoever looks at a checkpoint sees every position in it.
    fn with_all_splits(&self, entry: LogEntry) -> LogEntry {
        let place = (&self.kept.disk, self.kept.root);
        match (entry, self.database.files()) {
            (LogEntry::Checkpoint(manifest), Some(files)) => {
                LogEntry::Checkpoint(Box::new(with_all_splits(*manifest, "first", files, place)))
            }
            (entry, _) => entry,
        }
    }

    fn call<R>(
        &self,
        kind: CallKind,
        name: &str,
        effect: impl FnOnce(&S) -> Result<R>,
    ) -> Result<R> {
        let answer = self.handle.call(Call::new(kind, name), || effect(&self.store));
        answer.unwrap_or_else(|failure| Err(failed(failure)))
    }
}

impl<S: Store> Store for CalledStore<S> {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let entry = name.starts_with("log/").then(|| LogEntry::decode(bytes).ok()).flatten();
        // Entries of others are put again to make them durable.
        let entry = entry.filter(|entry| match entry {
            LogEntry::Claim(claim) => claim.id.nonce == self.nonce,
            LogEntry::Checkpoint(manifest) => manifest.claim.nonce == self.nonce,
        });
        let entry = entry.map(|entry| self.with_all_splits(entry));
        let kind = match &entry {
            Some(LogEntry::Claim(_)) => CallKind::StorePutClaim,
            Some(LogEntry::Checkpoint(_)) => CallKind::StorePutCheckpoint,
            None if name.starts_with("closed/") => CallKind::StorePutClosed,
            None => CallKind::StorePutData,
        };
        if name.starts_with("log/") {
            self.observer.seen().put_by.entry(name.to_string()).or_default().insert(self.process);
        }
        self.observer.attempts(self.process, entry.as_ref(), bytes);
        let is_claim = matches!(entry, Some(LogEntry::Claim(_)));
        let newest = is_claim.then(|| self.kept.newest_entry()).flatten();
        self.call(kind, name, |store| {
            let put = store.put_if_absent(name, bytes)?;
            if put == Put::AlreadyExists
                && entry.is_none()
                && store.get(name)?.is_some_and(|found| found != bytes)
                && let Some(own) = self.observer.seen().processes.get_mut(usize::from(self.process))
            {
                own.others.insert(name.to_string());
            }
            if name.ends_with(".output") && !bytes.is_empty() {
                self.observer.stages(self.process, name);
            }
            if let Some(entry) = &entry {
                let is_there = put == Put::Created || store.get(name)?.as_deref() == Some(bytes);
                // What lies in a closed block counts for nothing.
                let is_own = is_there && !self.is_closed(name)?;
                self.observer.appended(self.process, entry, is_own);
                if is_own {
                    self.observer.seen().entries.insert(name.to_string(), bytes.to_vec());
                }
                if is_own && put == Put::Created {
                    self.kept.appended(&self.observer, name, entry, newest.as_deref());
                }
                if let (LogEntry::Checkpoint(manifest), true) = (entry, is_own)
                    && self.kept.is_stray(manifest)
                {
                    let seen = &mut self.observer.seen();
                    if let Some(own) = seen.processes.get_mut(usize::from(self.process)) {
                        own.stray.get_or_insert(manifest.checkpoint.0);
                    }
                }
                if let (LogEntry::Checkpoint(manifest), true) = (entry, is_own) {
                    self.database.committed(manifest, self.process);
                }
            }
            Ok(put)
        })
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        if name.starts_with("log/")
            && let Some(own) = self.observer.seen().processes.get_mut(usize::from(self.process))
        {
            own.has_looked = true;
        }
        let found = self.call(CallKind::StoreGet, name, |store| store.get(name))?;
        if found.is_some() && name.ends_with(".output") {
            self.observer.reads_output(self.process, name);
        }
        Ok(found)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.call(CallKind::StoreList, prefix, |store| store.list(prefix))
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.call(CallKind::StoreDelete, name, |store| {
            self.kept.deletes(&self.observer, name, self.process);
            store.delete(name)
        })
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}

/// A store that says that a log entry was created although another was there: the deliberate fault
/// of a log that fences nobody.
pub struct UnfencedStore(pub Arc<dyn Store>);

impl Store for UnfencedStore {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let put = self.0.put_if_absent(name, bytes)?;
        Ok(if name.starts_with("log/") { Put::Created } else { put })
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.0.get(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.0.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<()> {
        self.0.delete(name)
    }
    fn describe(&self) -> String {
        self.0.describe()
    }
}
