//! A disk that keeps after a power failure what was synced, and of the rest whatever it likes.
//!
//! Contents and names are durable separately, as on a real file system: a file that was synced but
//! whose folder was not may have no name afterwards; one whose folder was synced but which was not
//! may be empty or torn. Removed names may come back. A folder whose name was not synced may be gone, with
//! everything in it.

mod opened;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_core::disk::{Disk, FileId, FileStatus, OpenFile};

use crate::baton::{Call, CallFailure, CallKind, DiskCall, Handle};

use opened::Opened;

/// The disk, which outlives every process.
#[derive(Clone, Default)]
pub struct DurableDisk(Arc<Mutex<Contents>>);

/// Everything on the disk: a copy of it can be put back later.
#[derive(Clone, Default)]
pub struct Contents {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    folders: BTreeSet<String>,
    durable_folders: BTreeSet<String>,
    /// What was taken away and will be brought back.
    away: Option<Box<Away>>,
    /// What would be lost with the power although nobody has removed it.
    breach: Option<String>,
}

/// A folder that is not there for a while, with everything in it.
#[derive(Clone)]
struct Away {
    folder: String,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    folders: BTreeSet<String>,
    durable_folders: BTreeSet<String>,
}

#[derive(Clone)]
struct File {
    bytes: Arc<Vec<u8>>,
    durable: Arc<Vec<u8>>,
}

/// The disk as one process sees it.
pub struct SimulatedDisk {
    disk: DurableDisk,
    handle: Handle,
    is_dead: AtomicBool,
    /// A deliberate fault: its syncs say that they were done, and keep nothing.
    forgets_syncs: bool,
}

impl DurableDisk {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk for a process.
    pub fn mount(&self, handle: Handle) -> SimulatedDisk {
        let (disk, is_dead) = (self.clone(), AtomicBool::new(false));
        SimulatedDisk { disk, handle, is_dead, forgets_syncs: false }
    }

    /// The disk for a process whose syncs say that they were done, and keep nothing: the deliberate
    /// fault of a store that answers too early.
    pub fn mount_unsynced(&self, handle: Handle) -> SimulatedDisk {
        SimulatedDisk { forgets_syncs: true, ..self.mount(handle) }
    }

    /// What is on it now.
    pub fn copy(&self) -> Contents {
        self.contents().clone()
    }

    /// Puts a copy in the place of what is there.
    pub fn restore(&self, copy: Contents) {
        let now = &mut *self.contents();
        *now = copy;
        now.settle();
    }

    /// The names of all files that begin with `prefix`, temporary ones excluded.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let contents = self.contents();
        let names = contents.names.keys().filter(|name| name.starts_with(prefix));
        names.filter(|name| !name.contains("/.tmp-")).cloned().collect()
    }

    /// A temporary file below a folder, if there is one.
    pub fn temporary(&self, folder: &str) -> Option<String> {
        let contents = self.contents();
        let mut inside = contents.names.keys().filter(|name| name.starts_with(folder));
        inside.find(|name| name.contains("/.tmp-")).cloned()
    }

    /// The contents of a file.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let contents = self.contents();
        let file = *contents.names.get(name)?;
        Some(contents.files[file].bytes.to_vec())
    }

    /// A folder is not there any more, for a while.
    pub fn take_folder(&self, folder: &str) {
        let contents = &mut *self.contents();
        let is_in = |path: &String| is_inside(folder, path);
        let names = |all: &BTreeMap<String, usize>| {
            let inside = all.iter().filter(|(path, _)| is_in(path));
            inside.map(|(path, file)| (path.clone(), *file)).collect()
        };
        let folders =
            |all: &BTreeSet<String>| all.iter().filter(|path| is_in(path)).cloned().collect();
        contents.away = Some(Box::new(Away {
            folder: folder.to_string(),
            names: names(&contents.names),
            durable_names: names(&contents.durable_names),
            folders: folders(&contents.folders),
            durable_folders: folders(&contents.durable_folders),
        }));
        contents.lose(folder);
    }

    /// It is back, as it was: what was made in its place meanwhile is hidden.
    pub fn bring_folder(&self) {
        let contents = &mut *self.contents();
        let Some(away) = contents.away.take() else { return };
        contents.lose(&away.folder);
        contents.names.extend(away.names);
        contents.durable_names.extend(away.durable_names);
        contents.folders.extend(away.folders);
        contents.durable_folders.extend(away.durable_folders);
    }

    /// What would have been lost with the power at some time although nobody has removed it.
    pub fn breach(&self) -> Option<String> {
        self.contents().breach.clone()
    }

    /// Somebody else writes a file, durably.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let contents = &mut *self.contents();
        let bytes = Arc::new(bytes);
        contents.files.push(File { bytes: bytes.clone(), durable: bytes });
        let file = contents.files.len() - 1;
        contents.names.insert(name.to_string(), file);
        contents.durable_names.insert(name.to_string(), file);
        contents.folders.insert(parent(name).to_string());
        contents.durable_folders.insert(parent(name).to_string());
    }

    /// Changes the contents of a file; if `change` says false, removes it.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>) -> bool) {
        let contents = &mut *self.contents();
        let Some(&file) = contents.names.get(name) else { return };
        let mut bytes = contents.files[file].bytes.to_vec();
        if change(&mut bytes) {
            let bytes = Arc::new(bytes);
            contents.files[file] = File { bytes: bytes.clone(), durable: bytes };
        } else {
            contents.names.remove(name);
        }
        contents.settle();
    }

    /// The power fails: what was not synced is lost, kept or torn, as `random` likes.
    /// Where it is weak, nothing is kept that need not be.
    pub fn lose_power(&self, random: &mut fastrand::Rng, is_weak: bool) {
        let contents = &mut *self.contents();
        let all: BTreeSet<String> =
            contents.names.keys().chain(contents.durable_names.keys()).cloned().collect();
        let keeps = if is_weak { 0 } else { [0, 0, 128, 255][random.usize(..4)] };
        let unsynced: Vec<String> =
            contents.folders.difference(&contents.durable_folders).cloned().collect();
        for folder in unsynced {
            if random.u8(..) >= keeps {
                contents.lose(&folder);
            }
        }
        let all: BTreeSet<String> =
            all.into_iter().filter(|path| contents.folders.contains(parent(path))).collect();
        for path in all {
            let (now, then) = (contents.names.get(&path), contents.durable_names.get(&path));
            if now == then {
                continue;
            }
            let kept = if random.u8(..) < keeps { now.copied() } else { then.copied() };
            match kept {
                Some(file) => contents.names.insert(path, file),
                None => contents.names.remove(&path),
            };
        }
        for file in &mut contents.files {
            if !Arc::ptr_eq(&file.bytes, &file.durable) && file.bytes != file.durable {
                let kept = match random.u8(..3) {
                    _ if keeps == 0 => file.durable.clone(),
                    0 => file.durable.clone(),
                    1 => Arc::new(file.bytes[..random.usize(..=file.bytes.len())].to_vec()),
                    _ => file.bytes.clone(),
                };
                (file.bytes, file.durable) = (kept.clone(), kept);
            }
        }
        contents.settle();
    }
}

/// The folder of a file or folder; the empty path is the root of the disk.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether a path is that of a folder, or of something in it.
fn is_inside(folder: &str, path: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path as it is kept: without a slash at its end.
fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default().trim_end_matches('/')
}

impl Contents {
    /// Everything that is there is durable, and every file has its folders.
    fn settle(&mut self) {
        self.durable_names = self.names.clone();
        self.durable_folders = self.folders.clone();
        for name in self.names.keys() {
            let mut folder = parent(name);
            while !folder.is_empty() && self.folders.insert(folder.to_string()) {
                folder = parent(folder);
            }
        }
        for file in &mut self.files {
            file.durable = file.bytes.clone();
        }
    }

    /// A folder is gone, with everything in it.
    fn lose(&mut self, folder: &str) {
        let is_inside = |path: &str| is_inside(folder, path);
        self.durable_folders.retain(|path| !is_inside(path));
        self.folders.retain(|path| !is_inside(path));
        self.names.retain(|path, _| !is_inside(path));
        self.durable_names.retain(|path, _| !is_inside(path));
    }

    /// The names in a folder become durable: what was moved away from there must be durable where it is now.
    fn note_breach(&mut self, dir: &str) {
        let gone = Contents::inside(&self.durable_names, dir)
            .filter(|(path, file)| self.names.get(*path) != Some(file));
        let moved = gone.filter_map(|(path, file)| {
            let is_kept = |(other, at): (&String, &usize)| at == file && parent(other) != dir;
            let now = self.names.iter().find(|(_, at)| *at == file)?.0;
            let is_durable = self.durable_names.iter().any(is_kept) || parent(now) == dir;
            (!is_durable).then(|| format!("{path} was moved to {now}, where it is not durable"))
        });
        let breach = moved.take(1).next();
        self.breach = self.breach.take().or(breach);
    }

    fn file(&self, path: &str) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// A file's number is never given to another: nothing is removed from the disk but names.
    fn status(&self, file: usize) -> io::Result<FileStatus> {
        let id = Some(FileId { device: 1, inode: file as u64 });
        Ok(FileStatus { id, ..FileStatus::of_length(self.bytes(file)?.len() as u64) })
    }

    /// The bytes of a file that is open. Where all of the disk was put back, it may not be there any more.
    fn bytes(&self, file: usize) -> io::Result<&[u8]> {
        let file = self.files.get(file).ok_or(ErrorKind::StaleNetworkFileHandle)?;
        Ok(&file.bytes)
    }

    fn folder(&self, path: &str) -> io::Result<()> {
        let is_there = path.is_empty() || self.folders.contains(path);
        is_there.then_some(()).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// What would get this name must have a folder to be in, and must not be a folder already.
    fn room_for(&self, path: &str) -> io::Result<()> {
        self.folder(parent(path))?;
        if self.folders.contains(path) { Err(ErrorKind::IsADirectory.into()) } else { Ok(()) }
    }

    /// A file that is there is written to where it is, under all its names: what was durable of it
    /// may be lost.
    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.room_for(path)?;
        let bytes = Arc::new(bytes.to_vec());
        if let Some(&file) = self.names.get(path) {
            self.files[file].bytes = bytes;
            return Ok(());
        }
        self.files.push(File { bytes, durable: Arc::default() });
        self.names.insert(path.to_string(), self.files.len() - 1);
        Ok(())
    }

    /// The names in a folder, with their files.
    fn inside<'a>(
        names: &'a BTreeMap<String, usize>,
        dir: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a usize)> {
        let below = names.range(format!("{dir}/")..format!("{dir}0"));
        below.filter(move |(path, _)| parent(path) == dir)
    }
}

fn failed(failure: CallFailure) -> io::Error {
    let what = match failure {
        CallFailure::Refused => "the disk did not answer",
        CallFailure::AnswerLost => "the disk's answer was lost",
        CallFailure::Dead => "the process is gone",
    };
    io::Error::new(ErrorKind::TimedOut, what)
}

impl SimulatedDisk {
    fn call<R>(
        &self,
        call: DiskCall,
        path: &Path,
        effect: impl FnOnce(&mut Contents) -> io::Result<R>,
    ) -> io::Result<R> {
        self.call_or_fail(call, path, effect).unwrap_or_else(|failure| Err(failed(failure)))
    }

    fn call_or_fail<R>(
        &self,
        call: DiskCall,
        path: &Path,
        effect: impl FnOnce(&mut Contents) -> io::Result<R>,
    ) -> Result<io::Result<R>, CallFailure> {
        let call = Call::new(CallKind::Disk(call), text(path));
        let answer = self.handle.call(call, || effect(&mut self.disk.contents()));
        if let Err(CallFailure::Dead) = &answer {
            self.is_dead.store(true, Ordering::Relaxed);
        }
        answer
    }
}

impl SimulatedDisk {
    /// Makes a folder where `may` says so, and makes its name durable.
    fn make_folder(&self, dir: &Path, may: impl FnOnce(&Contents) -> bool) -> io::Result<()> {
        let is_new = self.call(DiskCall::CreateFolder, dir, |contents| {
            if contents.names.contains_key(text(dir)) {
                return Err(ErrorKind::NotADirectory.into());
            }
            match may(contents) {
                true => Ok(contents.folders.insert(text(dir).to_string())),
                false => Err(ErrorKind::NotFound.into()),
            }
        })?;
        if is_new { self.sync_dir(Path::new(parent(text(dir)))) } else { Ok(()) }
    }

    fn write_volatile(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let was_dead = self.is_dead.load(Ordering::Relaxed);
        let mut written = false;
        let answer = self.call(DiskCall::Write, path, |contents| {
            written = true;
            contents.write(text(path), bytes)
        });
        // Whoever dies in the middle leaves a part.
        if !was_dead && !written && self.is_dead.load(Ordering::Relaxed) {
            let _ = self.disk.contents().write(text(path), &bytes[..bytes.len() / 2]);
        }
        answer
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.call(DiskCall::SyncFile, path, |contents| {
            let file = contents.file(text(path))?;
            if !self.forgets_syncs {
                contents.files[file].durable = contents.files[file].bytes.clone();
            }
            Ok(())
        })
    }
}

impl Disk for SimulatedDisk {
    /// Two calls: what was written is not durable yet, and others may come in between.
    fn write(&self, path: &Path, contents: &mut dyn BufRead) -> io::Result<()> {
        let mut bytes = Vec::new();
        contents.read_to_end(&mut bytes)?;
        self.write_volatile(path, &bytes)?;
        self.sync_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.call(DiskCall::SyncFolder, dir, |contents| {
            let dir = text(dir);
            contents.folder(dir)?;
            if self.forgets_syncs {
                return Ok(());
            }
            contents.note_breach(dir);
            contents.durable_names.retain(|path, _| parent(path) != dir);
            let now = Contents::inside(&contents.names, dir);
            contents.durable_names.extend(now.map(|(path, file)| (path.clone(), *file)));
            let below = contents.folders.range(format!("{dir}/")..format!("{dir}0"));
            let inside: Vec<String> = below.filter(|path| parent(path) == dir).cloned().collect();
            contents.durable_folders.extend(inside);
            Ok(())
        })
    }

    /// A file system behind a network may be asked twice where an answer was lost, and say that the name exists
    /// that it has just given.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let linked = self.call_or_fail(DiskCall::Link, to, |contents| {
            let file = contents.file(text(from))?;
            if contents.names.contains_key(text(to)) || contents.folders.contains(text(to)) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            contents.folder(parent(text(to)))?;
            contents.names.insert(text(to).to_string(), file);
            Ok(())
        });
        let asks_twice = || self.disk.contents().files.len().is_multiple_of(2);
        match linked {
            Ok(linked) => linked,
            Err(CallFailure::AnswerLost) if asks_twice() => Err(ErrorKind::AlreadyExists.into()),
            Err(failure) => Err(failed(failure)),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(DiskCall::Rename, to, |contents| {
            let file = contents.file(text(from))?;
            contents.room_for(text(to))?;
            contents.names.remove(text(from));
            contents.names.insert(text(to).to_string(), file);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(DiskCall::Remove, path, |contents| {
            contents.file(text(path))?;
            contents.names.remove(text(path));
            Ok(())
        })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.call(DiskCall::Read, path, |contents| {
            let file = contents.file(text(path))?;
            Ok(contents.files[file].bytes.to_vec())
        })
    }

    /// Reads are calls, too.
    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let file = self.call(DiskCall::Read, path, |contents| contents.file(text(path)))?;
        let disk = self.disk.mount(self.handle.clone());
        Ok(Box::new(Opened::new(disk, path, file)))
    }

    fn status(&self, path: &Path) -> io::Result<FileStatus> {
        self.call(DiskCall::Read, path, |contents| contents.status(contents.file(text(path))?))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.call(DiskCall::List, dir, |contents| {
            let inside = Contents::inside(&contents.names, text(dir));
            Ok(inside.map(|(path, _)| PathBuf::from(path)).collect())
        })
    }

    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.call(DiskCall::List, dir, |contents| {
            let dir = text(dir);
            let below = contents.folders.range(format!("{dir}/")..format!("{dir}0"));
            let inside = below.filter(|path| parent(path) == dir);
            Ok(inside.map(PathBuf::from).collect())
        })
    }

    /// A look, which makes nothing durable.
    fn has_dir(&self, dir: &Path) -> io::Result<bool> {
        self.call(DiskCall::Read, dir, |contents| Ok(contents.folder(text(dir)).is_ok()))
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.call(DiskCall::Remove, dir, |contents| {
            let dir = text(dir);
            contents.folder(dir)?;
            let (from, to) = (format!("{dir}/"), format!("{dir}0"));
            if contents.names.range(from.clone()..to.clone()).next().is_some()
                || contents.folders.range(from..to).next().is_some()
            {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            contents.folders.remove(dir);
            contents.durable_folders.remove(dir);
            Ok(())
        })
    }

    /// Two calls for each folder that is not there, from the first of them down, as on the machine's own
    /// disk: one to make it, and one to make its name durable.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut folders: Vec<&Path> =
            dir.ancestors().filter(|path| !text(path).is_empty()).collect();
        let is_there = |folder: &Path| self.disk.contents().folders.contains(text(folder));
        while let Some(folder) = folders.pop() {
            // That a folder above is there is seen in the same call.
            if !folders.is_empty() && is_there(folder) {
                continue;
            }
            self.make_folder(folder, |_| true)?;
        }
        Ok(())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.make_folder(dir, |contents| contents.folder(parent(text(dir))).is_ok())
    }
}
