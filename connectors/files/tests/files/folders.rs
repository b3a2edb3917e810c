//! The names of folders: a step that is said to be taken must not be lost with a folder whose name
//! nobody has made durable.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::ffi::OsString;
use std::io::{BufRead, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use steadfast_core::disk::Disk;
use steadfast_core::sink::Sink;
use steadfast_core::target::Target;
use steadfast_files::JsonLinesSink;

use crate::history::{Change, Step, found, identity, output};

/// By their whole names: comparing paths part by part is slow.
type Files = Arc<Mutex<BTreeMap<OsString, Vec<u8>>>>;

/// Files in memory, of which none is ever lost; it takes note of the folders that are synced, and
/// refuses links while it is told to.
struct Noting(Files, Mutex<BTreeSet<PathBuf>>, AtomicBool);

impl Noting {
    fn new(files: &Files) -> Arc<Self> {
        Arc::new(Noting(Arc::clone(files), Mutex::default(), AtomicBool::new(false)))
    }

    /// Since the last call.
    fn take_synced(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut *self.1.lock().unwrap())
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<OsString, Vec<u8>>> {
        self.0.lock().unwrap()
    }
}

impl Disk for Noting {
    fn write(&self, path: &Path, contents: &mut dyn BufRead) -> Result<()> {
        let mut bytes = Vec::new();
        contents.read_to_end(&mut bytes)?;
        self.files().insert(path.into(), bytes);
        Ok(())
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.1.lock().unwrap().insert(path.to_path_buf());
        Ok(())
    }
    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        if self.2.load(Ordering::Relaxed) {
            return Err(ErrorKind::StorageFull.into());
        }
        let bytes = self.read(from)?;
        match self.files().entry(to.into()) {
            Entry::Occupied(_) => Err(ErrorKind::AlreadyExists.into()),
            Entry::Vacant(vacant) => {
                vacant.insert(bytes);
                Ok(())
            }
        }
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let bytes = self.read(from)?;
        self.remove(from)?;
        self.write(to, &mut &*bytes)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        self.files().remove(path.as_os_str()).map(drop).ok_or(ErrorKind::NotFound.into())
    }
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.files().get(path.as_os_str()).cloned().ok_or(ErrorKind::NotFound.into())
    }
    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let files = self.files();
        let paths = files.keys().map(PathBuf::from);
        Ok(paths.filter(|path| path.parent() == Some(dir)).collect())
    }
    fn list_dirs(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let files = self.files();
        let below = files.keys().filter_map(|path| Path::new(path).strip_prefix(dir).ok());
        let folders = below.filter(|path| path.components().count() > 1);
        let all: BTreeSet<_> = folders.map(|path| dir.join(path.iter().next().unwrap())).collect();
        Ok(all.into_iter().collect())
    }
    fn remove_dir(&self, _dir: &Path) -> Result<()> {
        Ok(())
    }
    fn create_dir_all(&self, _dir: &Path) -> Result<()> {
        // As where they have been created by a process that died before their names were durable.
        Ok(())
    }
}

fn open(disk: &Arc<Noting>) -> Box<dyn Target> {
    let disk: Arc<dyn Disk> = Arc::clone(disk) as _;
    JsonLinesSink::<u64>::on_disk(disk, "deep/out").target(&identity("sink")).unwrap()
}

/// What holds the name of a slot, of its folder, and of all above.
const ABOVE_THE_FIRST: [&str; 5] = [
    "deep",
    "deep/out",
    "deep/out/.steadfast",
    "deep/out/.steadfast/slots",
    "deep/out/.steadfast/slots/000000",
];

#[track_caller]
fn holds(synced: &BTreeSet<PathBuf>, wanted: &[&str]) {
    let missing: Vec<_> = wanted.iter().filter(|dir| !synced.contains(Path::new(dir))).collect();
    assert!(missing.is_empty(), "not synced: {missing:?} of {wanted:?}");
}

#[test]
fn the_first_step_in_a_folder_makes_all_names_above_it_durable() {
    let disk = Files::default();
    // The first process may die before it comes to that; whoever makes the same call again, and finds it
    // done, cannot know.
    for _ in 0..2 {
        let first = Noting::new(&disk);
        assert!(Change::after(Step::Acquire, None, 1).make(&mut *open(&first)).unwrap());
        holds(&first.take_synced(), &ABOVE_THE_FIRST);
    }
    // Nor can the next one.
    let second = Noting::new(&disk);
    let mut target = open(&second);
    let expected = found(&mut *target).unwrap();
    assert!(Change::after(Step::Acquire, expected, 2).make(&mut *target).unwrap());
    holds(&second.take_synced(), &ABOVE_THE_FIRST);
}

#[test]
fn parts_that_a_dead_process_has_taken_away_are_made_durable_where_they_are() {
    let disk = Files::default();
    let first = Noting::new(&disk);
    let (mut target, mut marker) = (open(&first), None);
    for step in [Step::Acquire, Step::Apply, Step::Reset] {
        assert!(Change::after(step, marker, 1).make(&mut *target).unwrap());
        marker = found(&mut *target).unwrap();
    }
    // It may have died before it came to that. Nothing is left to be moved.
    let second = Noting::new(&disk);
    assert!(Change::after(Step::Acquire, marker, 2).make(&mut *open(&second)).unwrap());
    let kept = ["deep/out/.steadfast/reset-0000000003", "deep/out/.steadfast", "deep/out"];
    holds(&second.take_synced(), &kept);
}

#[test]
fn a_new_folder_of_slots_has_its_name_made_durable() {
    let disk = Files::default();
    let process = Noting::new(&disk);
    let mut target = open(&process);
    let mut marker = None;
    let new = ["deep/out/.steadfast/slots", "deep/out/.steadfast/slots/000001"];
    for number in 1..=4096_u64 {
        let step = if marker.is_none() { Step::Acquire } else { Step::Apply };
        let change = Change::after(step, marker, 1);
        process.take_synced();
        if number == 4096 {
            // As somebody leaves it who dies between the slot and the sync of the folder above.
            let other = Noting::new(&Arc::new(Mutex::new(process.files().clone())));
            assert!(change.make(&mut *open(&other)).unwrap());
            holds(&other.take_synced(), &new);
        }
        assert!(change.make(&mut *target).unwrap());
        marker = Some(change.marker);
    }
    holds(&process.take_synced(), &new);
    let next = Noting::new(&disk);
    assert!(Change::after(Step::Acquire, marker, 2).make(&mut *open(&next)).unwrap());
    holds(&next.take_synced(), &new);
}

/// Parts are linked into the folder that users look into.
#[test]
fn a_part_that_is_visible_has_a_durable_name() {
    let disk = Files::default();
    let process = Noting::new(&disk);
    let mut target = open(&process);
    let first = Change::after(Step::Acquire, None, 1);
    assert!(first.make(&mut *target).unwrap());
    process.take_synced();
    assert!(Change::after(Step::Apply, Some(first.marker), 1).make(&mut *target).unwrap());
    holds(&process.take_synced(), &["deep/out", "deep/out/.steadfast/staged"]);
}

/// Each would take the room of a whole part on a disk that has none left.
#[test]
fn tries_that_fail_leave_no_more_than_one_staged_part() {
    let disk = Noting::new(&Files::default());
    let mut target = open(&disk);
    let acquire = Change::after(Step::Acquire, None, 1);
    assert!(acquire.make(&mut *target).unwrap());
    let first = Change::after(Step::Apply, Some(acquire.marker), 1);
    let staged = || {
        let files = disk.files();
        let names: Vec<_> = files.keys().map(|path| path.to_str().unwrap().to_string()).collect();
        names.into_iter().filter(|path| path.contains("/staged/")).count()
    };
    for _ in 0..5 {
        disk.2.store(true, Ordering::Relaxed);
        assert!(first.make(&mut *target).is_err());
        assert_eq!(staged(), 1);
    }
    // Somebody may clean up meanwhile.
    disk.files().retain(|path, _| !path.to_str().unwrap().contains("/staged/"));
    assert!(first.make(&mut *target).is_err());
    disk.2.store(false, Ordering::Relaxed);
    assert!(first.make(&mut *target).unwrap());
    let second = Change::after(Step::Apply, Some(first.marker), 1);
    assert!(second.make(&mut *target).unwrap());
    assert_eq!(staged(), 0);
    for (change, number) in [(first, 2), (second, 3)] {
        let part = disk.read(Path::new(&format!("deep/out/part-000000000{number}.jsonl")));
        assert_eq!(part.unwrap(), output(&change.marker), "{number}");
    }
}
