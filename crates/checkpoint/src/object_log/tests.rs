//! The log in memory and in a folder, and others that come between two of its reads.

use steadfast_conformance as conformance;

use super::*;
use crate::store::{FileStore, MemoryStore};

#[test]
fn it_is_a_commit_log() {
    conformance::commit_log(|| {
        let store = Arc::new(MemoryStore::new());
        move || {
            let store = Arc::clone(&store) as Arc<dyn Store>;
            Box::new(ObjectLog::new(store)) as Box<dyn CommitLog>
        }
    });
}

#[test]
fn it_is_a_commit_log_in_a_folder() {
    conformance::commit_log(|| {
        // In memory where there is such a place: thousands of entries, and durability is not the subject.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let writers = AtomicU64::new(0);
        move || {
            let writer = format!("w{}", writers.fetch_add(1, Ordering::Relaxed));
            let store = Arc::new(FileStore::new(dir.path(), writer));
            Box::new(ObjectLog::new(store)) as Box<dyn CommitLog>
        }
    });
}

#[test]
fn it_is_a_commit_log_with_blocks_of_any_size() {
    for block in [1, 2, 3] {
        conformance::commit_log(|| {
            let store = Arc::new(MemoryStore::new());
            move || {
                let store = Arc::clone(&store) as Arc<dyn Store>;
                let log = ObjectLog::with_layout(store, LogLayout { block });
                Box::new(log) as Box<dyn CommitLog>
            }
        });
    }
}

/// Within whose first look at an entry others append, close and sweep two blocks. Its listings show
/// nothing, so that what they would notice by chance is noticed by the gets alone.
struct Overtaken {
    store: Arc<MemoryStore>,
    by: Box<dyn Fn() + Send + Sync>,
    happened: std::sync::Once,
}

impl Store for Overtaken {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        self.store.put_if_absent(name, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        if name.starts_with("log/") {
            self.happened.call_once(|| (self.by)());
        }
        self.store.get(name)
    }

    /// As stale as a listing may be: nothing of this is in it yet.
    fn list(&self, _prefix: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.store.delete(name)
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}

/// Found by the explorer: an entry that is deleted between two reads of a look is not the end.
#[test]
fn a_look_never_takes_what_was_forgotten_meanwhile_for_the_end() {
    let (store, layout) = (Arc::new(MemoryStore::new()), LogLayout { block: 2 });
    let other = ObjectLog::with_layout(Arc::clone(&store) as Arc<dyn Store>, layout);
    let by = Box::new(move || {
        for index in 1..6 {
            assert_eq!(other.append(LogIndex(index), b"a").unwrap(), Appended::Done);
        }
        other.forget_before(LogIndex(5)).unwrap();
    });
    let store = Overtaken { store, by, happened: std::sync::Once::new() };
    let range = ObjectLog::with_layout(Arc::new(store), layout).look().unwrap();
    assert_eq!(range, LogRange { first: LogIndex(4), next: LogIndex(6) });
}

/// The same where the log begins later than at 1: there nothing but the block tells.
#[test]
fn a_look_into_a_block_that_is_closed_meanwhile_is_repeated() {
    let (store, layout) = (Arc::new(MemoryStore::new()), LogLayout { block: 2 });
    let other = ObjectLog::with_layout(Arc::clone(&store) as Arc<dyn Store>, layout);
    let append = |log: &ObjectLog, indexes: std::ops::Range<u64>| {
        for index in indexes {
            assert_eq!(log.append(LogIndex(index), b"a").unwrap(), Appended::Done);
        }
    };
    append(&other, 1..4);
    other.forget_before(LogIndex(2)).unwrap();
    let by = Box::new(move || {
        append(&other, 4..8);
        other.forget_before(LogIndex(6)).unwrap();
    });
    let store = Overtaken { store, by, happened: std::sync::Once::new() };
    let range = ObjectLog::with_layout(Arc::new(store), layout).look().unwrap();
    assert_eq!(range, LogRange { first: LogIndex(6), next: LogIndex(8) });
}

/// Takes note of what is put.
struct Noting(MemoryStore, std::sync::Mutex<Vec<String>>);

impl Store for Noting {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        self.1.lock().unwrap().push(name.to_string());
        self.0.put_if_absent(name, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.0.get(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.0.list(prefix)
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.0.delete(name)
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

/// Whoever put the last entry of a block may have died before it was durable: a store has only
/// said that an object is durable to whoever has put it.
#[test]
fn the_entry_before_a_block_is_durable_before_the_block_begins() {
    let store = Arc::new(Noting(MemoryStore::new(), std::sync::Mutex::default()));
    let layout = LogLayout { block: 2 };
    let log = ObjectLog::with_layout(Arc::clone(&store) as Arc<dyn Store>, layout);
    (1..5).for_each(|index| assert_eq!(log.append(LogIndex(index), b"a").unwrap(), Appended::Done));
    let expected = [1, 1, 2, 3, 3, 4].map(|index| layout.entry(LogIndex(index)));
    assert_eq!(*store.1.lock().unwrap(), expected);
}

/// Found by the second attack: what looks like an empty log may be one that has lost its beginning.
#[test]
fn a_log_without_its_beginning_is_damaged_and_not_empty() {
    let store = Arc::new(MemoryStore::new());
    let layout = LogLayout { block: 2 };
    let log = ObjectLog::with_layout(Arc::clone(&store) as Arc<dyn Store>, layout);
    for index in 1..8 {
        assert_eq!(log.append(LogIndex(index), b"a").unwrap(), Appended::Done);
    }
    log.forget_before(LogIndex(6)).unwrap();
    store.delete(&LogBlock(0).closed()).unwrap();
    let error = log.look().unwrap_err();
    assert_eq!(error.kind(), steadfast_core::ErrorKind::Damaged, "{error}");
    // An entry that is lost in the middle of a block is not the end of the log.
    let store = Arc::new(MemoryStore::new());
    let log = ObjectLog::new(Arc::clone(&store) as Arc<dyn Store>);
    for index in 1..14 {
        assert_eq!(log.append(LogIndex(index), b"a").unwrap(), Appended::Done);
    }
    for lost in 1..13 {
        store.delete(&LogLayout::default().entry(LogIndex(lost))).unwrap();
        let found = log.look().map(|range| range.next);
        assert!(found.is_err() || found.unwrap() == LogIndex(14), "{lost}");
        log.append(LogIndex(lost), b"a").unwrap();
    }
    // Nor is the last one of a block the end, if the next block is there.
    let store = Arc::new(MemoryStore::new());
    let layout = LogLayout { block: 4 };
    let log = ObjectLog::with_layout(Arc::clone(&store) as Arc<dyn Store>, layout);
    for index in 1..14 {
        assert_eq!(log.append(LogIndex(index), b"a").unwrap(), Appended::Done);
    }
    for lost in 1..13 {
        store.delete(&layout.entry(LogIndex(lost))).unwrap();
        let found = log.look().map(|range| range.next);
        assert!(found.is_err() || found.unwrap() == LogIndex(14), "{lost}");
        store.put_if_absent(&layout.entry(LogIndex(lost)), b"a").unwrap();
    }
    // The same where no more is left of a job than what its first process had written.
    let store = Arc::new(MemoryStore::new());
    let log = ObjectLog::new(Arc::clone(&store) as Arc<dyn Store>);
    assert_eq!(log.look().unwrap().next, LogIndex(1));
    store.put_if_absent("data/000000000000/1-1-0-x", b"").unwrap();
    assert!(log.look().is_err());
}

/// B1 of the first attack: B looks, A goes on until the next index is free again, B claims.
#[test]
fn nobody_is_appended_into_a_hole_that_forgetting_has_made() {
    let store = Arc::new(MemoryStore::new());
    let log = |store: &Arc<MemoryStore>| ObjectLog::new(Arc::clone(store) as Arc<dyn Store>);
    let (a, b) = (log(&store), log(&store));
    for index in 1..600 {
        assert_eq!(a.append(LogIndex(index), b"a").unwrap(), Appended::Done);
    }
    a.forget_before(LogIndex(590)).unwrap();
    for index in 1..512 {
        assert_eq!(b.claim(LogIndex(index), b"b").unwrap(), Appended::Forgotten, "{index}");
        // What it has put there is never read.
        assert_eq!(log(&store).read(LogIndex(index)).unwrap(), None);
    }
    assert_eq!(b.claim(LogIndex(512), b"b").unwrap(), Appended::Taken(b"a".to_vec()));
    assert_eq!(log(&store).look().unwrap().next, LogIndex(600));
}

/// A store that is put back while a process closes blocks: the simulation saw a look that never ended.
#[test]
fn a_closed_block_behind_an_open_one_is_damage_and_no_endless_look() {
    let store = Arc::new(MemoryStore::new());
    let log = ObjectLog::with_layout(Arc::clone(&store) as Arc<dyn Store>, LogLayout { block: 2 });
    for index in 1..4 {
        assert_eq!(log.append(LogIndex(index), b"a").unwrap(), Appended::Done);
    }
    store.put_if_absent(&LogBlock(2).closed(), b"").unwrap();
    let error = log.look().unwrap_err();
    assert_eq!(error.kind(), steadfast_core::ErrorKind::Damaged, "{error}");
}
