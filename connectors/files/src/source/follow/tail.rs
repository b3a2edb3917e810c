//! What a reader does at the end of a file that may go on growing.
//!
//! It decides when the file is finished, and finds the copy of one that was truncated. It knows nothing of
//! lines.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use steadfast_core::Result;
use steadfast_core::disk::{FileId, FileStatus};
use steadfast_core::time::Timestamp;

use super::super::compression::{Compression, Contents};
use super::super::cursor::Cursor;
use super::super::files::{Files, Looked, Present};
use super::super::finished_file::FinishedFile;
use super::super::identity::SAMPLE_BYTES;
use super::super::rotated_names::earlier_names;
use super::super::split::{FileSplit, Replaced};
use super::Following;

/// How long a reader that nobody tells waits before it looks again whether there is more.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// See the module.
pub(in super::super) struct Tail {
    files: Arc<Files>,
    following: Following,
    replaced: Replaced,
    /// Wakes the reader.
    waker: Waker,
    /// Which file is open.
    id: Option<FileId>,
    /// Since when there has been nothing.
    quiet_since: Option<Timestamp>,
}

/// What is to be done at the end of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum AtEnd {
    /// Look again then.
    Wait(Timestamp),
    /// There has been nothing for so long that it is finished.
    Finish,
}

impl Tail {
    pub(in super::super) fn new(
        files: &Arc<Files>,
        following: &Following,
        replaced: Replaced,
        waker: &Waker,
    ) -> Self {
        let (files, following, waker) = (Arc::clone(files), following.clone(), waker.clone());
        Tail { files, following, replaced, waker, id: None, quiet_since: None }
    }

    /// Opens the file that `cursor` speaks of, by `open`, which fails if it does not hold what was read. By the
    /// time it is opened its name may be that of another file, and its contents may be in a copy.
    pub(in super::super) fn open<L>(
        &mut self,
        cursor: &mut Cursor,
        mut open: impl FnMut(&mut Cursor) -> Result<L>,
    ) -> Result<L> {
        let split = cursor.split.clone();
        let wanted = split.identity.file.map(|(id, _)| id);
        self.id = wanted;
        let opened = open(cursor);
        let found = cursor.split.identity.file.map(|(id, _)| id);
        let opened = match opened {
            // Of what nothing was read, only the number tells which file it is.
            Ok(opened) if wanted.is_none() || found == wanted => opened,
            opened => {
                let mut go_on_in = |path: &Path, cursor: &mut Cursor| {
                    cursor.split.identity = split.identity.clone();
                    cursor.goes_on_in(path, &self.files);
                    open(cursor)
                };
                let renamed = self.now_called(&split)?;
                let renamed = renamed.and_then(|path| go_on_in(&path, cursor).ok());
                match (renamed, opened) {
                    (Some(renamed), _) => renamed,
                    // It holds what was read; or nothing was read, and nobody else reads it.
                    (None, Ok(opened)) if self.is_unknown(found) => {
                        if let (Some(from), Some(to)) = (wanted, found) {
                            self.following.followed.moved(from, to, &split.path);
                        }
                        opened
                    }
                    (None, Ok(_)) => return Err(cursor.place.truncated(split.next)),
                    (None, Err(error)) => match self.find_copy(&split)? {
                        Some(copy) => go_on_in(&copy.path, cursor)?,
                        None => return Err(error),
                    },
                }
            }
        };
        self.id = cursor.split.identity.file.map(|(id, _)| id);
        if let Some(id) = self.id {
            self.following.followed.reads(id, &cursor.split);
            // Before anything is read: of what comes after that it is told.
            self.following.watching.reads(id, &self.waker);
        }
        Ok(opened)
    }

    fn is_unknown(&self, id: Option<FileId>) -> bool {
        id.is_some_and(|id| self.following.followed.is_unknown(id))
    }

    /// Whether nobody reads a file or has read it: its number may be that of one that was deleted since the last look.
    fn is_free(&self, file: &Present) -> Result<bool> {
        let Some(id) = file.status.id.filter(|id| Some(*id) != self.id) else { return Ok(false) };
        match self.following.followed.finished_as(id) {
            Some(read) => Ok(read.next == 0 || !is_copy(&self.files, file, &read)?),
            None => Ok(self.following.followed.is_unknown(id)),
        }
    }

    /// The other name that the file has now.
    fn now_called(&self, split: &FileSplit) -> Result<Option<PathBuf>> {
        let Looked { present, .. } = self.files.look()?;
        let wanted = split.identity.file.map(|(id, _)| id);
        let is_it = |file: &Present| wanted.is_some() && file.status.id == wanted;
        let renamed = present.into_iter().find(|file| is_it(file) && file.path != split.path);
        Ok(renamed.map(|file| file.path))
    }

    /// Whether a look has seen that another file may have taken the place of this one, which was read up to `position`.
    pub(in super::super) fn may_have_successor(&self, position: u64) -> bool {
        let followed = &self.following.followed;
        self.id.is_some_and(|id| followed.may_have_successor(id, position == 0))
    }

    /// All that is there was read, but for `half` a line. The file that has taken the place of this one, if it holds
    /// what this one holds up to the position of `split`, and the half line.
    pub(in super::super) fn find_successor(
        &self,
        split: &FileSplit,
        half: &[u8],
    ) -> Result<Option<Present>> {
        let followed = &self.following.followed;
        if split.next > 0 {
            return self.find_copy(split);
        }
        let half = &half[..half.len().min(SAMPLE_BYTES)];
        // One that is still there is written on, and what may be its copy stays one.
        let is_gone = self.id.is_some_and(|id| followed.is_gone(id));
        let begins_so = |file: &Present| {
            let begin = Contents::sample(&self.files.file(&file.path), 0..half.len() as u64);
            Ok(is_gone && !half.is_empty() && begin.is_ok_and(|begin| begin == half))
        };
        let found = self.find(split, begins_so)?;
        if let (None, Some(id)) = (&found, self.id) {
            followed.is_apart(id);
            self.following.watching.look_now();
        }
        Ok(found)
    }

    /// Whether the job goes on without what was taken away before it was read.
    pub(in super::super) fn accepts_loss(&self) -> bool {
        self.replaced == Replaced::AreNew
    }

    /// What was not read of the file is gone; what has its name now is another one.
    pub(in super::super) fn lost(&self) {
        if let Some(id) = self.id {
            self.following.followed.forget(id);
            self.following.watching.leaves(id);
            self.following.watching.look_now();
        }
    }

    /// There was something to read, up to where `split` is.
    pub(in super::super) fn has_read(&mut self, split: &FileSplit) {
        self.quiet_since = None;
        if self.id.is_some_and(|id| self.following.followed.reads(id, split)) {
            self.following.watching.look_now();
        }
    }

    /// There is nothing more for now; `split` is how far it has been read.
    pub(in super::super) fn at_end(
        &mut self,
        now: Timestamp,
        (status, has_half_line): (&FileStatus, bool),
        split: &mut FileSplit,
    ) -> AtEnd {
        let followed = &self.following.followed;
        let since = *self.quiet_since.get_or_insert(now);
        if let Some(path) = self.id.and_then(|id| followed.path(id)) {
            split.path = path;
        }
        // A file of yesterday need not be waited for to become old; but half a line is, whose clock ever tells
        // the time of the last change.
        let modified = match status.modified_ns {
            ns if ns > 0 && !has_half_line => Timestamp(ns / 1_000_000),
            _ => since,
        };
        let quiet = now.0.saturating_sub(since.0.min(modified.0).max(0));
        let Following { finished_after, rotated_after, .. } = self.following;
        let is_succeeded = self.id.is_some_and(|id| followed.is_succeeded(id));
        let patience =
            if is_succeeded { finished_after.min(rotated_after) } else { finished_after };
        let patience = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX);
        if quiet >= patience || followed.are_many() && !has_half_line {
            return AtEnd::Finish;
        }
        let is_told = self.id.is_some_and(|id| self.following.watching.is_told(id));
        let wait = if is_told { self.following.scan_every } else { LOOK_AGAIN };
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).min(patience - quiet);
        AtEnd::Wait(Timestamp(now.0.saturating_add(wait)))
    }

    /// The file is finished.
    pub(in super::super) fn finished(&self, split: &FileSplit) {
        if let Some(id) = self.id {
            self.following.followed.finished(id, split);
            self.following.watching.leaves(id);
        }
    }

    /// The file holds something else than what was read up to the position of `split`. If there is a copy of
    /// that, it is what is read from now on: returns it. Where nothing was read, only a compressed copy tells by its
    /// name.
    pub(in super::super) fn find_copy(&self, split: &FileSplit) -> Result<Option<Present>> {
        if split.next == 0 {
            // It was compressed before it was read.
            let is_compressed = |file: &Present| file.path.with_extension("") == split.path;
            return self.find(split, |file| Ok(is_compressed(file)));
        }
        let Some(read) = FinishedFile::read_so_far(split) else { return Ok(None) };
        self.find(split, |file| is_copy(&self.files, file, &read))
    }

    /// A file that nobody knows, which has the name of the one that `split` is of, or one that a rotation would give
    /// it, and for which `goes_on` is true. It is known from then on as that one.
    fn find(
        &self,
        split: &FileSplit,
        goes_on: impl Fn(&Present) -> Result<bool>,
    ) -> Result<Option<Present>> {
        let Looked { present, .. } = self.files.look()?;
        let followed = &self.following.followed;
        let path = self.id.and_then(|id| followed.path(id)).unwrap_or_else(|| split.path.clone());
        let is_candidate = |file: &&Present| {
            let mut names = earlier_names(&file.path);
            names.insert(file.path.clone());
            names.contains(&path) || names.contains(&split.path)
        };
        for file in present.iter().filter(is_candidate) {
            if self.is_free(file)? && goes_on(file)? {
                if let (Some(from), Some(to)) = (self.id, file.status.id) {
                    followed.moved(from, to, &file.path);
                    self.following.watching.leaves(from);
                    self.following.watching.look_now();
                }
                return Ok(Some(file.clone()));
            }
        }
        Ok(None)
    }
}

/// Whether a file holds what was read of another.
pub(super) fn is_copy(files: &Files, file: &Present, read: &FinishedFile) -> Result<bool> {
    let is_plain = Compression::of(&file.path).is_plain();
    let is_long_enough = !is_plain || file.status.length >= read.next;
    Ok(is_long_enough && read.is_in(&files.file(&file.path))?)
}
