//! The committer: appends checkpoints to the log and brings their output into the targets.
//!
//! It is the only place from which a target can be reached, and it asks for a [`Permit`] each time.
//! Calls block; they are made in the order in which the coordinator asked for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadfast_core::fault::{Fault, Faults};
use steadfast_core::id::{CheckpointId, TaskId};
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::sink::Target;
use steadfast_core::store::{Put, Store};
use steadfast_core::{Error, Result};
use steadfast_protocol::log::{self, Permit};
use steadfast_protocol::manifest::{LogEntry, Manifest, ObjectRef};
use steadfast_protocol::names;

use crate::mailbox::Mailbox;
use crate::snapshot::{OutputChunk, ToCommitter, ToCoordinator};

/// The targets of a job, by sink.
pub type Targets = BTreeMap<String, Box<dyn Target>>;

/// See the module.
pub struct Committer {
    store: Arc<dyn Store>,
    targets: Targets,
    inbox: Mailbox<ToCommitter>,
    coordinator: Mailbox<ToCoordinator>,
    waiting: BTreeMap<CheckpointId, Outputs>,
    faults: Faults,
}

/// The output of a checkpoint: by sink, then by task, so that the order is always the same.
type Outputs = BTreeMap<String, BTreeMap<TaskId, Vec<OutputChunk>>>;

impl Committer {
    /// A committer for one generation of a job.
    pub fn new(
        store: Arc<dyn Store>,
        targets: Targets,
        inbox: Mailbox<ToCommitter>,
        coordinator: Mailbox<ToCoordinator>,
        faults: Faults,
    ) -> Self {
        Committer { store, targets, inbox, coordinator, waiting: BTreeMap::new(), faults }
    }

    fn commit(&mut self, manifest: Manifest) -> Result<()> {
        let name = names::log_entry(manifest.checkpoint.0);
        let entry = LogEntry::Checkpoint(Box::new(manifest));
        let bytes = entry.encode()?;
        let mut put = self.store.put_if_absent(&name, &bytes)?;
        if self.faults.has(Fault::FencingSkipped) {
            put = Put::Created;
        }
        let found = match put {
            Put::Created => None,
            Put::AlreadyExists => self.store.get(&name)?,
        };
        let LogEntry::Checkpoint(manifest) = entry else { return Ok(()) };
        let committed = log::confirm(&manifest, put, &bytes, found.as_deref())?;
        self.coordinator.send(ToCoordinator::Committed(committed));
        Ok(())
    }

    fn apply(&mut self, permit: Permit) -> Result<()> {
        let checkpoint = permit.checkpoint();
        for (sink, by_task) in self.waiting.remove(&checkpoint).unwrap_or_default() {
            let target = self.targets.get_mut(&sink).ok_or_else(|| no_target(&sink))?;
            let chunks = by_task.into_values().flatten();
            let chunks = chunks.map(|chunk| match chunk.bytes {
                Some(bytes) => Ok(bytes),
                None => fetch(&*self.store, &chunk.object),
            });
            let chunks = chunks.collect::<Result<Vec<_>>>()?;
            target.apply(checkpoint, &chunks).map_err(|e| e.at(format!("sink '{sink}'")))?;
        }
        self.coordinator.send(ToCoordinator::Applied(checkpoint));
        Ok(())
    }
}

fn no_target(sink: &str) -> Error {
    Error::internal(format!("there is output for '{sink}', which is no sink of this job"))
}

/// Applies the output of a recovered checkpoint from the store.
pub(crate) fn apply_recovered(
    store: &dyn Store,
    permit: &Permit,
    target: &mut dyn Target,
    chunks: &[ObjectRef],
) -> Result<()> {
    let chunks = chunks.iter().map(|chunk| fetch(store, chunk)).collect::<Result<Vec<_>>>()?;
    target.apply(permit.checkpoint(), &chunks)
}

/// Reads an object and holds it against what the manifest says of it.
///
/// # Errors
/// `Damaged` if it is missing or differs; `Unavailable` if the store does not answer.
pub fn fetch(store: &dyn Store, object: &ObjectRef) -> Result<Vec<u8>> {
    let damaged =
        |what: &str| Error::damaged(format!("object {} {what}", object.name)).at(store.describe());
    let bytes = store.get(&object.name)?.ok_or_else(|| damaged("is missing"))?;
    if bytes.len() as u64 != object.bytes {
        return Err(damaged(&format!("has {} bytes instead of {}", bytes.len(), object.bytes)));
    }
    if crc32c::crc32c(&bytes) != object.crc32c {
        return Err(damaged("fails its checksum"));
    }
    Ok(bytes)
}

impl Machine for Committer {
    fn name(&self) -> &str {
        "committer"
    }

    fn step(&mut self, _now: Now) -> Result<Progress> {
        match self.inbox.take() {
            None => return Ok(Progress::Idle(None)),
            Some(ToCommitter::Commit(manifest)) => self.commit(*manifest)?,
            Some(ToCommitter::Apply(permit)) => self.apply(permit)?,
            Some(ToCommitter::Discard(names)) => {
                for name in names {
                    self.store.delete(&name)?;
                }
            }
            Some(ToCommitter::Chunks { checkpoint, task, chunks }) => {
                let outputs = self.waiting.entry(checkpoint).or_default();
                for (sink, chunk) in chunks {
                    let by_task = outputs.entry(sink).or_default();
                    by_task.entry(task.clone()).or_default().push(chunk);
                }
            }
        }
        Ok(Progress::Worked)
    }
}
