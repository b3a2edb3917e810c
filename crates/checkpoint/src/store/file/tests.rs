//! What is durable when a put returns, and what sweeping does to whoever is writing.

use std::io::BufRead;

use steadfast_core::ErrorKind as Kind;

use super::*;

type Act = Box<dyn Fn() + Send>;

/// The machine's disk, which makes no folder's name durable by itself (as if it had been created by a
/// process that died before it did), takes note of the folders that are synced, and lets others act
/// before one call.
#[derive(Default)]
struct Watched {
    synced: Mutex<BTreeSet<PathBuf>>,
    calls: AtomicU64,
    before: Mutex<Option<(u64, Act)>>,
}

impl Watched {
    fn call(&self) -> &SystemDisk {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let due = self.before.lock().unwrap().take_if(|(at, _)| *at == call);
        if let Some((_, act)) = due {
            act();
        }
        &SystemDisk
    }

    /// The folders that have been synced since the last call, as paths below `base`. All above that are synced
    /// together, once.
    fn take_synced(&self, base: &Path) -> Vec<String> {
        let synced = std::mem::take(&mut *self.synced.lock().unwrap());
        let above = synced.iter().filter(|path| !path.starts_with(base)).count();
        assert!(above == 0 || above == base.ancestors().count() - 1, "{synced:?}");
        let below = |path: &PathBuf| Some(path.strip_prefix(base).ok()?.display().to_string());
        synced.iter().filter_map(below).collect()
    }
}

impl Disk for Watched {
    fn write(&self, path: &Path, contents: &mut dyn BufRead) -> io::Result<()> {
        self.call().write(path, contents)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.call().sync_dir(path)?;
        self.synced.lock().unwrap().insert(path.to_path_buf());
        Ok(())
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call().link(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call().rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call().remove(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.call().read(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.call().list(dir)
    }
    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.call().list_dirs(dir)
    }
    fn has_dir(&self, dir: &Path) -> io::Result<bool> {
        self.call().has_dir(dir)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.call().remove_dir(dir)
    }
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.call();
        std::fs::create_dir_all(dir)
    }
}

/// A new folder, and a way to open the store in it.
fn place() -> (tempfile::TempDir, impl Fn(&Arc<Watched>) -> FileStore) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("jobs/store");
    let open = move |disk: &Arc<Watched>| FileStore::on_disk(Arc::clone(disk) as _, &root, "w");
    (dir, open)
}

#[test]
fn the_names_of_all_folders_above_an_object_are_durable_when_it_is() {
    let (dir, open) = place();
    let disk = Arc::new(Watched::default());
    let synced = || disk.take_synced(dir.path());
    let all = ["", "jobs", "jobs/store", "jobs/store/log", "jobs/store/log/0"];
    // A second process does not know what the first has made durable, also where the object is there.
    for _ in 0..2 {
        let store = open(&disk);
        store.put_if_absent("log/0/1", b"a").unwrap();
        assert_eq!(synced(), all);
        store.put_if_absent("log/0/2", b"a").unwrap();
        assert_eq!(synced(), ["jobs/store/log/0"], "what is durable stays so");
        store.put_if_absent("log/1/3", b"a").unwrap();
        assert_eq!(synced(), ["jobs/store/log", "jobs/store/log/1"]);
        // A folder that was removed because it was empty has a new name to be made durable.
        store.delete("log/1/3").unwrap();
        store.put_if_absent("log/1/4", b"a").unwrap();
        let again = synced();
        assert_eq!(again, ["jobs/store/log", "jobs/store/log/1"]);
        store.delete("log/1/4").unwrap();
    }
}

#[test]
fn what_others_left_half_written_is_swept_and_nothing_else() {
    let (dir, open) = place();
    let store = open(&Arc::default());
    store.put_if_absent("log/0/1", b"a").unwrap();
    let root = dir.path().join("jobs/store");
    let write = |name: &str| {
        std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        std::fs::write(root.join(name), b"half").unwrap();
    };
    let half = ["log/0/.tmp-dead-3", "log/0/.tmp-ww-1", "data/7/.tmp-dead-1", "log/0/.tmp-w-9"];
    half.iter().for_each(|name| write(name));
    store.sweep().unwrap();
    let mut left = SystemDisk.list(&root.join("log/0")).unwrap();
    left.sort_unstable();
    assert_eq!(left, [".tmp-w-9", "1"].map(|name| root.join("log/0").join(name)));
    assert!(!root.join("data/7").exists(), "a folder that is empty is not needed");
    assert_eq!(store.get("log/0/1").unwrap().as_deref(), Some(&b"a"[..]));
    // And in a folder that is not there yet.
    FileStore::new(dir.path().join("nowhere"), "w").sweep().unwrap();
}

/// The holder of the claim sweeps while a process writes that only sleeps, or has come later.
#[test]
fn whoever_is_swept_while_it_writes_begins_again() {
    for existing in [false, true] {
        for at in 0.. {
            let (dir, open) = place();
            let root = dir.path().join("jobs/store");
            if existing {
                FileStore::new(&root, "before").put_if_absent("log/0/1", b"old").unwrap();
            }
            let leader = FileStore::new(&root, "leader");
            let sweep = Box::new(move || leader.sweep().unwrap()) as Act;
            let disk = Arc::new(Watched::default());
            *disk.before.lock().unwrap() = Some((at, sweep));
            let put = open(&disk).put_if_absent("log/0/1", b"new").unwrap();
            let expected = if existing { Put::AlreadyExists } else { Put::Created };
            assert_eq!(put, expected, "before call {at}");
            let bytes = std::fs::read(root.join("log/0/1")).unwrap();
            assert_eq!(bytes, if existing { b"old" } else { b"new" }, "before call {at}");
            let left = SystemDisk.list(&root.join("log/0")).unwrap();
            assert_eq!(left, [root.join("log/0/1")], "before call {at}");
            if disk.before.lock().unwrap().is_some() {
                assert!(at > 5, "it was swept within the put");
                break;
            }
        }
    }
}

/// A folder that is not mounted, or was moved away for a moment, must not look as if it were empty:
/// another commit would take the place of one that is there.
#[test]
fn a_store_whose_folder_is_gone_does_not_answer_until_it_is_back() {
    let (dir, open) = place();
    let (root, elsewhere) = (dir.path().join("jobs/store"), dir.path().join("elsewhere"));
    // Whoever has only read knows as well that there is a store.
    for writes in [true, false] {
        open(&Arc::default()).put_if_absent("log/0/1", b"a").unwrap();
        let store = open(&Arc::default());
        match writes {
            true => assert_eq!(store.put_if_absent("log/0/2", b"b").unwrap(), Put::Created),
            false => assert_eq!(store.get("log/0/9").unwrap(), None),
        }
        std::fs::rename(&root, &elsewhere).unwrap();
        let refused = [
            store.get("log/0/1").map(drop),
            store.get("log/0/9").map(drop),
            store.put_if_absent("log/0/3", b"c").map(drop),
            store.put_if_absent("log/1/4", b"d").map(drop),
            store.list("log/").map(drop),
            store.delete("log/0/1"),
            store.sweep(),
        ];
        for refused in refused {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable, "{error}");
            assert!(error.to_string().contains("the folder of the store is gone"), "{error}");
        }
        assert!(!root.exists(), "it was made again, and the store cannot come back");
        std::fs::rename(&elsewhere, &root).unwrap();
        assert_eq!(store.get("log/0/1").unwrap().as_deref(), Some(&b"a"[..]));
        assert_eq!(store.get("log/0/3").unwrap(), None, "what was not said to be done");
        assert_eq!(store.put_if_absent("log/1/4", b"d").unwrap(), Put::Created);
        store.delete("log/1/4").unwrap();
    }
    // A store that nobody has made is empty.
    let nobodys = FileStore::new(dir.path().join("nobodys"), "w");
    assert_eq!(nobodys.get("log/0/1").unwrap(), None);
    assert_eq!(nobodys.list("").unwrap(), [""; 0]);
    assert_eq!(nobodys.put_if_absent("log/0/1", b"a").unwrap(), Put::Created);
}
