//! Taking over a job: claim a generation, find the newest intact checkpoint, finish its output.
//!
//! When this returns, no earlier process can commit any more, and the targets show exactly what
//! the checkpoint says.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadfast_core::id::{CheckpointId, Generation};
use steadfast_core::sink::DeliveryGuarantee;
use steadfast_core::store::{Put, Store};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};
use steadfast_protocol::log::{self, LogView};
use steadfast_protocol::manifest::{Claim, Consistency, LogEntry, Manifest, ObjectRef};
use steadfast_protocol::names;
use steadfast_protocol::recovery::{self, SinkRecovery, Start, TargetView};
use steadfast_protocol::retention::Retained;

use crate::committer::{Targets, apply_recovered, fetch};

/// Who takes over, and how.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The job's name.
    pub job: String,
    /// Who: host, process, and something that no other process has.
    pub holder: String,
    /// The time of day.
    pub at: Timestamp,
    /// Whether to forget everything and start from scratch.
    pub reset: bool,
    /// How often an event may show up in the result.
    pub consistency: Consistency,
    /// How many checkpoints to keep.
    pub retain: usize,
}

/// So many bytes of state, read to see whether they are intact, are kept for the tasks to load; what
/// is beyond that they read again.
const KEEP_BYTES: usize = 512 * 1024 * 1024;

/// The contents of objects, by name.
pub type Contents = BTreeMap<String, Arc<Vec<u8>>>;

/// A job that has been taken over.
#[derive(Debug)]
pub struct Opened {
    /// The generation of this process.
    pub generation: Generation,
    /// The checkpoint to begin at.
    pub restored: Option<Manifest>,
    /// Newer checkpoints that are damaged, with what is wrong.
    pub skipped: Vec<(CheckpointId, String)>,
    /// The checkpoints that are kept.
    pub retained: Retained,
    /// State files of the checkpoint to begin at that have been read already.
    pub contents: Contents,
}

impl Opening {
    /// Takes over.
    ///
    /// # Errors
    /// `Damaged` if no checkpoint is intact or a target lost what it had; `Configuration` if store and
    /// targets do not belong together; `Unavailable` if one of them does not answer.
    pub fn open(&self, store: &Arc<dyn Store>, targets: &mut Targets) -> Result<Opened> {
        let (generation, view) = self.claim(&**store)?;
        let mut contents = Contents::new();
        let start = recovery::decide(&view, |manifest| {
            contents = check(&**store, manifest, KEEP_BYTES)?;
            Ok(())
        })?;
        let mut retained = Retained::new(self.retain);
        let mut unreferenced = Vec::new();
        let checkpoints: Vec<_> =
            view.live_checkpoints().filter_map(|(_, checkpoint)| checkpoint.ok()).collect();
        for manifest in checkpoints.into_iter().rev() {
            unreferenced.extend(retained.add(manifest));
        }
        let (mut restored, skipped) = match &start {
            Start::Fresh { .. } => (None, Vec::new()),
            Start::From { manifest, skipped } => (Some((**manifest).clone()), skipped.clone()),
        };
        for (sink, target) in targets.iter_mut() {
            let applied = target.applied()?;
            let guarantee = target.guarantee();
            if let Some(applied) = applied.filter(|applied| !self.reset && applied.0 > generation.0)
            {
                return Err(foreign_marker(sink, applied, generation));
            }
            let view = TargetView { sink, applied, guarantee };
            match recovery::catch_up(&start, view, self.consistency)? {
                SinkRecovery::Nothing => {}
                SinkRecovery::Reset => target.reset()?,
                SinkRecovery::Apply(permit) => {
                    let chunks = restored.as_ref().and_then(|m| m.outputs.get(sink));
                    let chunks: &[ObjectRef] = chunks.map_or(&[], |output| &output.chunks);
                    apply_recovered(&**store, &permit, &mut **target, chunks)?;
                }
            }
            if let Some(output) = restored.as_mut().and_then(|m| m.outputs.get_mut(sink)) {
                // From here on the output of the checkpoint is done with; what counts is the marker.
                output.chunks.clear();
                if guarantee != DeliveryGuarantee::AtLeastOnce {
                    output.before = target.applied()?;
                }
            }
        }
        let data = store.list(names::DATA)?;
        unreferenced.extend(retained.orphans(&data, generation).cloned());
        for name in unreferenced {
            store.delete(&name)?;
        }
        Ok(Opened { generation, restored, skipped, retained, contents })
    }

    /// Appends a claim to the log. Returns the log as it was before.
    fn claim(&self, store: &dyn Store) -> Result<(Generation, LogView)> {
        let (job, holder) = (self.job.clone(), self.holder.clone());
        let claim = Claim { job, holder, at: self.at, reset: self.reset };
        let bytes = LogEntry::Claim(claim.clone()).encode()?;
        loop {
            let view = read_log(store)?;
            let number = view.next_number();
            let name = names::log_entry(number);
            let put = store.put_if_absent(&name, &bytes)?;
            let found = match put {
                Put::Created => None,
                Put::AlreadyExists => store.get(&name)?,
            };
            if log::was_appended(put, &bytes, found.as_deref()) {
                let view = if self.reset { read_log(store)? } else { view };
                return Ok((Generation(number), view));
            }
        }
    }
}

fn foreign_marker(sink: &str, applied: CheckpointId, generation: Generation) -> Error {
    let what = format!(
        "the target holds output up to checkpoint {applied}, but the store has only come to {generation}"
    );
    Error::configuration(what).at(format!("sink '{sink}'")).hint(
        "give the --checkpoints that belong to it, or start from scratch with an empty target",
    )
}

/// Reads the whole log.
///
/// # Errors
/// `Unavailable` if the store does not answer. Damaged entries are part of the answer.
pub fn read_log(store: &dyn Store) -> Result<LogView> {
    let mut entries = Vec::new();
    for name in store.list(names::LOG)? {
        let Some(number) = names::log_number(&name) else { continue };
        // An entry may be deleted between the two calls; what is gone was not the newest.
        let Some(bytes) = store.get(&name)? else { continue };
        entries.push((number, LogEntry::decode(&bytes).map_err(|e| e.at(name))));
    }
    Ok(LogView::new(entries))
}

/// Reads every object of a checkpoint and checks it against the manifest. Keeps `room` bytes of state.
fn check(store: &dyn Store, manifest: &Manifest, mut room: usize) -> Result<Contents> {
    let mut kept = Contents::new();
    for object in manifest.outputs.values().flat_map(|output| &output.chunks) {
        fetch(store, object)?;
    }
    for file in manifest.state.values().flatten() {
        let bytes = fetch(store, &file.object)?;
        if let Some(left) = room.checked_sub(bytes.len()) {
            room = left;
            kept.insert(file.object.name.clone(), Arc::new(bytes));
        }
    }
    Ok(kept)
}

/// Reads every object of a checkpoint and checks it against the manifest.
///
/// # Errors
/// `Damaged` with the first object that is missing or differs.
pub fn verify(store: &dyn Store, manifest: &Manifest) -> Result<()> {
    check(store, manifest, 0).map(drop)
}
