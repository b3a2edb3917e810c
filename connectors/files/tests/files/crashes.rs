//! A crash at every step that a sink takes on the disk, with everything that a power failure may
//! do to what was not synced.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use steadfast_core::disk::Disk;
use steadfast_core::id::CheckpointId;
use steadfast_core::sink::{Sink, Target, TargetIdentity};
use steadfast_files::JsonLinesSink;

/// What a power failure does to what was not synced.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// Nothing: the process died, and the machine did not.
    Nothing,
    /// Names and contents are what they were at their last sync.
    Everything,
    /// The names are the new ones, the contents are not: half of them is there.
    Contents,
    /// Names that were removed are gone, names that were added are not there, and a name that was
    /// replaced stands for what it was before.
    Additions,
}

#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    synced: Option<Vec<u8>>,
}

#[derive(Default)]
struct State {
    /// Names as a running process sees them, and as they would be after a power failure.
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    files: Vec<File>,
    /// Steps until the crash.
    left: usize,
    crashed: bool,
}

/// A disk in memory that stops at a chosen step.
#[derive(Clone, Default)]
struct CrashDisk(Arc<Mutex<State>>);

impl CrashDisk {
    /// From now on, the step after `steps` steps is half done and nothing more happens.
    fn crash_after(&self, steps: usize) {
        self.0.lock().unwrap().left = steps;
    }

    fn crashed(&self) -> bool {
        self.0.lock().unwrap().crashed
    }

    /// The disk as the next process finds it.
    fn restart(&self, loss: Loss) {
        let state = &mut *self.0.lock().unwrap();
        (state.left, state.crashed) = (usize::MAX, false);
        match loss {
            Loss::Nothing | Loss::Contents => {}
            Loss::Everything => state.names = state.synced_names.clone(),
            Loss::Additions => {
                let old = &state.synced_names;
                let names = state.names.keys().filter_map(|name| old.get_key_value(name));
                state.names = names.map(|(name, file)| (name.clone(), *file)).collect();
            }
        }
        for file in &mut state.files {
            if loss == Loss::Nothing {
                continue;
            }
            let half = file.bytes.len() / 2;
            let unsynced =
                if loss == Loss::Contents { file.bytes[..half].to_vec() } else { Vec::new() };
            file.bytes = file.synced.clone().unwrap_or(unsynced);
        }
        state.synced_names = state.names.clone();
        state.files.iter_mut().for_each(|file| file.synced = Some(file.bytes.clone()));
    }

    fn names(&self) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_string();
        self.0.lock().unwrap().names.keys().map(name).collect()
    }

    /// Counts a step. The one at which the disk stops is not done, but for half a write.
    fn step<R>(&self, act: impl FnOnce(&mut State, bool) -> Result<R>) -> Result<R> {
        let state = &mut *self.0.lock().unwrap();
        if state.crashed {
            return Err(Error::other("crashed"));
        }
        state.crashed = state.left == 0;
        state.left = state.left.saturating_sub(1);
        let crashes = state.crashed;
        act(state, crashes)
    }
}

fn stopped() -> Error {
    Error::other("crashed")
}

impl Disk for CrashDisk {
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.step(|state, crashes| {
            let kept = if crashes { &bytes[..bytes.len() / 2] } else { bytes };
            match state.names.get(path) {
                Some(file) => state.files[*file].bytes = kept.to_vec(),
                None => {
                    state.names.insert(path.to_path_buf(), state.files.len());
                    state.files.push(File { bytes: kept.to_vec(), synced: None });
                }
            }
            if crashes { Err(stopped()) } else { Ok(()) }
        })
    }

    fn sync_file(&self, path: &Path) -> Result<()> {
        self.step(|state, crashes| {
            let file = *state.names.get(path).ok_or(ErrorKind::NotFound)?;
            if crashes {
                return Err(stopped());
            }
            state.files[file].synced = Some(state.files[file].bytes.clone());
            Ok(())
        })
    }

    fn sync_dir(&self, _: &Path) -> Result<()> {
        self.step(|state, crashes| {
            if crashes {
                return Err(stopped());
            }
            state.synced_names = state.names.clone();
            Ok(())
        })
    }

    fn link(&self, _: &Path, _: &Path) -> Result<()> {
        Err(std::io::Error::other("sinks replace, they do not link"))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.step(|state, crashes| {
            if crashes {
                return Err(stopped());
            }
            let file = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
            state.names.insert(to.to_path_buf(), file);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.step(|state, crashes| {
            if crashes {
                return Err(stopped());
            }
            state.names.remove(path).map(drop).ok_or(ErrorKind::NotFound.into())
        })
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let state = self.0.lock().unwrap();
        let file = *state.names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(state.files[file].bytes.clone())
    }

    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let state = self.0.lock().unwrap();
        Ok(state.names.keys().filter(|path| path.parent() == Some(dir)).cloned().collect())
    }

    fn create_dir_all(&self, _: &Path) -> Result<()> {
        Ok(())
    }
}

fn open(disk: &CrashDisk) -> steadfast_core::Result<Box<dyn Target>> {
    let identity = TargetIdentity { job: "job".to_string(), sink: "sink".to_string() };
    JsonLinesSink::<u64>::on_disk(Arc::new(disk.clone()), "out").target(&identity)
}

const MARKER: &str = ".steadfast-marker.json";
const LOSSES: [Loss; 4] = [Loss::Nothing, Loss::Everything, Loss::Contents, Loss::Additions];

/// A folder with the output of the first checkpoint.
fn after_first_cut() -> CrashDisk {
    let disk = CrashDisk::default();
    disk.crash_after(usize::MAX);
    open(&disk).unwrap().apply(CheckpointId(1), &[b"1\n".to_vec()]).unwrap();
    disk
}

/// Does something with a crash at its first, second, … step, until it is done without. Then the
/// next process looks.
fn at_every_step(
    act: impl Fn(&mut dyn Target) -> steadfast_core::Result<()>,
    look: impl Fn(&CrashDisk, bool, &str),
) {
    for loss in LOSSES {
        for steps in 0.. {
            assert!(steps < 100, "it never ends");
            let disk = after_first_cut();
            let mut target = open(&disk).unwrap();
            disk.crash_after(steps);
            let done = act(&mut *target);
            let crashed = disk.crashed();
            assert_eq!(done.is_err(), crashed, "{done:?}");
            disk.restart(loss);
            look(&disk, !crashed, &format!("{loss:?} after {steps} steps"));
            if !crashed {
                assert!(steps > 1);
                break;
            }
        }
    }
}

#[test]
fn a_cut_that_is_applied_again_after_a_crash_at_any_step_leaves_one_intact_part() {
    let parts = [b"2\n".to_vec(), b"3\n".to_vec()];
    at_every_step(
        |target| target.apply(CheckpointId(2), &parts),
        |disk, done, when| {
            // What has been committed before is there, whatever happened.
            assert_eq!(
                disk.read(Path::new("out/part-0000000001.jsonl")).unwrap(),
                b"1\n",
                "{when}"
            );
            let mut target = open(disk).unwrap();
            let applied = target.applied().unwrap();
            assert!(applied == Some(CheckpointId(2)) || !done && applied == Some(CheckpointId(1)));
            // A part that can be seen is whole, even before it is applied again.
            if let Ok(part) = disk.read(Path::new("out/part-0000000002.jsonl")) {
                assert_eq!(part, b"2\n3\n", "{when}");
            } else {
                assert_eq!(applied, Some(CheckpointId(1)), "{when}");
            }
            target.apply(CheckpointId(2), &parts).unwrap();
            assert_eq!(target.applied().unwrap(), Some(CheckpointId(2)));
            let names = [MARKER, "part-0000000001.jsonl", "part-0000000002.jsonl"];
            assert_eq!(disk.names(), names, "{when}");
            assert_eq!(disk.read(Path::new("out/part-0000000002.jsonl")).unwrap(), b"2\n3\n");
            // And it stays so.
            disk.restart(Loss::Everything);
            assert_eq!(disk.names(), names, "{when}");
        },
    );
}

#[test]
fn a_reset_that_is_repeated_after_a_crash_at_any_step_leaves_nothing() {
    at_every_step(
        |target| target.reset(),
        |disk, done, when| {
            let names = disk.names();
            // Parts without a marker would be taken for the output of the job that starts from scratch.
            assert!(
                names.is_empty() || names.iter().any(|name| name == MARKER),
                "{when}: {names:?}"
            );
            assert!(!done || names.is_empty(), "{when}: {names:?}");
            open(disk).unwrap().reset().unwrap();
            disk.restart(Loss::Everything);
            assert!(disk.names().is_empty(), "{when}: {:?}", disk.names());
        },
    );
}
