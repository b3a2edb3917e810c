//! Remembers, for targets that keep no marker, that the output of a checkpoint has been shown.
//!
//! As a rule the next checkpoint says so: it is committed after the output of the one before. The
//! last one has no next, and a terminal would print it again at each start. So an object is put once
//! all targets have taken its output. It is put after that, never before: whoever dies in between
//! leaves output that is shown again, which is what such a target promises. Its name holds the claim,
//! so that another checkpoint of the same number (in a store that was restored from an old copy) is
//! never taken for one that was shown. It knows nothing of targets.

use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::id::{CheckpointId, ClaimId};
use steadfast_core::store::Store;
use steadfast_protocol::manifest::{Manifest, StagedOutput};
use steadfast_protocol::names::LogLayout;

/// See the module.
pub(crate) struct Shown {
    store: Arc<dyn Store>,
    layout: LogLayout,
}

impl Shown {
    /// What is remembered in `store` of a log that lies in it like this.
    pub(crate) fn new(store: Arc<dyn Store>, layout: LogLayout) -> Self {
        Shown { store, layout }
    }

    /// Whether the output of this checkpoint is known to have been shown. Nothing is read where no
    /// target would have to show it again.
    pub(crate) fn contains(&self, manifest: &Manifest) -> Result<bool> {
        let repeats = manifest.outputs.values().any(StagedOutput::is_unmarked_output);
        let name = self.layout.shown(manifest.checkpoint, manifest.claim);
        Ok(repeats && self.store.get(&name)?.is_some())
    }

    /// Notes that all targets have taken the output of this checkpoint.
    pub(crate) fn note(&self, checkpoint: CheckpointId, by: ClaimId) -> Result<()> {
        self.store.put_if_absent(&self.layout.shown(checkpoint, by), b"").map(drop)
    }
}
