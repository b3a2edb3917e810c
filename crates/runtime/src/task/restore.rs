//! Loading a task's share of the restored state: one file in each step, so that a large state does
//! not look like a stuck worker, and a crash in between is nothing special.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use steadfast_checkpoint::committer::fetch;
use steadfast_core::operator::Operator;
use steadfast_core::{Error, Result};
use steadfast_protocol::manifest::ObjectRef;

use crate::context::TaskContext;

/// The files that are still to be loaded.
pub(super) struct Restore {
    files: VecDeque<StateFile>,
    /// For how long files have been loaded.
    took: Duration,
}

struct StateFile {
    table: String,
    object: ObjectRef,
    /// Its bytes, if they are in memory already.
    bytes: Option<Arc<Vec<u8>>>,
}

impl Restore {
    /// The files of the checkpoint that hold state of `operator` in this task's key groups.
    pub(super) fn plan<T, O: Operator<T>>(context: &TaskContext, operator: &mut O) -> Self {
        let mut files = VecDeque::new();
        let groups = context.job.space.groups_of(context.index);
        let mut known = context.job.tables.lock().unwrap_or_else(PoisonError::into_inner);
        operator.tables(&mut |table| {
            known.insert(table.name().to_string());
        });
        if let Some(manifest) = &context.job.restored {
            let contents = context.job.contents.lock().unwrap_or_else(PoisonError::into_inner);
            operator.tables(&mut |table| {
                let stored = manifest.state.get(table.name()).into_iter().flatten();
                let ours = stored.filter(|file| file.groups.overlaps(groups));
                files.extend(ours.map(|file| StateFile {
                    table: table.name().to_string(),
                    object: file.object.clone(),
                    bytes: contents.get(&file.object.name).cloned(),
                }));
            });
        }
        Restore { files, took: Duration::ZERO }
    }

    /// Loads one file. False if there was none left.
    pub(super) fn step<T, O: Operator<T>>(
        &mut self,
        context: &TaskContext,
        operator: &mut O,
    ) -> Result<bool> {
        let Some(StateFile { table: name, object, bytes }) = self.files.pop_front() else {
            return Ok(false);
        };
        let began = context.job.clock.monotonic();
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => Arc::new(fetch(&*context.job.store, &object)?),
        };
        let mut loaded = Ok(());
        operator.tables(&mut |table| {
            if table.name() == name && loaded.is_ok() {
                loaded = table.load(&bytes);
            }
        });
        let place = |error: Error| error.at(format!("state {name}, object {}", object.name));
        loaded.map_err(place)?;
        self.took += context.job.clock.monotonic().saturating_sub(began);
        context.job.metrics.loading_ns.fetch_max(self.took.as_nanos() as u64, Ordering::Relaxed);
        Ok(true)
    }
}
