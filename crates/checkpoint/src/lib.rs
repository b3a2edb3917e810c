//! Carries out what the protocol decides: takes a job over, writes the parts of a checkpoint, commits it,
//! brings its output into the targets, and finds the newest one again.
//!
//! Three services work beside the tasks, each a machine with a mailbox:
//!
//! ```text
//!   tasks ──snapshots──▶ SnapshotWriter ──acknowledgements──▶ CoordinatorService ──commands──▶ Committer
//!     ▲                        └──────output parts──────────────────────────────────▲ │
//!     └───────────────────────────barriers──────────────┘ ◀──────committed, applied───┘
//! ```
//!
//! Blocking calls (encoding, fsync, database commits) are made by the writer and the committer
//! only. This crate knows nothing of graphs, operators or exchanges; to it, state is bytes.
#![deny(missing_docs)]

pub mod object;
pub mod retry;
pub mod store;

mod object_log;
mod shown;

pub mod leadership;
mod staged;
pub mod targets;

pub mod backlog;
pub mod limits;
pub mod mailbox;
pub mod snapshot;

pub mod activity;
pub mod committer;
pub mod coordinator;
pub mod history;
pub mod record_count;
pub mod recovery;
pub mod writer;

#[cfg(test)]
mod heard;

pub use object_log::ObjectLog;
