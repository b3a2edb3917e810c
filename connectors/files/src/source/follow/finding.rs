//! Looking for files while others are being read: new ones, finished ones that have grown, and copies of
//! those that were truncated.
//!
//! It knows nothing of how they are read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use steadfast_core::disk::{FileId, OnChange, Watch};
use steadfast_core::source::{Discovered, NextLook, SplitDiscovery};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};

use super::super::compression::{Compression, Contents};
use super::super::files::{Files, Looked, Present, unreadable};
use super::super::finished_file::{FinishedFile, path_hash};
use super::super::identity::{Identity, SAMPLE_BYTES, stamp};
use super::super::recognise::{Signs, earlier_names, recognise};
use super::super::split::{FileSplit, identified};
use super::tail::is_copy;
use super::{Following, Inner, Known, State};

/// See the module.
pub(in super::super) struct Finding {
    files: Arc<Files>,
    following: Following,
    waker: Waker,
    /// Tells of changes, where somebody does; a thread of its own ends with it.
    watch: Option<Box<dyn Watch>>,
    /// The folders of which it tells.
    watched: BTreeSet<PathBuf>,
    /// When it was looked last, and when it is to be looked again at the latest.
    looked: Option<(Timestamp, Timestamp)>,
    /// The files that are left alone because they may be copies.
    held_back: BTreeSet<FileId>,
}

/// The files that are there, by number.
type ById<'a> = BTreeMap<FileId, &'a Present>;

impl Finding {
    pub(in super::super) fn new(files: &Arc<Files>, following: &Following, waker: &Waker) -> Self {
        let on_change: OnChange = {
            let (files, watching) = (Arc::clone(files), following.watching.clone());
            Arc::new(move |change| watching.changed(change, |path| files.ask_for(path)))
        };
        let watch = files.disk.watch(on_change).unwrap_or_else(|error| {
            tracing::info!(name: "folders_not_watched", error = %error, "nobody tells of changes in folders: they are looked at");
            None
        });
        Finding {
            files: Arc::clone(files),
            following: following.clone(),
            waker: waker.clone(),
            watch,
            watched: BTreeSet::new(),
            looked: None,
            held_back: BTreeSet::new(),
        }
    }

    /// When to look instead of now: it was looked just before. What changes without pause is looked at as often
    /// as if nobody told of it, because a look costs the more the more files there are.
    fn too_early(&self, now: Timestamp) -> Option<Timestamp> {
        let (last, due) = self.looked?;
        let again = plus(last, self.following.look_every).min(due);
        let is_early = last <= now && now < again && !self.following.watching.is_urgent();
        (self.watch.is_some() && is_early).then_some(again)
    }

    /// Watches the folders in which something may come. Returns when to look again.
    fn watch(&mut self, folders: &BTreeSet<PathBuf>, now: Timestamp) -> Timestamp {
        let Following { look_every, scan_every, .. } = self.following;
        let Some(watch) = &mut self.watch else { return plus(now, look_every) };
        // What is not told is looked for.
        let watched = watch.set(folders).unwrap_or_default();
        let is_new = !watched.is_subset(&self.watched);
        self.watched = watched;
        if is_new {
            // Between the look and now something may have changed that was told to nobody.
            return now;
        }
        let all_are_told = self.watched.len() == folders.len();
        plus(now, if all_are_told { scan_every } else { look_every })
    }

    /// The files that are read and in folders that are watched.
    fn told(&self, inner: &Inner, present: &ById<'_>) -> BTreeMap<PathBuf, FileId> {
        let is_watched =
            |file: &Present| file.path.parent().is_some_and(|folder| self.watched.contains(folder));
        let read = inner.files.iter().filter(|(_, known)| known.state == State::Reading);
        let there = read.filter_map(|(id, _)| Some((*id, present.get(id)?)));
        let told = there.filter(|(_, file)| is_watched(file));
        told.map(|(id, file)| (file.path.clone(), id)).collect()
    }

    /// Tells, once, that a file waits because it may be a copy.
    fn hold_back(&mut self, id: FileId, path: &Path) {
        if self.held_back.insert(id) {
            let path = path.display();
            tracing::info!(name: "copy_held_back", path = %path, "a file that may be the copy of another is left alone until one of them goes on");
        }
    }

    /// Finished files that have grown go on; one that is not there, or holds something else now, is gone.
    fn look_at_finished(
        &self,
        inner: &mut Inner,
        present: &ById<'_>,
        found: &mut Vec<FileSplit>,
    ) -> Result<()> {
        // Of one that was empty, only its number says that it is the same, and that may have been given again.
        inner.files.retain(|id, known| match (known.state, &known.read, present.get(id)) {
            (State::Finished, Some(read), Some(file)) if read.next == 0 => {
                file.status.length == 0 || is_untouched(file, read)
            }
            (State::Finished, Some(read), None) => read.next > 0,
            _ => true,
        });
        let finished = inner.files.iter().filter(|(_, known)| known.state == State::Finished);
        let finished: Vec<_> = finished
            .filter_map(|(id, known)| Some((*id, path_hash(&known.path), known.read?)))
            .collect();
        for (id, path, read) in finished {
            let file = present.get(&id);
            let stays = match file {
                Some(file) => is_untouched(file, &read) || is_copy(&self.files, file, &read)?,
                None => false,
            };
            match file {
                Some(file) if stays && may_have_more(file, &read) => {
                    found.push(self.go_on(inner, file, &read)?);
                }
                Some(file) if stays => {
                    // It was compared with what was read: until something happens to it again it need not be.
                    let stamp = stamp(&file.status).map_or(0, |stamp| stamp.0);
                    if let Some(known) = inner.files.get_mut(&id) {
                        known.read = Some(FinishedFile { stamp, ..read });
                    }
                }
                _ => {
                    inner.files.remove(&id);
                    inner.gone.push(FinishedFile { path, ..read });
                }
            }
        }
        self.look_for_gone(inner, present, found)
    }

    /// What is gone may be there again, or its copy may be: among the files that nobody knows it is recognised as
    /// it would be at a start. Until then it stays known, however long that takes.
    fn look_for_gone(
        &self,
        inner: &mut Inner,
        present: &ById<'_>,
        found: &mut Vec<FileSplit>,
    ) -> Result<()> {
        let unknown = present.iter().filter(|(id, _)| !inner.files.contains_key(id));
        let unknown: Vec<Present> = unknown.map(|(_, file)| (*file).clone()).collect();
        if unknown.is_empty() || inner.gone.is_empty() {
            return Ok(());
        }
        // Of two that may be one file, the one of which more was read has the say.
        inner.gone.sort_by_key(|read| Reverse(read.next));
        let signs: Vec<_> = inner.gone.iter().map(Signs::of_finished).collect();
        let is_in =
            |gone: usize, other: usize| is_copy(&self.files, &unknown[other], &inner.gone[gone]);
        let places = recognise(&signs, &unknown, is_in)?;
        let mut back = Vec::new();
        let mut places = places.into_iter();
        inner.gone.retain(|read| match places.next().flatten() {
            Some(place) => {
                back.push((*read, &unknown[place]));
                false
            }
            None => true,
        });
        for (read, file) in back {
            if file.status.length > read.next || !is_plain(file) {
                found.push(self.go_on(inner, file, &read)?);
            } else if let Some(id) = file.status.id {
                let path = file.path.clone();
                let known = Known { path, read: Some(read), state: State::Finished };
                inner.files.insert(id, known);
            }
        }
        Ok(())
    }

    /// The split of a file that is there, from where it was read to.
    fn go_on(&self, inner: &mut Inner, file: &Present, read: &FinishedFile) -> Result<FileSplit> {
        let split = identified(FileSplit::growing(file, read), &self.files)?;
        if let Some(id) = file.status.id {
            let known = Known { path: file.path.clone(), read: Some(*read), state: State::Reading };
            inner.files.insert(id, known);
        }
        Ok(split)
    }

    /// Whether a file is what another is that is known, up to where it was read: then it is its copy, or is
    /// becoming it, and is left alone until it is known which of the two goes on.
    fn may_be_copy(&self, inner: &Inner, present: &ById<'_>, file: &Present) -> Result<bool> {
        let earlier = earlier_names(&file.path);
        // A name passes from one file to the next in a rotation: several may have had it.
        let originals = earlier.iter().flat_map(|earlier| {
            inner.files.iter().filter(move |(_, known)| known.path == *earlier)
        });
        for (id, known) in originals {
            let begins_alike = match (&known.read, is_plain(file)) {
                (Some(read), _) if read.next == 0 => continue,
                // Of what is not complete yet it cannot be told.
                (Some(read), false) => read.begins(&self.files.file(&file.path)).unwrap_or(true),
                (Some(read), true) => self.begins_as(file, read, &known.path)?,
                // Small ones that begin alike need not be copies, and nothing of the original was read yet.
                (None, _) => is_plain(file) && file.status.length >= SAMPLE_BYTES as u64,
            };
            if begins_alike && self.ends_as(file, known, present.get(id))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a file begins with what was read of another, as far as it goes.
    fn begins_as(&self, file: &Present, read: &FinishedFile, original: &Path) -> Result<bool> {
        if file.status.length >= read.next {
            return read.is_in(&self.files.file(&file.path));
        }
        self.are_alike_before(file.status.length, &file.path, original)
    }

    /// Whether a file that begins as another does goes on alike, where the other is there and as long.
    fn ends_as(&self, file: &Present, known: &Known, original: Option<&&Present>) -> Result<bool> {
        let (Some(original), true) = (original, is_plain(file)) else { return Ok(true) };
        if let Some(read) = &known.read
            && !is_copy(&self.files, original, read)?
        {
            // It was truncated: whoever reads it will go on in its copy.
            return Ok(true);
        }
        // One that is still what it was and is shorter has no copy that is longer.
        let length = file.status.length;
        Ok(original.status.length >= length
            && self.are_alike_before(length, &file.path, &original.path)?)
    }

    fn are_alike_before(&self, position: u64, one: &Path, other: &Path) -> Result<bool> {
        let start = position.saturating_sub(SAMPLE_BYTES as u64);
        let of = |path: &Path| Contents::sample(&self.files.file(path), start..position);
        match (of(one), of(other)) {
            (Ok(one), Ok(other)) => Ok(one == other),
            (Err(error), _) | (_, Err(error)) if error.kind() == ErrorKind::NotFound => Ok(false),
            (Err(error), _) | (_, Err(error)) => Err(unreadable(one, error)),
        }
    }
}

fn is_plain(file: &Present) -> bool {
    Compression::of(&file.path).is_plain()
}

/// Whether there may be something behind what was read of a file: how long compressed contents are, only reading
/// them tells.
fn may_have_more(file: &Present, read: &FinishedFile) -> bool {
    match is_plain(file) {
        true => file.status.length > read.next,
        false => stamp(&file.status).is_some_and(|stamp| stamp.0 != read.stamp),
    }
}

/// Whether nothing has happened to a file since it was finished.
fn is_untouched(file: &Present, read: &FinishedFile) -> bool {
    let same = stamp(&file.status).is_some_and(|stamp| stamp.0 == read.stamp);
    same && (!is_plain(file) || file.status.length == read.next)
}

/// So much later.
fn plus(at: Timestamp, time: Duration) -> Timestamp {
    let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp(at.0.saturating_add(ms))
}

impl Drop for Finding {
    fn drop(&mut self) {
        self.watch = None;
        self.following.watching.cease();
    }
}

impl SplitDiscovery<FileSplit> for Finding {
    fn poll(&mut self, now: Timestamp) -> Result<Discovered<FileSplit>> {
        self.following.watching.looks(&self.waker);
        if let Some(again) = self.too_early(now) {
            return Ok(Discovered { splits: Vec::new(), next: NextLook::At(again) });
        }
        let look = self.following.watching.begin_look();
        let Looked { present: all, folders, .. } = self.files.look()?;
        if let Some(file) = all.iter().find(|file| file.status.id.is_none()) {
            return Err(Error::configuration("the system does not tell which file this is")
                .at(file.path.display().to_string())
                .hint("files can be followed only where they have numbers"));
        }
        let again = self.watch(&folders, now);
        self.looked = Some((now, again));
        let present: ById<'_> =
            all.iter().filter_map(|file| Some((file.status.id?, file))).collect();
        let mut splits = Vec::new();
        let followed = self.following.followed.clone();
        let inner = &mut *followed.inner();
        for (id, file) in &present {
            if let Some(known) = inner.files.get_mut(id) {
                known.path.clone_from(&file.path);
            }
        }
        self.look_at_finished(inner, &present, &mut splits)?;
        self.held_back.retain(|id| present.contains_key(id) && !inner.files.contains_key(id));
        for file in &all {
            let Some(id) = file.status.id else { continue };
            if inner.files.contains_key(&id) {
                continue;
            }
            if self.may_be_copy(inner, &present, file)? {
                self.hold_back(id, &file.path);
                continue;
            }
            let mut identity = Identity::default();
            identity.note(&file.status);
            let split = FileSplit::beginning(file.path.clone(), inner.next_serial, identity);
            inner.next_serial += 1;
            inner.reads(id, &split);
            splits.push(split);
        }
        self.following.watching.end_look(&look, self.told(inner, &present));
        Ok(Discovered { splits, next: NextLook::At(again) })
    }
}
