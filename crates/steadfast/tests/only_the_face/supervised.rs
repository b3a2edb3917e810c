//! What a program of one's own keeps of a job that runs: how to stop it, and how it is.

use std::sync::Arc;

use steadfast::{CheckpointId, JobHandle, JobStatus, Lateness, Running};

pub struct Supervised {
    handle: JobHandle,
    status: Arc<JobStatus>,
    lateness: Arc<Lateness>,
}

impl Supervised {
    pub fn of(running: &Running) -> Self {
        let (handle, status) = (running.handle(), running.status());
        Supervised { handle, status, lateness: running.lateness() }
    }

    /// How many records have been read.
    pub fn records(&self) -> u64 {
        self.status.metrics.records.read()
    }

    /// The newest checkpoint.
    pub fn latest(&self) -> Option<CheckpointId> {
        self.status.checkpoints().latest.map(|latest| latest.checkpoint)
    }

    pub fn checkpoint_and_stop(&self) {
        assert!(self.lateness.report().now.is_none(), "nothing is late");
        self.handle.checkpoint();
        self.handle.stop(None);
    }
}
