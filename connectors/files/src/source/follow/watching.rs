//! Who is told of changes: readers that wait for more of their files, and whoever looks for files.
//!
//! ```text
//!   Disk::watch ─┬─ contents of a file that is read ─▶ its reader
//!                └─ anything else that was asked for ─▶ all readers, and whoever looks for files
//! ```
//!
//! A reader relies on being told only while it is known that the system tells of its file: the last look has seen
//! it in a folder of which changes are told, and no name has changed since. It knows nothing of how files are
//! read or found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use steadfast_core::disk::{Change, FileId};
use steadfast_core::wakers::Wakers;

/// See the module.
#[derive(Clone, Default)]
pub(in super::super) struct Watching(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// Wakes the reader of a file.
    readers: BTreeMap<FileId, Waker>,
    /// The files that are read and whose changes are told, by where the last look has seen them.
    told: BTreeMap<PathBuf, FileId>,
    /// How often there was a change that needs a look.
    changes: u64,
    /// How many of them had come when the last look began.
    looked_at: u64,
    looking: Wakers,
    /// Whether whoever looks is to look whatever the time is.
    is_urgent: bool,
}

/// A look that has begun.
pub(super) struct Look {
    changes: u64,
}

impl Watching {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes `reader` when its file changes, from now until it leaves.
    pub(super) fn reads(&self, id: FileId, reader: &Waker) {
        self.inner().readers.insert(id, reader.clone());
    }

    /// Nobody reads this file any more.
    pub(super) fn leaves(&self, id: FileId) {
        self.inner().readers.remove(&id);
    }

    /// There is something new for the reader of a file.
    pub(super) fn wake(&self, id: FileId) {
        if let Some(reader) = self.inner().readers.get(&id) {
            reader.wake_by_ref();
        }
    }

    /// Whether the reader of a file is woken when there is something to read.
    pub(super) fn is_told(&self, id: FileId) -> bool {
        let inner = self.inner();
        inner.is_current() && inner.told.values().any(|told| *told == id)
    }

    /// Something has changed; `is_asked_for` says whether a path matters.
    pub(super) fn changed(&self, change: Change<'_>, is_asked_for: impl FnOnce(&Path) -> bool) {
        let mut inner = self.inner();
        match change {
            Change::Contents(path) => {
                let told = inner.told.get(path);
                if let Some(reader) = told.and_then(|id| inner.readers.get(id)) {
                    reader.wake_by_ref();
                    return;
                }
                // Of one that nobody reads any more, whoever looks finds that it has grown.
                if told.is_none() && !is_asked_for(path) {
                    return;
                }
            }
            Change::Name(path) if !inner.told.contains_key(path) && !is_asked_for(path) => return,
            Change::Name(_) | Change::Unknown => {}
        }
        inner.changes += 1;
        // One of them may be the reader of what has changed, under another name than it had.
        inner.readers.values().for_each(Waker::wake_by_ref);
        inner.looking.wake_all();
    }

    /// Wakes `waker` when it is worth looking.
    pub(super) fn looks(&self, waker: &Waker) {
        self.inner().looking.add(waker);
    }

    /// Whoever looks is to do it at once.
    pub(super) fn look_now(&self) {
        let mut inner = self.inner();
        inner.is_urgent = true;
        inner.looking.wake_all();
    }

    /// Whether a look need not wait for its time.
    pub(super) fn is_urgent(&self) -> bool {
        self.inner().is_urgent
    }

    /// A look begins: what changes from now on it may have missed.
    pub(super) fn begin_look(&self) -> Look {
        let mut inner = self.inner();
        inner.is_urgent = false;
        Look { changes: inner.changes }
    }

    /// A look has ended; `told` are the files that are read and whose changes are told.
    pub(super) fn end_look(&self, look: &Look, told: BTreeMap<PathBuf, FileId>) {
        let mut inner = self.inner();
        (inner.looked_at, inner.told) = (look.changes, told);
    }

    /// No changes are told any more.
    pub(super) fn cease(&self) {
        let mut inner = self.inner();
        inner.told.clear();
        inner.readers.values().for_each(Waker::wake_by_ref);
    }
}

impl Inner {
    /// Whether no change needs a look that has not been looked at.
    fn is_current(&self) -> bool {
        self.looked_at == self.changes
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Woken {
        fn take(&self) -> u32 {
            self.0.swap(0, Ordering::Relaxed)
        }
    }

    /// Readers of `a` (1) and `b` (2), and whoever looks.
    fn watching() -> (Watching, [Arc<Woken>; 3]) {
        let watching = Watching::default();
        let woken: [Arc<Woken>; 3] = Default::default();
        let waker = |at: usize| Waker::from(Arc::clone(&woken[at]));
        (1..3).for_each(|at| watching.reads(id(at as u64), &waker(at - 1)));
        watching.looks(&waker(2));
        look(&watching);
        (watching, woken)
    }

    fn id(inode: u64) -> FileId {
        FileId { device: 1, inode }
    }

    fn look(watching: &Watching) {
        let look = watching.begin_look();
        watching.end_look(&look, BTreeMap::from([("a".into(), id(1)), ("b".into(), id(2))]));
    }

    fn change(watching: &Watching, change: Change<'_>) {
        watching.changed(change, |path| path != Path::new("other"));
    }

    fn taken(woken: &[Arc<Woken>; 3]) -> [u32; 3] {
        [0, 1, 2].map(|at| woken[at].take())
    }

    #[test]
    fn who_reads_a_file_is_told_of_it_and_nobody_else() {
        let (watching, woken) = watching();
        change(&watching, Change::Contents(Path::new("a")));
        assert_eq!(taken(&woken), [1, 0, 0]);
        assert!(watching.is_told(id(1)) && watching.is_told(id(2)) && !watching.is_told(id(3)));
        // One that is finished has grown.
        watching.leaves(id(1));
        change(&watching, Change::Contents(Path::new("a")));
        assert_eq!(taken(&woken), [0, 1, 1]);
    }

    #[test]
    fn what_was_not_asked_for_wakes_nobody() {
        let (watching, woken) = watching();
        change(&watching, Change::Contents(Path::new("other")));
        change(&watching, Change::Name(Path::new("other")));
        assert_eq!(taken(&woken), [0, 0, 0]);
        assert!(watching.is_told(id(1)));
    }

    #[test]
    fn until_it_was_looked_where_names_have_changed_nobody_relies_on_being_told() {
        let changes = [
            Change::Name(Path::new("a")),
            Change::Name(Path::new("new")),
            Change::Contents(Path::new("new")),
            Change::Unknown,
        ];
        for one in changes {
            let (watching, woken) = watching();
            let begun = watching.begin_look();
            change(&watching, one);
            assert_eq!(taken(&woken), [1, 1, 1], "{one:?}");
            assert!(!watching.is_told(id(1)), "{one:?}");
            // The look that had begun may have missed it.
            watching.end_look(&begun, BTreeMap::from([("a".into(), id(1))]));
            assert!(!watching.is_told(id(1)), "{one:?}");
            look(&watching);
            assert!(watching.is_told(id(1)), "{one:?}");
        }
    }

    #[test]
    fn what_is_written_while_it_is_looked_does_not_keep_a_look_from_counting() {
        let (watching, _) = watching();
        let begun = watching.begin_look();
        change(&watching, Change::Contents(Path::new("a")));
        watching.end_look(&begun, BTreeMap::from([("a".into(), id(1))]));
        assert!(watching.is_told(id(1)));
    }

    #[test]
    fn where_nobody_tells_any_more_nobody_relies_on_it() {
        let (watching, woken) = watching();
        watching.cease();
        assert!(!watching.is_told(id(1)));
        assert_eq!(taken(&woken), [1, 1, 0]);
    }
}
