//! Loading a task's share of the restored state: one file in each step, so that a large state does
//! not look like a stuck worker, and a crash in between is nothing special.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steadfast_checkpoint::object::fetch;
use steadfast_core::operator::Operator;
use steadfast_core::store::Store;
use steadfast_core::{Error, Result};
use steadfast_protocol::manifest::ObjectRef;

use crate::context::{RestoreSource, TaskContext};

/// The files that are still to be loaded.
pub(super) struct Restore {
    store: Arc<dyn Store>,
    files: VecDeque<StateFile>,
    /// For how long files have been loaded.
    took: Duration,
    /// How many of them, and how many bytes.
    loaded: (u64, u64),
}

struct StateFile {
    table: String,
    object: ObjectRef,
    /// Its bytes, if they are in memory already.
    bytes: Option<Arc<Vec<u8>>>,
}

impl Restore {
    /// The files of the checkpoint that hold state of `operator` in the key groups of its tables.
    pub(super) fn plan<T, O: Operator<T>>(from: &RestoreSource, operator: &mut O) -> Self {
        let mut files = VecDeque::new();
        if let Some(manifest) = &from.manifest {
            operator.tables(&mut |table| {
                let stored = manifest.state.get(table.name()).into_iter().flatten();
                let ours = stored.filter(|file| file.groups.overlaps(table.owned_groups()));
                files.extend(ours.map(|file| StateFile {
                    table: table.name().to_string(),
                    object: file.object.clone(),
                    bytes: from.contents.get(&file.object.name).cloned(),
                }));
            });
        }
        Restore { store: Arc::clone(&from.store), files, took: Duration::ZERO, loaded: (0, 0) }
    }

    /// Loads one file. False if there was none left.
    pub(super) fn step<T, O: Operator<T>>(
        &mut self,
        context: &TaskContext,
        operator: &mut O,
    ) -> Result<bool> {
        let Some(StateFile { table: name, object, bytes }) = self.files.pop_front() else {
            self.tell(context);
            return Ok(false);
        };
        let began = context.services.clock.monotonic();
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => Arc::new(fetch(&*self.store, &object)?),
        };
        let mut loaded = Ok(());
        operator.tables(&mut |table| {
            if table.name() == name && loaded.is_ok() {
                loaded = table.load(&bytes);
            }
        });
        let place = |error: Error| error.at(format!("state {name}, object {}", object.name));
        loaded.map_err(place)?;
        self.took += context.services.clock.monotonic().saturating_sub(began);
        let took = self.took.as_nanos() as u64;
        context.services.metrics.loading_ns.fetch_max(took, Ordering::Relaxed);
        let (files, all) = self.loaded;
        self.loaded = (files + 1, all + bytes.len() as u64);
        Ok(true)
    }

    /// Tells what was loaded, if there was anything.
    fn tell(&self, context: &TaskContext) {
        let (files, bytes) = self.loaded;
        if files > 0 {
            let load_us = self.took.as_micros() as u64;
            let task = &context.id;
            tracing::info!(name: "state_loaded", task = %task, files, bytes, load_us, "state is loaded");
        }
    }
}
