//! Files that are known and not there: finished ones, and those that are being read.
//!
//! A file that has been opened can be read when it has no name any more. This module knows nothing of what becomes
//! of them.

use steadfast_core::disk::FileId;

use super::super::finished_file::{FinishedFile, path_hash};
use super::finding::ById;
use super::{Inner, State};

/// See the module.
pub(super) struct Absent {
    /// What was read of it, which was something.
    pub(super) read: FinishedFile,
    /// Whose reader has it open; none if it is finished.
    pub(super) reader: Option<FileId>,
}

impl Absent {
    /// All of which something was read.
    pub(super) fn all(inner: &Inner, present: &ById<'_>) -> Vec<Absent> {
        let finished = inner.gone.iter().map(|read| Absent { read: *read, reader: None });
        let being_read = inner.files.in_state(State::Reading);
        let being_read = being_read.filter(|(id, _)| !present.contains_key(id));
        let being_read = being_read.filter_map(|(id, known)| {
            let read = known.read.filter(|read| read.next > 0)?;
            let read = FinishedFile { path: path_hash(&known.path), ..read };
            Some(Absent { read, reader: Some(id) })
        });
        finished.chain(being_read).collect()
    }
}
