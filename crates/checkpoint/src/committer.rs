//! The committer: appends cuts to the log and brings their output into the targets.
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
use crate::snapshot::{Part, ToCommitter, ToCoordination};

/// The targets of a job, by sink.
pub type Targets = BTreeMap<String, Box<dyn Target>>;

/// See the module.
pub struct Committer {
    store: Arc<dyn Store>,
    targets: Targets,
    inbox: Mailbox<ToCommitter>,
    coordination: Mailbox<ToCoordination>,
    waiting: BTreeMap<CheckpointId, Outputs>,
    faults: Faults,
}

/// The output of a cut: by sink, then by task, so that the order is always the same.
type Outputs = BTreeMap<String, BTreeMap<TaskId, Vec<Part>>>;

impl Committer {
    /// A committer for one epoch of a job.
    pub fn new(
        store: Arc<dyn Store>,
        targets: Targets,
        inbox: Mailbox<ToCommitter>,
        coordination: Mailbox<ToCoordination>,
        faults: Faults,
    ) -> Self {
        Committer { store, targets, inbox, coordination, waiting: BTreeMap::new(), faults }
    }

    fn commit(&mut self, manifest: Manifest) -> Result<()> {
        let name = names::log_entry(manifest.checkpoint.0);
        let entry = LogEntry::Cut(Box::new(manifest));
        let bytes = entry.encode()?;
        let mut put = self.store.put_if_absent(&name, &bytes)?;
        if self.faults.has(Fault::EpochCheckSkipped) {
            put = Put::Created;
        }
        let found = match put {
            Put::Created => None,
            Put::AlreadyExists => self.store.get(&name)?,
        };
        let LogEntry::Cut(manifest) = entry else { return Ok(()) };
        let committed = log::confirm(&manifest, put, &bytes, found.as_deref())?;
        self.coordination.send(ToCoordination::Committed(committed));
        Ok(())
    }

    fn apply(&mut self, permit: Permit) -> Result<()> {
        let checkpoint = permit.checkpoint();
        for (sink, by_task) in self.waiting.remove(&checkpoint).unwrap_or_default() {
            let target = self.targets.get_mut(&sink).ok_or_else(|| no_target(&sink))?;
            let parts = by_task.into_values().flatten();
            let parts = parts.map(|part| match part.bytes {
                Some(bytes) => Ok(bytes),
                None => fetch(&*self.store, &part.object),
            });
            let parts = parts.collect::<Result<Vec<_>>>()?;
            target.apply(checkpoint, &parts).map_err(|e| e.at(format!("sink '{sink}'")))?;
        }
        self.coordination.send(ToCoordination::Applied(checkpoint));
        Ok(())
    }
}

fn no_target(sink: &str) -> Error {
    Error::internal(format!("there is output for '{sink}', which is no sink of this job"))
}

/// Applies the output of a recovered cut from the store.
pub(crate) fn apply_recovered(
    store: &dyn Store,
    permit: &Permit,
    target: &mut dyn Target,
    parts: &[ObjectRef],
) -> Result<()> {
    let parts = parts.iter().map(|part| fetch(store, part)).collect::<Result<Vec<_>>>()?;
    target.apply(permit.checkpoint(), &parts)
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
            Some(ToCommitter::Parts { checkpoint, task, parts }) => {
                let outputs = self.waiting.entry(checkpoint).or_default();
                for (sink, part) in parts {
                    let by_task = outputs.entry(sink).or_default();
                    by_task.entry(task.clone()).or_default().push(part);
                }
            }
        }
        Ok(Progress::Worked)
    }
}
