//! A disk that keeps after a crash what was synced, and of the rest whatever it likes.
//!
//! Contents and names are durable separately, as on a real file system: a file that was synced but
//! whose folder was not may have no name after a crash; one whose folder was synced but which was
//! not may be empty or torn.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_core::disk::Disk;

use crate::fault_injector::{Fate, FaultInjector};

/// The durable_disk, which outlive every process.
#[derive(Clone, Default)]
pub struct DurableDisk(Arc<Mutex<Contents>>);

#[derive(Default)]
struct Contents {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
}

struct File {
    bytes: Vec<u8>,
    durable: Vec<u8>,
}

/// The disk as one process sees it.
pub struct SimulatedDisk {
    durable_disk: DurableDisk,
    fault_injector: FaultInjector,
}

impl DurableDisk {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk for a process with this fault_injector.
    pub fn mount(&self, fault_injector: FaultInjector) -> SimulatedDisk {
        SimulatedDisk { durable_disk: self.clone(), fault_injector }
    }

    /// The power fails: what was not synced is lost, kept or torn, as `random` likes.
    pub fn lose_power(&self, random: &mut fastrand::Rng) {
        let contents = &mut *self.contents();
        let all: BTreeSet<PathBuf> =
            contents.names.keys().chain(contents.durable_names.keys()).cloned().collect();
        for path in all {
            let (now, then) = (contents.names.get(&path), contents.durable_names.get(&path));
            let kept = if random.bool() { now.copied() } else { then.copied() };
            match kept {
                Some(file) => contents.names.insert(path, file),
                None => contents.names.remove(&path),
            };
        }
        contents.durable_names = contents.names.clone();
        for file in &mut contents.files {
            if file.bytes != file.durable {
                let kept = match random.u8(..3) {
                    0 => file.durable.clone(),
                    1 => file.bytes[..random.usize(..=file.bytes.len())].to_vec(),
                    _ => file.bytes.clone(),
                };
                file.bytes = kept.clone();
                file.durable = kept;
            }
        }
    }
}

fn failed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, what.to_string())
}

impl SimulatedDisk {
    /// Carries out a change of the contents as the fault_injector lets it. `torn` is what is left of it if
    /// the process dies within.
    fn change<R>(
        &self,
        change: impl FnOnce(&mut Contents) -> io::Result<R>,
        torn: impl FnOnce(&mut Contents, &FaultInjector),
    ) -> io::Result<R> {
        match self.fault_injector.fate() {
            Fate::Good => change(&mut self.durable_disk.contents()),
            Fate::Refused => Err(failed("the disk did not answer")),
            Fate::AnswerLost => {
                change(&mut self.durable_disk.contents())?;
                Err(failed("the disk's answer was lost"))
            }
            Fate::DiesWithin => {
                torn(&mut self.durable_disk.contents(), &self.fault_injector);
                Err(failed("the process is gone"))
            }
            Fate::Dead => Err(failed("the process is gone")),
        }
    }

    fn look<R>(&self, look: impl FnOnce(&Contents) -> io::Result<R>) -> io::Result<R> {
        match self.fault_injector.fate() {
            Fate::Good => look(&self.durable_disk.contents()),
            _ => Err(failed("the disk did not answer")),
        }
    }
}

fn file_at(contents: &Contents, path: &Path) -> io::Result<usize> {
    contents.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
}

fn create(contents: &mut Contents, path: &Path, bytes: &[u8]) {
    contents.files.push(File { bytes: bytes.to_vec(), durable: Vec::new() });
    contents.names.insert(path.to_path_buf(), contents.files.len() - 1);
}

impl Disk for SimulatedDisk {
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.change(
            |contents| {
                create(contents, path, bytes);
                Ok(())
            },
            |contents, fault_injector| {
                create(contents, path, &bytes[..fault_injector.draw(bytes.len() + 1)])
            },
        )
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.change(
            |contents| {
                let file = file_at(contents, path)?;
                contents.files[file].durable = contents.files[file].bytes.clone();
                Ok(())
            },
            |_, _| {},
        )
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(
            |contents| {
                let inside = |path: &Path| path.parent() == Some(dir);
                contents.durable_names.retain(|path, _| !inside(path));
                let now = contents.names.iter().filter(|(path, _)| inside(path));
                contents.durable_names.extend(now.map(|(path, file)| (path.clone(), *file)));
                Ok(())
            },
            |_, _| {},
        )
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(
            |contents| {
                let file = file_at(contents, from)?;
                if contents.names.contains_key(to) {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                contents.names.insert(to.to_path_buf(), file);
                Ok(())
            },
            |_, _| {},
        )
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(
            |contents| {
                let file = file_at(contents, from)?;
                contents.names.remove(from);
                contents.names.insert(to.to_path_buf(), file);
                Ok(())
            },
            |_, _| {},
        )
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(
            |contents| {
                file_at(contents, path)?;
                contents.names.remove(path);
                Ok(())
            },
            |_, _| {},
        )
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.look(|contents| Ok(contents.files[file_at(contents, path)?].bytes.clone()))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.look(|contents| {
            let inside = contents.names.keys().filter(|path| path.parent() == Some(dir));
            Ok(inside.cloned().collect())
        })
    }

    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        // Folders are always there; only the call itself can fail.
        self.change(|_| Ok(()), |_, _| {})
    }
}
