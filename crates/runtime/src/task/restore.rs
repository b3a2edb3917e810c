//! Loading a task's share of the restored state: one file in each step, so that a large state does
//! not look like a stuck worker, and a crash in between is nothing special.

use std::collections::VecDeque;
use std::sync::PoisonError;

use steadfast_checkpoint::committer::fetch;
use steadfast_core::operator::Operator;
use steadfast_core::{Error, Result};
use steadfast_protocol::manifest::ObjectRef;

use crate::context::TaskContext;

/// The files that are still to be loaded, by table.
pub(super) struct Restore {
    files: VecDeque<(String, ObjectRef)>,
}

impl Restore {
    /// The files of the cut that hold state of `operator` in this task's key groups.
    pub(super) fn plan<T, O: Operator<T>>(context: &TaskContext, operator: &mut O) -> Self {
        let mut files = VecDeque::new();
        let groups = context.job.space.groups_of(context.index);
        let mut known = context.job.tables.lock().unwrap_or_else(PoisonError::into_inner);
        operator.tables(&mut |table| {
            known.insert(table.name().to_string());
        });
        if let Some(manifest) = &context.job.restored {
            operator.tables(&mut |table| {
                let stored = manifest.state.get(table.name()).into_iter().flatten();
                let ours = stored.filter(|file| file.groups.overlaps(groups));
                files.extend(ours.map(|file| (table.name().to_string(), file.object.clone())));
            });
        }
        Restore { files }
    }

    /// Loads one file. False if there was none left.
    pub(super) fn step<T, O: Operator<T>>(
        &mut self,
        context: &TaskContext,
        operator: &mut O,
    ) -> Result<bool> {
        let Some((name, object)) = self.files.pop_front() else { return Ok(false) };
        let bytes = fetch(&*context.job.store, &object)?;
        let mut loaded = Ok(());
        operator.tables(&mut |table| {
            if table.name() == name && loaded.is_ok() {
                loaded = table.load(&bytes);
            }
        });
        let place = |error: Error| error.at(format!("state {name}, object {}", object.name));
        loaded.map_err(place)?;
        Ok(true)
    }
}
