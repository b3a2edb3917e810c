//! Files that go on growing: which of those that are there are being read, and by what name.
//!
//! ```text
//!              found by a look              at its end, and quiet
//!   (unknown) ────────────────▶ Reading ──────────────────────────▶ Finished ◀──▶ gone
//!        ▲                        │  ▲            it has grown          │     not there,
//!        │ truncated or replaced, │  └──────────────────────────────────┘    there again
//!        └── another goes on ─────┘
//! ```
//!
//! A file is followed by its number and by what was read of it, never by its name: so it is read on after a
//! rotation has renamed it. Where a rotation copies and truncates, the copy goes on for it, and so does what
//! replaces a file under its name and holds what was read of it. A copy of a file that is still there is not read by
//! itself. This module knows nothing of lines or of tasks.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steadfast_core::disk::FileId;

use super::finished_file::{FinishedFile, path_hash};
use super::split::FileSplit;

mod absent;
mod copies;
mod finding;
mod known_files;
mod tail;
mod unread;
mod watching;

pub(super) use finding::Finding;
use known_files::{Known, KnownFiles, Rotation, State};
pub(super) use tail::{AtEnd, Tail};
use watching::Watching;

/// How files are followed.
#[derive(Clone)]
pub(super) struct Following {
    /// A file that has had nothing new for this long is closed, and holds event time back no more. If it
    /// grows after that, it is read on.
    pub(super) finished_after: Duration,
    /// The same of a file that a rotation has renamed, once what has its name now has something in it.
    pub(super) rotated_after: Duration,
    /// The least time between two looks for new files; where nobody tells of changes, the time between them.
    pub(super) look_every: Duration,
    /// The time between two looks where changes are told.
    pub(super) scan_every: Duration,
    pub(super) followed: Followed,
    watching: Watching,
}

impl Following {
    pub(super) fn new() -> Self {
        Following {
            finished_after: Duration::from_secs(300),
            rotated_after: Duration::from_secs(10),
            look_every: Duration::from_secs(1),
            scan_every: Duration::from_secs(10),
            followed: Followed::default(),
            watching: Watching::default(),
        }
    }
}

/// The files that are known, shared by whoever reads one and whoever looks for them.
#[derive(Clone, Default)]
pub(super) struct Followed(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    files: KnownFiles,
    /// Finished files that are not there. They may come back: a folder may be away for a moment, or be there late.
    gone: Vec<FinishedFile>,
    /// The serial of the next file that is found.
    next_serial: u64,
}

/// More idle files than this are not kept open.
const MOST_IDLE: usize = 256;

impl Followed {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything: the job begins with files that are read, and finished ones that are there or `gone`.
    pub(super) fn begin<'a>(
        &self,
        reading: impl IntoIterator<Item = &'a FileSplit>,
        finished: impl IntoIterator<Item = (PathBuf, FileId, Option<FinishedFile>)>,
        gone: Vec<FinishedFile>,
        next_serial: u64,
    ) {
        let mut inner = self.inner();
        inner.files = KnownFiles::default();
        inner.gone = gone;
        inner.next_serial = next_serial;
        for split in reading {
            if let Some((id, _)) = split.identity.file {
                inner.reads(id, split);
            }
        }
        for (path, id, read) in finished {
            inner.files.insert(id, Known::finished(path, read));
        }
    }

    /// A file is being read, and was read up to here. Says whether a look waits to hear of it.
    pub(super) fn reads(&self, id: FileId, split: &FileSplit) -> bool {
        self.inner().reads(id, split)
    }

    /// Whether what is written goes to another file by now.
    pub(super) fn is_succeeded(&self, id: FileId) -> bool {
        self.inner().files.get(id).is_some_and(|known| known.rotation == Rotation::Succeeded)
    }

    /// Whether another file may have taken the place of this one, as far as a look has seen. It is told once; where the
    /// reader of a file of which nothing was read is asked, until it has answered.
    fn may_have_successor(&self, id: FileId, is_unread: bool) -> bool {
        let mut inner = self.inner();
        let Some(known) = inner.files.get_mut(id) else { return false };
        match known.rotation {
            Rotation::Replaced => {
                known.rotation = Rotation::None;
                true
            }
            Rotation::Asked { is_apart, .. } => is_unread && !is_apart,
            _ => false,
        }
    }

    /// Whether a look has not seen it any more.
    fn is_gone(&self, id: FileId) -> bool {
        let gone = Rotation::Asked { is_gone: true, is_apart: false };
        self.inner().files.get(id).is_some_and(|known| known.rotation == gone)
    }

    /// The answer is that what is in it is in no other file.
    fn is_apart(&self, id: FileId) {
        if let Some(known) = self.inner().files.get_mut(id)
            && let Rotation::Asked { is_apart, .. } = &mut known.rotation
        {
            *is_apart = true;
        }
    }

    /// What a file is called now.
    pub(super) fn path(&self, id: FileId) -> Option<PathBuf> {
        self.inner().files.get(id).map(|known| known.path.clone())
    }

    /// A file has been read to its end.
    pub(super) fn finished(&self, id: FileId, split: &FileSplit) {
        if let Some(known) = self.inner().files.finishes(id) {
            known.read = FinishedFile::read_so_far(split);
        }
    }

    /// A file was truncated or replaced, and another goes on for it: what has its name or number now is another.
    fn moved(&self, from: FileId, to: FileId, path: &Path) {
        let mut inner = self.inner();
        if let Some(mut moved) = inner.files.remove(from) {
            // Nobody writes to a copy; whoever replaces a file under its name may go on with it.
            let before = std::mem::replace(&mut moved.path, path.to_path_buf());
            let is_renamed = before != path;
            moved.rotation = if is_renamed { Rotation::Renamed(before) } else { Rotation::None };
            if let Some(Known { path, read: Some(read), .. }) = inner.files.insert(to, moved) {
                // It had the number before, and was deleted.
                inner.gone.push(FinishedFile { path: path_hash(&path), ..read });
            }
        }
    }

    /// A file was truncated, and what was read of it is nowhere: what has its name now is another file.
    fn forget(&self, id: FileId) {
        self.inner().files.remove(id);
    }

    /// Whether nobody reads this file or has read it.
    pub(super) fn is_unknown(&self, id: FileId) -> bool {
        !self.inner().files.contains(id)
    }

    /// What was read of a file that is finished.
    fn finished_as(&self, id: FileId) -> Option<FinishedFile> {
        let inner = self.inner();
        let known = inner.files.get(id).filter(|known| known.state() == State::Finished);
        known.and_then(|known| known.read)
    }

    /// Whether so many files are being read that one with nothing to read is better closed.
    fn are_many(&self) -> bool {
        self.inner().files.reading() > MOST_IDLE
    }
}

impl Inner {
    /// A file is being read, and was read up to here. What it is called, whoever looks for files knows best. Says
    /// whether a look waits to hear of it.
    fn reads(&mut self, id: FileId, split: &FileSplit) -> bool {
        let read = FinishedFile::read_so_far(split).filter(|_| split.next > 0);
        let known = self.files.reads(id, &split.path);
        known.read = read;
        let is_waited_for = read.is_some() && matches!(known.rotation, Rotation::Asked { .. });
        if is_waited_for {
            known.rotation = Rotation::None;
        }
        is_waited_for
    }
}
