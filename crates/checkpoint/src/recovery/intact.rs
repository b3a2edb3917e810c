//! Finds the newest intact checkpoint, and reads what it consists of.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadfast_core::log::CommitLog;
use steadfast_core::store::Store;
use steadfast_core::{Error, Result};
use steadfast_protocol::entry::{Claim, LogEntry};
use steadfast_protocol::manifest::{Manifest, ObjectRef};
use steadfast_protocol::restore::{RestoreOutcome, RestorePoint, RestoreSearch, RestoreStep};

use super::Recovery;
use crate::leadership::Leadership;
use crate::object::fetch;

/// So many bytes of state, read to see whether they are intact, are kept for the tasks to load; what
/// is beyond that they read again.
const KEEP_BYTES: usize = 512 * 1024 * 1024;

/// The contents of objects, by name.
pub type Contents = BTreeMap<String, Arc<Vec<u8>>>;

impl Recovery<'_> {
    /// Finds the newest intact checkpoint.
    pub(super) fn decide(
        &self,
        leadership: &Leadership,
        store: &dyn Store,
    ) -> Result<(RestorePoint, Contents)> {
        let mut contents = Contents::new();
        let point = search(leadership.claim(), leadership.log(), |manifest| {
            if store.get(&self.layout.dropped(manifest.checkpoint))?.is_some() {
                return Err(Error::damaged("it was deleted by hand"));
            }
            contents = check(store, manifest, KEEP_BYTES)?;
            Ok(())
        })?;
        Ok((point, contents))
    }
}

/// Runs the search for a checkpoint to begin at.
pub(super) fn search(
    claim: &Claim,
    log: &dyn CommitLog,
    mut verify: impl FnMut(&Manifest) -> Result<()>,
) -> Result<RestorePoint> {
    let mut search = RestoreSearch::new(claim.origin, claim.newest, log.look()?.first);
    loop {
        match search.step()? {
            RestoreStep::Read(index) => {
                let entry = log.read(index)?.map(|bytes| LogEntry::decode(&bytes));
                search.found(entry)?;
            }
            RestoreStep::Verify(manifest) => {
                let intact = verify(manifest);
                if let RestoreOutcome::Decided(point) = search.verified(intact)? {
                    return Ok(point);
                }
            }
            RestoreStep::Decided(point) => return Ok(point),
        }
    }
}

/// Reads every object of a checkpoint and checks it against the manifest. Keeps `room` bytes of state.
fn check(store: &dyn Store, manifest: &Manifest, mut room: usize) -> Result<Contents> {
    let mut kept = Contents::new();
    let fetch = |object: &ObjectRef| fetch(store, object);
    for object in manifest.outputs.values().flat_map(|output| &output.chunks) {
        fetch(object)?;
    }
    for file in manifest.state.values().flatten() {
        let bytes = fetch(&file.object)?;
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
