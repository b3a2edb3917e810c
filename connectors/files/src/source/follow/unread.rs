//! Files that are known, and of which nothing was read as far as is known: a file that comes may hold what they held.
//!
//! They may be gone or truncated, and their readers may have read them just now. So the readers are asked, and what has
//! a name that a rotation would have given waits for the answer. This module knows nothing of contents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use steadfast_core::disk::FileId;

use super::finding::ById;
use super::{Inner, Rotation, State};

/// See the module.
pub(super) struct Unread {
    /// By their paths.
    files: BTreeMap<PathBuf, Vec<Asked>>,
    /// The files that were held back when the readers were asked.
    held_back: BTreeSet<FileId>,
    /// Those that are held back now.
    still_held_back: BTreeSet<FileId>,
}

struct Asked {
    id: FileId,
    is_gone: bool,
    is_apart: bool,
    is_asked: bool,
}

impl Unread {
    /// All that are known before a look finds more; `held_back` is what [`Unread::ask`] has returned at the one before.
    pub(super) fn all(inner: &Inner, present: &ById<'_>, held_back: BTreeSet<FileId>) -> Self {
        let open = inner.files.in_state(State::Reading);
        let unread = open.filter(|(_, known)| known.read.is_none_or(|read| read.next == 0));
        let mut files: BTreeMap<PathBuf, Vec<Asked>> = BTreeMap::new();
        for (id, known) in unread {
            files.entry(known.path.clone()).or_default().push(Asked {
                id,
                is_gone: !present.contains_key(&id),
                is_apart: matches!(known.rotation, Rotation::Asked { is_apart: true, .. }),
                is_asked: false,
            });
        }
        Unread { files, held_back, still_held_back: BTreeSet::new() }
    }

    /// Whether the file `id` may hold what one of them holds, by one of its `names`.
    pub(super) fn may_be(&mut self, id: FileId, names: &BTreeSet<PathBuf>) -> bool {
        // What was read after this one was there has not become this one later.
        let was_there = self.held_back.contains(&id);
        let mut waits = false;
        for name in names {
            for file in self.files.get_mut(name).into_iter().flatten() {
                if !(file.is_apart && was_there) {
                    (file.is_asked, waits) = (true, true);
                }
            }
        }
        if waits {
            self.still_held_back.insert(id);
        }
        waits
    }

    /// Asks the readers of those that something waits for, by `wake`. Returns what waits.
    pub(super) fn ask(self, inner: &mut Inner, wake: impl Fn(FileId)) -> BTreeSet<FileId> {
        for Asked { id, is_gone, is_asked, .. } in self.files.into_values().flatten() {
            let Some(known) = inner.files.get_mut(id) else { continue };
            if is_asked {
                known.rotation = Rotation::Asked { is_gone, is_apart: false };
                wake(id);
            } else if let Rotation::Asked { .. } = known.rotation {
                known.rotation = Rotation::None;
            }
        }
        self.still_held_back
    }
}
