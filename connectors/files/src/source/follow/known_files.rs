//! The files that are known, and how many of them are being read.
//!
//! It knows nothing of what is on the disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use steadfast_core::disk::FileId;

use super::super::finished_file::FinishedFile;

/// What is known of a file.
pub(super) struct Known {
    pub(super) path: PathBuf,
    /// What was read of it when its reader last had nothing to read; none before.
    pub(super) read: Option<FinishedFile>,
    state: State,
    pub(super) rotation: Rotation,
}

/// See [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Reading,
    Finished,
}

/// What a look has seen happen to a file that is being read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Rotation {
    #[default]
    None,
    /// It had this name before.
    Renamed(PathBuf),
    /// Another file has its name, and something in it: what is written goes there.
    Succeeded,
    /// It is not there any more, and another file holds what was read of it.
    Replaced,
    /// As far as is known nothing was read of it, it may be gone or truncated, and its reader is asked whether another
    /// file holds what was in it.
    Asked { is_gone: bool, is_apart: bool },
}

impl Known {
    pub(super) fn reading(path: PathBuf, read: Option<FinishedFile>) -> Self {
        Known { path, read, state: State::Reading, rotation: Rotation::None }
    }

    pub(super) fn finished(path: PathBuf, read: Option<FinishedFile>) -> Self {
        Known { path, read, state: State::Finished, rotation: Rotation::None }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// A look has seen it under this name.
    pub(super) fn is_called(&mut self, path: &Path) {
        if self.path != path {
            let before = std::mem::replace(&mut self.path, path.to_path_buf());
            if self.rotation == Rotation::None {
                self.rotation = Rotation::Renamed(before);
            }
        }
    }
}

/// See the module. Each is known by its number.
#[derive(Default)]
pub(super) struct KnownFiles {
    files: BTreeMap<FileId, Known>,
    /// Counted, because every reader asks whenever it has come to its end.
    reading: usize,
}

impl KnownFiles {
    /// How many are being read.
    pub(super) fn reading(&self) -> usize {
        self.reading
    }

    pub(super) fn contains(&self, id: FileId) -> bool {
        self.files.contains_key(&id)
    }

    pub(super) fn get(&self, id: FileId) -> Option<&Known> {
        self.files.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: FileId) -> Option<&mut Known> {
        self.files.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (FileId, &Known)> {
        self.files.iter().map(|(id, known)| (*id, known))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (FileId, &mut Known)> {
        self.files.iter_mut().map(|(id, known)| (*id, known))
    }

    /// Those in this state.
    pub(super) fn in_state(&self, state: State) -> impl Iterator<Item = (FileId, &Known)> {
        self.iter().filter(move |(_, known)| known.state == state)
    }

    /// What had this number before is returned.
    pub(super) fn insert(&mut self, id: FileId, known: Known) -> Option<Known> {
        self.reading += usize::from(known.state == State::Reading);
        let before = self.files.insert(id, known);
        self.left(before)
    }

    pub(super) fn remove(&mut self, id: FileId) -> Option<Known> {
        let removed = self.files.remove(&id);
        self.left(removed)
    }

    /// A file is being read from now on, by this path if it was not known.
    pub(super) fn reads(&mut self, id: FileId, path: &Path) -> &mut Known {
        let new = || Known::finished(path.to_path_buf(), None);
        let known = self.files.entry(id).or_insert_with(new);
        self.reading += usize::from(known.state != State::Reading);
        known.state = State::Reading;
        known
    }

    /// A file has been read to its end.
    pub(super) fn finishes(&mut self, id: FileId) -> Option<&mut Known> {
        let known = self.files.get_mut(&id)?;
        self.reading -= usize::from(known.state == State::Reading);
        known.state = State::Finished;
        Some(known)
    }

    fn left(&mut self, known: Option<Known>) -> Option<Known> {
        let was_read = known.as_ref().is_some_and(|known| known.state == State::Reading);
        self.reading -= usize::from(was_read);
        known
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn those_that_are_read_are_counted(steps in vec((0..4u64, 0..5u8), 0..40)) {
            let mut files = KnownFiles::default();
            for (inode, step) in steps {
                let id = FileId { device: 1, inode };
                match step {
                    0 => drop(files.insert(id, Known::reading(PathBuf::new(), None))),
                    1 => drop(files.insert(id, Known::finished(PathBuf::new(), None))),
                    2 => drop(files.remove(id)),
                    3 => _ = files.reads(id, Path::new("")),
                    _ => _ = files.finishes(id),
                }
                prop_assert_eq!(files.reading(), files.in_state(State::Reading).count());
            }
        }
    }
}
