//! A page: up to 64 entries, and which of them changed. Written in place while nobody else reads
//! it; copied on the first write after it was frozen, if the snapshot still holds it then.
//!
//! It knows nothing of keys, hashes or key groups.

use std::sync::Arc;

/// How many entries a page holds: as many as a word has bits, one for each entry's "changed".
pub(crate) const PAGE: usize = 64;

pub(crate) struct Page<E> {
    entries: Entries<E>,
    /// Bit `n` is set if entry `n` changed since the page was last frozen.
    changed: u64,
}

enum Entries<E> {
    Owned(Vec<E>),
    Frozen(Arc<Vec<E>>),
}

/// A page as it was when it was frozen, and which entries of it to look at.
pub(crate) struct FrozenPage<E> {
    pub(crate) entries: Arc<Vec<E>>,
    pub(crate) mask: u64,
}

impl<E: Clone> Page<E> {
    /// An empty page with room for `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Page { entries: Entries::Owned(Vec::with_capacity(capacity)), changed: 0 }
    }

    #[inline]
    pub(crate) fn entries(&self) -> &[E] {
        match &self.entries {
            Entries::Owned(entries) => entries,
            Entries::Frozen(entries) => entries,
        }
    }

    pub(crate) fn changed(&self) -> u64 {
        self.changed
    }

    pub(crate) fn is_changed(&self, at: usize) -> bool {
        self.changed & (1 << at) != 0
    }

    /// Sets or clears "changed" of entry `at`. True if this was the page's first change.
    #[inline]
    pub(crate) fn mark(&mut self, at: usize, changed: bool) -> bool {
        let first = changed && self.changed == 0;
        if changed {
            self.changed |= 1 << at;
        } else {
            self.changed &= !(1 << at);
        }
        first
    }

    /// The entries for writing. Does not mark anything. Counts entries that had to be copied.
    #[inline]
    pub(crate) fn entries_mut(&mut self, copied: &mut usize) -> &mut Vec<E> {
        if let Entries::Frozen(_) = self.entries {
            self.thaw(copied);
        }
        match &mut self.entries {
            Entries::Owned(entries) => entries,
            Entries::Frozen(_) => unreachable!("a page is owned after it was thawed"),
        }
    }

    #[cold]
    fn thaw(&mut self, copied: &mut usize) {
        let frozen = std::mem::replace(&mut self.entries, Entries::Owned(Vec::new()));
        if let Entries::Frozen(shared) = frozen {
            let owned = Arc::try_unwrap(shared).unwrap_or_else(|shared| {
                let mut copy = Vec::with_capacity(PAGE);
                copy.extend_from_slice(&shared);
                *copied += copy.len();
                copy
            });
            self.entries = Entries::Owned(owned);
        }
    }

    /// Hands out the page as it is, with the entries in `mask`, and forgets what changed.
    pub(crate) fn freeze(&mut self, mask: u64) -> FrozenPage<E> {
        self.changed = 0;
        let shared = match std::mem::replace(&mut self.entries, Entries::Owned(Vec::new())) {
            Entries::Owned(entries) => Arc::new(entries),
            Entries::Frozen(shared) => shared,
        };
        self.entries = Entries::Frozen(Arc::clone(&shared));
        FrozenPage { entries: shared, mask }
    }
}

impl<E> FrozenPage<E> {
    /// The entries that the mask selects.
    pub(crate) fn selected(&self) -> impl Iterator<Item = &E> {
        self.entries.iter().enumerate().filter(|(at, _)| self.mask & (1 << at) != 0).map(|(_, e)| e)
    }
}
