//! The snapshot writer: encodes what tasks handed over and makes it durable, beside the workers.
//!
//! There is one for each worker, so that writing keeps up where reading does. Each serves the tasks
//! of its own worker. It knows nothing of commits: what it has written counts for nothing until a
//! manifest names it.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadfast_core::id::{CheckpointId, Generation, TaskId};
use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::state::EncodedState;
use steadfast_core::store::{Put, Store};
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::coordinator::Acknowledgement;
use steadfast_protocol::manifest::{Consistency, ObjectRef, StateRef};
use steadfast_protocol::names;

use crate::backlog::Backlog;
use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::snapshot::{OutputChunk, TaskSnapshot, ToCommitter, ToCoordinator, ToWriter};

/// How a writer writes.
#[derive(Clone, Debug)]
pub struct WriterSettings {
    /// The claim of this process.
    pub generation: Generation,
    /// How often an event may show up in the result.
    pub consistency: Consistency,
    /// How much goes where.
    pub limits: Limits,
}

/// So many objects of a stranger may be in the way of one of ours.
const MOST_STRANGERS: usize = 100;

/// See the module.
pub struct SnapshotWriter {
    name: String,
    store: Arc<dyn Store>,
    settings: WriterSettings,
    inbox: Mailbox<ToWriter>,
    coordinator: Mailbox<ToCoordinator>,
    committer: Mailbox<ToCommitter>,
    backlog: Arc<Backlog>,
    /// Output that tasks handed over before the end of their epoch.
    early: BTreeMap<TaskId, Vec<(String, OutputChunk)>>,
    newest: CheckpointId,
    /// The number of its next object. Writers count in steps of how many they are, each from its
    /// own number on, so that no two objects of a generation have the same.
    sequence: u64,
    writers: u64,
    /// In which state files are put together: used over and over, because memory fresh from the
    /// system costs more than encoding.
    buffer: Vec<u8>,
}

impl SnapshotWriter {
    /// A writer for one generation of a job: number `index` of so many.
    pub fn new(
        (index, writers): (u16, u16),
        store: Arc<dyn Store>,
        settings: WriterSettings,
        inbox: Mailbox<ToWriter>,
        coordinator: Mailbox<ToCoordinator>,
        committer: Mailbox<ToCommitter>,
        backlog: Arc<Backlog>,
    ) -> Self {
        let (early, newest) = (BTreeMap::new(), CheckpointId(settings.generation.0));
        SnapshotWriter {
            name: format!("snapshot writer {index}"),
            store,
            settings,
            inbox,
            coordinator,
            committer,
            backlog,
            early,
            newest,
            sequence: u64::from(index),
            writers: u64::from(writers),
            buffer: Vec::new(),
        }
    }

    fn put(&mut self, checkpoint: CheckpointId, what: &str, bytes: &[u8]) -> Result<ObjectRef> {
        for _ in 0..MOST_STRANGERS {
            let name = names::data(checkpoint, self.settings.generation, self.sequence, what);
            self.sequence += self.writers;
            if self.store.put_if_absent(&name, bytes)? == Put::Created
                || self.is_ours(&name, bytes)?
            {
                let crc32c = crc32c::crc32c(bytes);
                return Ok(ObjectRef { name, bytes: bytes.len() as u64, crc32c });
            }
        }
        let what = format!("{MOST_STRANGERS} names of checkpoint {checkpoint} are taken by others");
        Err(Error::internal(what).at(self.store.describe()))
    }

    /// Whether an object that exists already is ours: the put was repeated because its first answer was
    /// lost. Otherwise somebody has written it who has the same generation: a process of the history that
    /// the store had before it was put back.
    fn is_ours(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let Some(found) = self.store.get(name)? else {
            // Only a later process deletes what no checkpoint refers to yet.
            let what = format!("object {name} was deleted by whoever has taken over");
            return Err(Error::because(Cause::JOB_TAKEN_OVER, what)
                .hint("one process at a time runs a job; stop one of them")
                .at(self.store.describe()));
        };
        Ok(found == bytes)
    }

    /// Output is part of the checkpoint only where it must be applied again after a crash; elsewhere it
    /// is written only if it is too much to keep.
    fn put_output(
        &mut self,
        checkpoint: CheckpointId,
        sink: &str,
        bytes: Vec<u8>,
    ) -> Result<OutputChunk> {
        let is_kept = bytes.len() <= self.settings.limits.kept_chunk_bytes;
        let is_spilled = self.settings.consistency != Consistency::ExactlyOnce && !is_kept;
        let object = match self.settings.consistency {
            Consistency::AtLeastOnce | Consistency::AtMostOnce if is_kept => {
                ObjectRef { name: String::new(), bytes: bytes.len() as u64, crc32c: 0 }
            }
            _ => self.put(checkpoint, &format!("{sink}.output"), &bytes)?,
        };
        self.backlog.staged(checkpoint, bytes.len());
        Ok(OutputChunk { object, is_spilled, bytes: is_kept.then_some(bytes) })
    }

    fn write(&mut self, snapshot: TaskSnapshot) -> Result<()> {
        let TaskSnapshot { task, checkpoint, tables, outputs, splits, counters, .. } = snapshot;
        let TaskSnapshot { watermark, align, sync, reading, .. } = snapshot;
        // What is told of the store meanwhile names them.
        let place = tracing::error_span!("snapshot", task = %task, checkpoint = checkpoint.0);
        let _place = place.entered();
        self.newest = self.newest.max(checkpoint);
        self.backlog.ended(checkpoint);
        let mut state = Vec::new();
        for (table, frozen) in tables {
            let place = |error: Error| error.at(format!("state {table} of task {task}"));
            let limits = self.settings.limits.state.clone();
            let mut buffer = std::mem::take(&mut self.buffer);
            let mut put = |file: EncodedState<'_>| {
                let object = self.put(checkpoint, &format!("{table}.state"), file.bytes)?;
                let EncodedState { groups, kind, entries, .. } = file;
                state.push((table.clone(), StateRef { object, groups, kind, entries }));
                Ok(())
            };
            frozen.encode(&limits, &mut buffer, &mut put).map_err(place)?;
            // A key group is never divided: one that is far larger than a file must not keep its room.
            buffer.clear();
            buffer.shrink_to(2 * limits.file_bytes);
            self.buffer = buffer;
        }
        drop(reading);
        let mut chunks = self.early.remove(&task).unwrap_or_default();
        for (sink, bytes) in outputs {
            let chunk = self.put_output(checkpoint, &sink, bytes)?;
            chunks.push((sink, chunk));
        }
        let written = chunks.iter().map(|(sink, _)| sink.clone()).collect();
        let is_durable = self.settings.consistency == Consistency::ExactlyOnce;
        let refs = chunks.iter().filter(|_| is_durable);
        let outputs = refs.map(|(sink, chunk)| (sink.clone(), chunk.object.clone())).collect();
        if !chunks.is_empty() {
            self.committer.send(ToCommitter::Chunks { checkpoint, task: task.clone(), chunks });
        }
        let acknowledgement = Acknowledgement {
            task,
            checkpoint,
            state,
            outputs,
            written,
            splits,
            watermark,
            counters,
            align,
            sync,
        };
        self.coordinator.send(ToCoordinator::Acknowledged(Box::new(acknowledgement)));
        Ok(())
    }
}

impl Machine for SnapshotWriter {
    fn name(&self) -> &str {
        &self.name
    }

    fn step(&mut self, _now: Now) -> Result<Progress> {
        match self.inbox.take() {
            None => return Ok(Progress::Idle(None)),
            Some(ToWriter::Snapshot(snapshot)) => self.write(*snapshot)?,
            Some(ToWriter::Output { task, sink, bytes, reservation }) => {
                let next = CheckpointId(self.newest.0 + 1);
                let chunk = self.put_output(next, &sink, bytes)?;
                drop(reservation);
                self.early.entry(task).or_default().push((sink, chunk));
            }
        }
        Ok(Progress::Worked)
    }
}

#[cfg(test)]
mod tests;
