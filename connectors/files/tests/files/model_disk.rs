//! A disk in memory that many processes share: one may stop before any call and let others go on,
//! calls may fail in every way, and a power failure takes what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use steadfast_core::disk::Disk;

use crate::support::Dice;

/// What a power failure does to what was not synced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Nothing: the process died, and the machine did not.
    Nothing,
    /// Names and contents are what they were at their last sync.
    Everything,
    /// The names are the new ones, the contents are not: half of them is there.
    Contents,
    /// Names that were removed are gone, names that were added are not there.
    Additions,
    /// Names that were removed are back, and so are those that were added.
    Removals,
    /// Each name and each content for itself, by the numbers that follow from a seed.
    Random(u64),
}

/// How the chosen call fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// It is not done, or half if it is a write, and no more calls are.
    Dies,
    /// It is not done, and the process goes on.
    Refused,
    /// It is done, the process does not learn of it, and goes on.
    AnswerLost,
    /// It is done, asked for once more by a file system behind a network that has not heard of it, and
    /// answered as that went: the name that it was to give exists, the one that it was to remove is gone.
    AskedTwice,
}

#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Clone, Default)]
struct State {
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    files: Vec<File>,
}

/// The disk itself.
#[derive(Clone, Default)]
pub struct ModelDisk(Arc<Mutex<State>>);

type Meanwhile = Box<dyn FnOnce() + Send>;

/// The disk as one process sees it.
#[derive(Default)]
pub struct Process {
    disk: ModelDisk,
    calls: AtomicUsize,
    meanwhile: Mutex<Option<(usize, Meanwhile)>>,
    fault: Option<(usize, Fault)>,
}

impl ModelDisk {
    /// Another disk with the same contents.
    pub fn copy(&self) -> Self {
        ModelDisk(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }

    pub fn process(&self) -> Arc<Process> {
        Arc::new(Process { disk: self.clone(), ..Process::default() })
    }

    /// A process before whose call number `at` others do something.
    pub fn sleeper(&self, at: usize, act: impl FnOnce() + Send + 'static) -> Arc<Process> {
        let meanwhile: Meanwhile = Box::new(act);
        let meanwhile = Mutex::new(Some((at, meanwhile)));
        Arc::new(Process { disk: self.clone(), meanwhile, ..Process::default() })
    }

    pub fn faulty(&self, at: usize, fault: Fault) -> Arc<Process> {
        Arc::new(Process { disk: self.clone(), fault: Some((at, fault)), ..Process::default() })
    }

    /// The power fails, and comes back.
    pub fn restart(&self, loss: Loss) {
        let state = &mut *self.0.lock().unwrap();
        let mut dice = Dice(if let Loss::Random(seed) = loss { seed } else { 0 });
        let (now, then) = (state.names.clone(), state.synced_names.clone());
        let all: BTreeSet<_> = now.keys().chain(then.keys()).cloned().collect();
        let kept = |path: PathBuf, dice: &mut Dice| {
            let (now, then) = (now.get(&path).copied(), then.get(&path).copied());
            let file = match loss {
                Loss::Nothing | Loss::Contents => now,
                Loss::Everything => then,
                Loss::Additions => then.and(now),
                Loss::Removals => now.or(then),
                Loss::Random(_) => [now, then][dice.below(2)],
            };
            file.map(|file| (path, file))
        };
        state.names = all.into_iter().filter_map(|path| kept(path, &mut dice)).collect();
        state.synced_names = state.names.clone();
        for file in &mut state.files {
            let half = file.bytes[..file.bytes.len() / 2].to_vec();
            let is_lost = match loss {
                Loss::Nothing => false,
                Loss::Random(_) => dice.below(2) == 0,
                _ => true,
            };
            if is_lost && file.bytes != file.synced {
                file.bytes = if loss == Loss::Contents { half } else { file.synced.clone() };
            }
            file.synced = file.bytes.clone();
        }
    }

    /// All files.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.0.lock().unwrap();
        state
            .names
            .iter()
            .map(|(path, file)| (path.clone(), state.files[*file].bytes.clone()))
            .collect()
    }
}

impl Process {
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Whether the chosen call has come.
    pub fn has_failed(&self) -> bool {
        self.fault.is_some_and(|(at, _)| self.calls() > at)
    }

    fn call<R>(&self, act: impl Fn(&mut State, bool) -> Result<R>) -> Result<R> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let meanwhile = self.meanwhile.lock().unwrap().take_if(|(at, _)| *at == call);
        if let Some((_, act)) = meanwhile {
            act();
        }
        let fault =
            self.fault.filter(|(at, fault)| call == *at || *fault == Fault::Dies && call > *at);
        let state = &mut *self.disk.0.lock().unwrap();
        match fault {
            None => act(state, false),
            Some((at, Fault::Dies)) if at == call => act(state, true).and(Err(failed())),
            Some((_, Fault::AnswerLost)) => act(state, false).and(Err(failed())),
            Some((_, Fault::AskedTwice)) => act(state, false).and_then(|_| act(state, false)),
            Some(_) => Err(failed()),
        }
    }

    /// A call that is done whole or not at all.
    fn whole<R>(&self, act: impl Fn(&mut State) -> Result<R>) -> Result<R> {
        self.call(|state, dies| if dies { Err(failed()) } else { act(state) })
    }
}

fn failed() -> Error {
    Error::new(ErrorKind::TimedOut, "the disk did not answer")
}

fn file_at(state: &State, path: &Path) -> Result<usize> {
    state.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
}

impl Disk for Process {
    /// Two calls: what was written is not durable yet.
    fn write(&self, path: &Path, contents: &mut dyn BufRead) -> Result<()> {
        let mut all = Vec::new();
        contents.read_to_end(&mut all)?;
        self.call(|state, dies| {
            let bytes = if dies { &all[..all.len() / 2] } else { &all[..] };
            match state.names.get(path) {
                Some(file) => state.files[*file].bytes = bytes.to_vec(),
                None => {
                    state.names.insert(path.to_path_buf(), state.files.len());
                    state.files.push(File { bytes: bytes.to_vec(), synced: Vec::new() });
                }
            }
            Ok(())
        })?;
        self.whole(|state| {
            let file = file_at(state, path)?;
            state.files[file].synced = state.files[file].bytes.clone();
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.whole(|state| {
            let inside = |path: &Path| path.parent() == Some(dir);
            state.synced_names.retain(|path, _| !inside(path));
            let now = state.names.iter().filter(|(path, _)| inside(path));
            state.synced_names.extend(now.map(|(path, file)| (path.clone(), *file)));
            Ok(())
        })
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        self.whole(|state| {
            let file = file_at(state, from)?;
            if state.names.contains_key(to) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            state.names.insert(to.to_path_buf(), file);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.whole(|state| {
            let file = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
            state.names.insert(to.to_path_buf(), file);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.whole(|state| state.names.remove(path).map(drop).ok_or(ErrorKind::NotFound.into()))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.whole(|state| Ok(state.files[file_at(state, path)?].bytes.clone()))
    }

    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        self.whole(|state| {
            Ok(state.names.keys().filter(|path| path.parent() == Some(dir)).cloned().collect())
        })
    }

    fn list_dirs(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        self.whole(|state| {
            let below = state.names.keys().filter_map(|path| path.strip_prefix(dir).ok());
            let dirs = below.filter(|path| path.components().count() > 1);
            let all: BTreeSet<_> = dirs.map(|path| dir.join(path.iter().next().unwrap())).collect();
            Ok(all.into_iter().collect())
        })
    }

    fn remove_dir(&self, _: &Path) -> Result<()> {
        self.whole(|_| Ok(()))
    }

    fn create_dir_all(&self, _: &Path) -> Result<()> {
        // Folders are always there.
        self.whole(|_| Ok(()))
    }
}
