//! The commit log as objects in a store, appended by conditional puts and found by gets alone.
//!
//! Entries lie in blocks of 256 neighbours (see [`LogLayout`]). A block is forgotten as a whole: first an object says that
//! it is *closed*, which is never taken back, then its entries are deleted. So an index was never used
//! before exactly if a put created it **and** its block is not closed afterwards: deleted entries leave
//! no hole that a process with an old view could take for the end of the log. Closed blocks are the
//! first so many, and entries of open blocks have no gaps; the end is found by searching for the first
//! name that is absent. No listing is needed for any of this.
//!
//! Why it is enough, and what else was considered: `docs/decisions/0001-one-log.md`. It knows nothing
//! of what entries mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use steadfast_core::id::LogIndex;
use steadfast_core::log::{Appended, CommitLog, LogRange};
use steadfast_core::store::{Put, Store};
use steadfast_core::{Error, Result};
use steadfast_protocol::names::{self, LogBlock, LogLayout};

/// See the module.
pub struct ObjectLog {
    store: Arc<dyn Store>,
    layout: LogLayout,
    /// So many blocks are closed and swept, as far as this process knows.
    swept: AtomicU64,
}

impl ObjectLog {
    /// The log whose entries are objects of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_layout(store, LogLayout::default())
    }

    /// The same with another layout, which must be that with which the log was begun.
    pub fn with_layout(store: Arc<dyn Store>, layout: LogLayout) -> Self {
        ObjectLog { store, layout, swept: AtomicU64::new(0) }
    }

    fn exists(&self, name: &str) -> Result<bool> {
        Ok(self.store.get(name)?.is_some())
    }

    fn is_closed(&self, block: LogBlock) -> Result<bool> {
        self.exists(&block.closed())
    }

    /// How many blocks are closed: the first so many.
    fn closed_blocks(&self) -> Result<u64> {
        first_absent(0, |block| self.is_closed(LogBlock(block)))
    }

    /// Makes the entry before `index` durable if it lies in another block: whoever put it may have
    /// died before it was. Within a block that is done by putting the entry itself.
    fn settle_before(&self, index: LogIndex) -> Result<()> {
        if index.0 > 1 && self.layout.first(self.layout.block_of(index)) == index {
            let name = self.layout.entry(LogIndex(index.0 - 1));
            if let Some(bytes) = self.store.get(&name)? {
                self.store.put_if_absent(&name, &bytes)?;
            }
        }
        Ok(())
    }

    fn put(&self, index: LogIndex, entry: &[u8]) -> Result<Appended> {
        let name = self.layout.entry(index);
        self.settle_before(index)?;
        let there = match self.store.put_if_absent(&name, entry)? {
            Put::Created => None,
            Put::AlreadyExists => Some(self.store.get(&name)?),
        };
        // Asked after the put: if the block is open now, nothing in it had been deleted by then.
        if self.is_closed(self.layout.block_of(index))? {
            return Ok(Appended::Forgotten);
        }
        match there {
            None => Ok(Appended::Done),
            Some(Some(bytes)) if bytes == entry => Ok(Appended::Done),
            Some(Some(bytes)) => Ok(Appended::Taken(bytes)),
            Some(None) => {
                let what = format!("log entry {index} was there and is gone");
                Err(Error::damaged(what).at(self.store.describe()))
            }
        }
    }

    /// Whether an entry can be seen behind the first one that is absent: then it has been lost. A
    /// listing may miss what is new; what it shows is there.
    fn has_entry_after(&self, next: LogIndex) -> Result<bool> {
        let entry = self.layout.entry(next);
        let seen = self.store.list(&self.layout.block_of(next).prefix())?;
        Ok(seen.iter().any(|name| *name > entry))
    }

    /// Whether an entry can be seen, or a closed block beyond the first so many. A listing may miss
    /// what is new; it is asked only to notice what has been lost.
    fn has_more_than(&self, closed: u64) -> Result<bool> {
        let known: Vec<_> = (0..closed).map(|block| LogBlock(block).closed()).collect();
        let seen = self.store.list(names::CLOSED)?;
        let is_beyond = seen.iter().any(|name| !known.contains(name));
        // Whoever writes data has claimed before.
        let is_there = |prefix| -> Result<bool> { Ok(!self.store.list(prefix)?.is_empty()) };
        Ok(is_beyond || is_there(names::LOG)? || is_there(names::DATA)?)
    }

    /// Deletes the entries of a closed block.
    fn sweep(&self, block: LogBlock) -> Result<()> {
        // What a listing does not show yet stays behind, and counts for nothing.
        for prefix in [block.prefix(), block.dropped_prefix()] {
            self.store.list(&prefix)?.iter().try_for_each(|name| self.store.delete(name))?;
        }
        Ok(())
    }
}

/// The first number from `first` on that is absent, where all before it are present: in doubling steps
/// beyond it, then by halving.
fn first_absent(first: u64, is_present: impl Fn(u64) -> Result<bool>) -> Result<u64> {
    let (mut present_before, mut step) = (first, 1);
    while is_present(present_before + step - 1)? {
        present_before += step;
        step *= 2;
    }
    let mut absent = present_before + step - 1;
    while present_before < absent {
        let middle = present_before + (absent - present_before) / 2;
        if is_present(middle)? {
            present_before = middle + 1;
        } else {
            absent = middle;
        }
    }
    Ok(absent)
}

impl CommitLog for ObjectLog {
    fn look(&self) -> Result<LogRange> {
        loop {
            let closed = self.closed_blocks()?;
            let first = self.layout.first(LogBlock(closed));
            let exists = |index| self.exists(&self.layout.entry(LogIndex(index)));
            let next = LogIndex(first_absent(first.0, exists)?);
            // Asked last: what is absent from a block that is closed by now may have been deleted, and
            // is not the end.
            if self.is_closed(self.layout.block_of(next))? {
                continue;
            }
            let is_new = next == LogIndex(1);
            if self.has_entry_after(next)? || is_new && self.has_more_than(closed)? {
                if self.exists(&self.layout.entry(next))? || self.closed_blocks()? != closed {
                    // Somebody has begun meanwhile.
                    continue;
                }
                let what = format!("log entry {next} is gone, and what came after it is there");
                return Err(Error::damaged(what)
                    .at(self.store.describe())
                    .hint("restore the store from a copy, or give the job another place"));
            }
            return Ok(LogRange { first, next });
        }
    }

    fn read(&self, index: LogIndex) -> Result<Option<Vec<u8>>> {
        let Some(bytes) = self.store.get(&self.layout.entry(index))? else { return Ok(None) };
        // In a closed block there may be what a process that slept has put into a hole.
        Ok((!self.is_closed(self.layout.block_of(index))?).then_some(bytes))
    }

    fn claim(&self, index: LogIndex, entry: &[u8]) -> Result<Appended> {
        self.put(index, entry)
    }

    fn append(&self, index: LogIndex, entry: &[u8]) -> Result<Appended> {
        self.put(index, entry)
    }

    fn forget_before(&self, index: LogIndex) -> Result<()> {
        let open = self.layout.block_of(index).0;
        if open <= self.swept.load(Ordering::Relaxed) {
            return Ok(());
        }
        let closed = self.closed_blocks()?;
        // The last closed one may not have been swept to its end.
        for block in closed.saturating_sub(1)..open {
            let block = LogBlock(block);
            self.store.put_if_absent(&block.closed(), b"")?;
            self.sweep(block)?;
        }
        self.swept.store(open, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use steadfast_conformance as conformance;

    use super::*;
    use crate::store::{FileStore, MemoryStore};

    #[test]
    fn the_first_absent_number_is_found_wherever_it_is() {
        for first in [0, 1, 7] {
            for absent in first..first + 70 {
                let found = first_absent(first, |number| Ok(number < absent)).unwrap();
                assert_eq!(found, absent, "from {first}");
            }
        }
    }

    #[test]
    fn a_hundred_thousand_entries_are_looked_through_in_a_few_dozen_gets() {
        let asked = AtomicU64::new(0);
        let found = first_absent(1, |number| {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(number < 100_000)
        });
        assert_eq!(found.unwrap(), 100_000);
        assert!(asked.into_inner() < 40);
    }

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

    /// Within whose first look at an entry others append, close and sweep two blocks.
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

        fn list(&self, prefix: &str) -> Result<Vec<String>> {
            self.store.list(prefix)
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
        (1..5).for_each(|index| {
            assert_eq!(log.append(LogIndex(index), b"a").unwrap(), Appended::Done)
        });
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
}
