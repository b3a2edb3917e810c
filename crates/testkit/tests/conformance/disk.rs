//! The simulated disk: as it is, with syncs that keep nothing, and with a power failure after every
//! change.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use steadfast_conformance::DiskFixture;
use steadfast_core::disk::Disk;
use steadfast_testkit::baton::Handle;
use steadfast_testkit::disk::{DurableDisk, SimulatedDisk};

const ROOT: &str = "/root";

struct Fixture<F>(DurableDisk, F);

impl<F: Fn(&DurableDisk) -> Box<dyn Disk>> Fixture<F> {
    fn new(mount: F) -> Self {
        let disk = DurableDisk::default();
        disk.mount(Handle::undisturbed()).create_dir_all(Path::new(ROOT)).unwrap();
        Fixture(disk, mount)
    }
}

impl<F: Fn(&DurableDisk) -> Box<dyn Disk>> DiskFixture for Fixture<F> {
    fn disk(&self) -> Box<dyn Disk> {
        (self.1)(&self.0)
    }

    fn root(&self) -> PathBuf {
        PathBuf::from(ROOT)
    }
}

#[test]
fn it_is_a_disk() {
    steadfast_conformance::disk(|| {
        Fixture::new(|disk| Box::new(disk.mount(Handle::undisturbed())))
    });
}

#[test]
fn it_is_a_disk_even_if_its_syncs_keep_nothing() {
    steadfast_conformance::disk(|| {
        Fixture::new(|disk| Box::new(disk.mount_unsynced(Handle::undisturbed())))
    });
}

#[test]
fn it_is_a_disk_even_if_the_power_fails_after_whatever_was_synced() {
    for seed in 0..30 {
        steadfast_conformance::disk(|| {
            let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
            Fixture::new(move |disk| {
                let (disk, random) = (disk.clone(), Arc::clone(&random));
                Box::new(Failing { mounted: disk.mount(Handle::undisturbed()), disk, random })
            })
        });
    }
}

/// Makes each change durable, and then the power fails.
struct Failing {
    mounted: SimulatedDisk,
    disk: DurableDisk,
    random: Arc<Mutex<fastrand::Rng>>,
}

impl Failing {
    /// The power fails after a change of names in the folders of `paths`.
    fn changed(&self, paths: &[&Path]) -> io::Result<()> {
        for folder in paths.iter().filter_map(|path| path.parent()) {
            self.mounted.sync_dir(folder)?;
        }
        self.disk.lose_power(&mut self.random.lock().unwrap(), false);
        Ok(())
    }
}

impl Disk for Failing {
    fn write(&self, path: &Path, contents: &mut dyn BufRead) -> io::Result<()> {
        self.mounted.write(path, contents)?;
        self.changed(&[path])
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.mounted.sync_dir(path)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.mounted.link(from, to)?;
        self.changed(&[to])
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.mounted.rename(from, to)?;
        self.changed(&[from, to])
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.mounted.remove(path)?;
        self.changed(&[path])
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.mounted.read(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.mounted.list(dir)
    }
    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.mounted.list_dirs(dir)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.mounted.remove_dir(dir)?;
        self.changed(&[dir])
    }
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.mounted.create_dir_all(dir)?;
        self.changed(&[])
    }
}
