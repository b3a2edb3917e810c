//! Forgets and deletes what crashed processes left behind and no kept checkpoint needs.

use steadfast_core::Result;
use steadfast_core::id::LogIndex;
use steadfast_core::store::Store;
use steadfast_protocol::entry::LogEntry;
use steadfast_protocol::manifest::Manifest;
use steadfast_protocol::names;
use steadfast_protocol::retention::Retained;

use crate::leadership::Leadership;

/// The manifests that are kept beside the restored one, which comes last.
pub(super) fn read_kept(
    leadership: &Leadership,
    restored: Option<&Manifest>,
) -> Result<Vec<Manifest>> {
    let Some(restored) = restored else { return Ok(Vec::new()) };
    let mut kept = Vec::new();
    for id in restored.retained.iter().filter(|id| **id < restored.checkpoint) {
        let Some(bytes) = leadership.log().read(LogIndex(id.0))? else { continue };
        if let Ok(LogEntry::Checkpoint(manifest)) = LogEntry::decode(&bytes) {
            kept.push(*manifest);
        }
    }
    kept.push(restored.clone());
    Ok(kept)
}

/// Deletes what crashed processes left behind, and what a reset has made worthless.
pub(super) fn collect(
    leadership: &Leadership,
    store: &dyn Store,
    retained: &Retained,
    kept: &[Manifest],
) -> Result<()> {
    let claim = leadership.claim();
    let oldest = kept.first().map_or(claim.origin.0, |manifest| manifest.checkpoint.0);
    leadership.forget_before(LogIndex(oldest))?;
    let data = store.list(names::DATA)?;
    retained.orphans(&data, claim.id.generation).try_for_each(|name| store.delete(name))
}
