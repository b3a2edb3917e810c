//! Looking for files while others are being read: new ones, finished ones that have grown, and copies of
//! those that were truncated.
//!
//! It knows nothing of how they are read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use steadfast_core::disk::{FileId, OnChange, Watch};
use steadfast_core::source::{Discovered, NextLook, SplitDiscovery};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};

use super::super::compression::Compression;
use super::super::files::{Files, Looked, Present};
use super::super::finished_file::{FinishedFile, path_hash};
use super::super::identity::{Identity, stamp};
use super::super::recognise::{Signs, recognise};
use super::super::rotated_names::{age, earlier_names};
use super::super::split::{FileSplit, identified};
use super::absent::Absent;
use super::copies::{ByPath, Compared, Copies};
use super::tail::is_copy;
use super::unread::Unread;
use super::{Following, Inner, Known, Rotation, State};

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
    held_back: BTreeMap<FileId, HeldBack>,
    compared: Compared,
    /// Those of them that wait for what a reader says.
    waiting: BTreeSet<FileId>,
}

/// A file that is left alone because it may be a copy.
#[derive(Clone, Copy)]
struct HeldBack {
    since: Timestamp,
    /// Of this one, which is there.
    original: Option<FileId>,
}

/// What begins as a file that is gone, and does not become it in this time, is another one.
const MOST_PATIENCE: Duration = Duration::from_secs(60);

/// The files that are there, by number.
pub(super) type ById<'a> = BTreeMap<FileId, &'a Present>;

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
            held_back: BTreeMap::new(),
            compared: Compared::default(),
            waiting: BTreeSet::new(),
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
        let read = inner.files.in_state(State::Reading);
        let there = read.filter_map(|(id, _)| Some((id, present.get(&id)?)));
        let told = there.filter(|(_, file)| is_watched(file));
        told.map(|(id, file)| (file.path.clone(), id)).collect()
    }

    /// Tells, once, that a file waits because it may be a copy.
    fn hold_back(&mut self, (id, now): (FileId, Timestamp), path: &Path, original: Option<FileId>) {
        let since = self.held_back.get(&id).map_or(now, |held| held.since);
        if self.held_back.insert(id, HeldBack { since, original }).is_none() {
            let path = path.display();
            tracing::info!(name: "copy_held_back", path = %path, "a file that may be the copy of another is left alone until one of them goes on");
        }
    }

    /// What has the name now that a file had which is being read is where its writer goes on, once there is
    /// something in it.
    fn look_for_successors(&self, inner: &mut Inner, all: &[Present]) {
        let mut by_path: Option<BTreeMap<&Path, &Present>> = None;
        for (id, known) in inner.files.iter_mut() {
            if let (State::Reading, Rotation::Renamed(before)) = (known.state(), &known.rotation) {
                let by_path = by_path.get_or_insert_with(|| {
                    all.iter().map(|file| (file.path.as_path(), file)).collect()
                });
                let has_name = by_path.get(before.as_path());
                let goes_on =
                    |file: &&&Present| file.status.id != Some(id) && file.status.length > 0;
                if has_name.filter(goes_on).is_some() {
                    known.rotation = Rotation::Succeeded;
                }
            }
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
        let is_same = |id: FileId, read: &FinishedFile| match present.get(&id) {
            Some(file) if read.next == 0 => file.status.length == 0 || is_untouched(file, read),
            Some(_) => true,
            None => read.next > 0,
        };
        let finished = inner.files.in_state(State::Finished);
        let finished: Vec<_> = finished
            .filter_map(|(id, known)| Some((id, path_hash(&known.path), known.read?)))
            .collect();
        for (id, path, read) in finished {
            if !is_same(id, &read) {
                inner.files.remove(id);
                continue;
            }
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
                    if let Some(known) = inner.files.get_mut(id) {
                        known.read = Some(FinishedFile { stamp, ..read });
                    }
                }
                _ => {
                    inner.files.remove(id);
                    inner.gone.push(FinishedFile { path, ..read });
                }
            }
        }
        Ok(())
    }

    /// What is gone may be there again, or its copy may be; and what is being read may have been replaced by a copy.
    /// Among the files that nobody knows both are recognised as they would be at a start. Until then what is gone
    /// stays known, however long that takes. Returns the files that go on for one that is being read.
    fn look_for_absent(
        &self,
        inner: &mut Inner,
        present: &ById<'_>,
        found: &mut Vec<FileSplit>,
    ) -> Result<BTreeSet<FileId>> {
        let unknown = present.iter().filter(|(id, _)| !inner.files.contains(**id));
        let unknown: Vec<Present> = unknown.map(|(_, file)| (*file).clone()).collect();
        let mut absent = Absent::all(inner, present);
        if unknown.is_empty() || absent.is_empty() {
            return Ok(BTreeSet::new());
        }
        // Of two that may be one file, the one of which more was read has the say.
        absent.sort_by_key(|absent| Reverse(absent.read.next));
        let signs: Vec<_> = absent.iter().map(|absent| Signs::of_finished(&absent.read)).collect();
        let is_in = |absent_at: usize, other: usize| {
            is_copy(&self.files, &unknown[other], &absent[absent_at].read)
        };
        let places = recognise(&signs, &unknown, is_in)?;
        let mut successors = BTreeSet::new();
        inner.gone.clear();
        for (Absent { read, reader }, place) in absent.into_iter().zip(places) {
            match (reader, place.map(|place| &unknown[place])) {
                (None, None) => inner.gone.push(read),
                (None, Some(file)) if file.status.length > read.next || !is_plain(file) => {
                    found.push(self.go_on(inner, file, &read)?);
                }
                (None, Some(file)) => {
                    let known = Known::finished(file.path.clone(), Some(read));
                    if let Some(id) = file.status.id {
                        inner.files.insert(id, known);
                    }
                }
                (Some(_), None) => {}
                (Some(id), Some(file)) => {
                    if let Some(known) = inner.files.get_mut(id) {
                        known.rotation = Rotation::Replaced;
                        self.following.watching.wake(id);
                    }
                    successors.extend(file.status.id);
                }
            }
        }
        Ok(successors)
    }

    /// The split of a file that is there, from where it was read to.
    fn go_on(&self, inner: &mut Inner, file: &Present, read: &FinishedFile) -> Result<FileSplit> {
        let split = identified(FileSplit::growing(file, read), &self.files)?;
        if let Some(id) = file.status.id {
            inner.files.insert(id, Known::reading(file.path.clone(), Some(*read)));
        }
        Ok(split)
    }
}

pub(super) fn is_plain(file: &Present) -> bool {
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

fn is_unknown(inner: &Inner, file: &Present) -> bool {
    file.status.id.is_some_and(|id| !inner.files.contains(id))
}

/// So much later.
fn plus(at: Timestamp, time: Duration) -> Timestamp {
    let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp(at.0.saturating_add(ms))
}

impl Inner {
    /// Notes what the files in this state are called now.
    fn are_called(&mut self, state: State, present: &ById<'_>) {
        for (id, known) in self.files.iter_mut().filter(|(_, known)| known.state() == state) {
            if let Some(file) = present.get(&id) {
                known.is_called(&file.path);
            }
        }
    }
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
        // What is being read is open: its number is that of no other file.
        inner.are_called(State::Reading, &present);
        self.look_for_successors(inner, &all);
        self.look_at_finished(inner, &present, &mut splits)?;
        inner.are_called(State::Finished, &present);
        let successors = self.look_for_absent(inner, &present, &mut splits)?;
        self.held_back.retain(|id, _| present.contains_key(id) && !inner.files.contains(*id));
        self.compared.begin(&present);
        let waiting = std::mem::take(&mut self.waiting);
        let mut unread = Unread::all(inner, &present, waiting);
        let absent = Absent::all(inner, &present);
        let mut known = None;
        let mut unknown: Vec<_> = all.iter().filter(|file| is_unknown(inner, file)).collect();
        // A copy comes after what it may be a copy of.
        unknown.sort_by(|one, other| age(&one.path).cmp(&age(&other.path)));
        for file in unknown {
            let Some(id) = file.status.id.filter(|_| is_unknown(inner, file)) else { continue };
            let mut names = earlier_names(&file.path);
            names.insert(file.path.clone());
            let (files, present, absent) = (&*self.files, &present, &absent[..]);
            let known = known.get_or_insert_with(|| ByPath::of(inner));
            let copies = Copies { files, inner, known, present, absent };
            let held = self.held_back.get(&id).copied();
            let waits = successors.contains(&id) || unread.may_be(id, &names);
            let names: BTreeSet<u64> = names.iter().map(|name| path_hash(name)).collect();
            let before = held.and_then(|held| held.original);
            let original = copies.original(file, &names, before, &mut self.compared)?;
            let is_patient = held.is_none_or(|held| now < plus(held.since, MOST_PATIENCE));
            if waits
                || original.is_some()
                || copies.is_whole_copy_of_absent(file, &names)
                || is_patient && copies.is_becoming_absent(file, &names)
            {
                self.hold_back((id, now), &file.path, original);
                continue;
            }
            let mut identity = Identity::default();
            identity.note(&file.status);
            let split = FileSplit::beginning(file.path.clone(), inner.next_serial, identity);
            inner.next_serial += 1;
            inner.reads(id, &split);
            known.add(id, &file.path);
            splits.push(split);
        }
        self.waiting = unread.ask(inner, |id| self.following.watching.wake(id));
        self.following.watching.end_look(&look, self.told(inner, &present));
        let soon = self.compared.is_one_open().then(|| plus(now, self.following.look_every));
        let again = soon.map_or(again, |soon| soon.min(again));
        self.looked = Some((now, again));
        Ok(Discovered { splits, next: NextLook::At(again) })
    }
}
