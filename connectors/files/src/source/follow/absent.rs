//! Files that are known and not there: finished ones, and those that are being read.
//!
//! A file that has been opened can be read when it has no name any more. This module knows nothing of what becomes
//! of them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use steadfast_core::disk::FileId;

use super::super::finished_file::{FinishedFile, path_hash};
use super::finding::ById;
use super::{Inner, Known, Rotation, State};

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
        let being_read = inner.files.iter().filter(|(id, known)| is_absent(**id, known, present));
        let being_read = being_read.filter_map(|(id, known)| {
            let read = known.read.filter(|read| read.next > 0)?;
            let read = FinishedFile { path: path_hash(&known.path), ..read };
            Some(Absent { read, reader: Some(*id) })
        });
        finished.chain(being_read).collect()
    }
}

/// Files that are not there and of which nothing was read yet, though they may hold something: what has their names
/// may hold the same. Their readers are asked.
pub(super) struct Unread {
    files: Vec<Asked>,
    /// The files that were held back when the readers were asked.
    held_back: BTreeSet<FileId>,
    /// Those that are held back now.
    still_held_back: BTreeSet<FileId>,
}

struct Asked {
    id: FileId,
    path: PathBuf,
    is_apart: bool,
    is_asked: bool,
}

impl Unread {
    /// All of them; `held_back` is what [`Unread::ask`] has returned at the last look.
    pub(super) fn all(inner: &Inner, present: &ById<'_>, held_back: BTreeSet<FileId>) -> Self {
        let absent = inner.files.iter().filter(|(id, known)| is_absent(**id, known, present));
        let unread = absent.filter(|(_, known)| known.read.is_none_or(|read| read.next == 0));
        let files = unread.map(|(id, known)| Asked {
            id: *id,
            path: known.path.clone(),
            is_apart: known.rotation == Rotation::GoneUnread { is_apart: true },
            is_asked: false,
        });
        Unread { files: files.collect(), held_back, still_held_back: BTreeSet::new() }
    }

    /// Whether the file `id` may hold what one of them holds, by one of its `names`.
    pub(super) fn may_be(&mut self, id: FileId, names: &BTreeSet<PathBuf>) -> bool {
        // What was read after this one was there has not become this one later.
        let was_there = self.held_back.contains(&id);
        let mut waits = false;
        for file in self.files.iter_mut().filter(|file| names.contains(&file.path)) {
            if !(file.is_apart && was_there) {
                (file.is_asked, waits) = (true, true);
            }
        }
        if waits {
            self.still_held_back.insert(id);
        }
        waits
    }

    /// Asks the readers of those that something waits for, by `wake`. Returns what waits.
    pub(super) fn ask(self, inner: &mut Inner, wake: impl Fn(FileId)) -> BTreeSet<FileId> {
        for Asked { id, is_asked, .. } in self.files {
            let Some(known) = inner.files.get_mut(&id) else { continue };
            known.rotation = Rotation::None;
            if is_asked {
                known.rotation = Rotation::GoneUnread { is_apart: false };
                wake(id);
            }
        }
        self.still_held_back
    }
}

fn is_absent(id: FileId, known: &Known, present: &ById<'_>) -> bool {
    known.state == State::Reading && !present.contains_key(&id)
}
