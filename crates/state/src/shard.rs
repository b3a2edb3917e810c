//! The entries of one key group: an index from hash to slot, and dense pages of entries.
//!
//! Removing moves the last entry into the hole; pages therefore have no gaps. It knows nothing of files or of other groups.

use steadfast_core::key::{Key, KeyHash};
use steadfast_core::state::StateKind;

use crate::index::Index;
use crate::page::{FrozenPage, PAGE, Page};
use crate::prefetch::read_ahead;
use crate::state::State;

pub(crate) struct Shard<K, V> {
    hash: fn(&K) -> KeyHash,
    index: Index,
    pages: Vec<Page<(K, V)>>,
    len: usize,
    /// Pages with at least one changed entry; may name pages that are clean or gone by now.
    changed_pages: Vec<u32>,
    removed: Vec<K>,
    /// Entries that were copied since the last freeze, because a snapshot still held their page.
    copied: usize,
}

/// What a shard hands over when it is frozen.
pub(crate) struct FrozenShard<K, V> {
    pub(crate) pages: Vec<FrozenPage<(K, V)>>,
    pub(crate) removed: Vec<K>,
}

#[inline]
fn split(slot: u32) -> (usize, usize) {
    (slot as usize / PAGE, slot as usize % PAGE)
}

impl<K: Key, V: State> Shard<K, V> {
    pub(crate) fn new(hash: fn(&K) -> KeyHash) -> Self {
        Shard {
            hash,
            index: Index::default(),
            pages: Vec::new(),
            len: 0,
            changed_pages: Vec::new(),
            removed: Vec::new(),
            copied: 0,
        }
    }

    /// How many entries were copied since the last freeze.
    pub(crate) fn copied(&self) -> usize {
        self.copied
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Asks for where the search for a key begins.
    #[inline]
    pub(crate) fn read_index_ahead(&self, hash: KeyHash) {
        self.index.read_ahead(hash.low());
    }

    /// Asks for the entry at which the search for a key most likely ends.
    #[inline]
    pub(crate) fn read_entry_ahead(&self, hash: KeyHash) {
        if let Some(slot) = self.index.candidate(hash.low()) {
            read_ahead(self.entry(slot));
        }
    }

    #[inline]
    pub(crate) fn find(&self, hash: KeyHash, key: &K) -> Option<u32> {
        self.find_where(hash, |found, _| found == key)
    }

    /// An entry with this hash that is the one that is meant.
    #[inline]
    pub(crate) fn find_where(&self, hash: KeyHash, is_it: impl Fn(&K, &V) -> bool) -> Option<u32> {
        self.index.find(hash.low(), |slot| {
            let (key, value) = self.entry(slot);
            is_it(key, value)
        })
    }

    #[inline]
    pub(crate) fn entry(&self, slot: u32) -> &(K, V) {
        let (page, at) = split(slot);
        &self.pages[page].entries()[at]
    }

    /// The value in `slot` for writing; marks it as changed.
    #[inline]
    pub(crate) fn value_mut(&mut self, slot: u32) -> &mut V {
        let (number, at) = split(slot);
        let page = &mut self.pages[number];
        if page.mark(at, true) {
            self.changed_pages.push(number as u32);
        }
        &mut page.entries_mut(&mut self.copied)[at].1
    }

    /// Appends an entry whose key is not there yet. `changed` is false while restoring.
    #[inline]
    pub(crate) fn insert_new(&mut self, hash: KeyHash, key: K, value: V, changed: bool) -> u32 {
        let slot = u32::try_from(self.len).expect("a key group holds fewer than 2^32 entries");
        let (number, at) = split(slot);
        if number == self.pages.len() {
            // A first page grows from nothing, so that thousands of small groups stay small.
            self.pages.push(Page::new(if number == 0 { 0 } else { PAGE }));
        }
        let page = &mut self.pages[number];
        page.entries_mut(&mut self.copied).push((key, value));
        if changed && page.mark(at, true) {
            self.changed_pages.push(number as u32);
        }
        self.index.insert(hash.low(), slot);
        self.len += 1;
        slot
    }

    /// Replaces or inserts without marking: used while restoring. A base has each key once, so there
    /// is nothing to look for.
    pub(crate) fn restore(&mut self, entries: &mut Vec<(KeyHash, K, V)>, from: StateKind) {
        for (hash, key, value) in entries.drain(..) {
            let found = match from {
                StateKind::Base => None,
                StateKind::Delta => self.find(hash, &key),
            };
            match found {
                Some(slot) => {
                    let (page, at) = split(slot);
                    self.pages[page].entries_mut(&mut self.copied)[at].1 = value;
                }
                None => {
                    self.insert_new(hash, key, value, false);
                }
            }
        }
    }

    pub(crate) fn reserve(&mut self, additional: usize) {
        self.index.reserve(additional);
    }

    pub(crate) fn clear(&mut self) {
        *self = Shard::new(self.hash);
    }

    /// Removes `key`; `track` is false while restoring. True if it was there.
    pub(crate) fn remove(&mut self, hash: KeyHash, key: &K, track: bool) -> bool {
        let Some(slot) = self.find(hash, key) else { return false };
        self.take(hash, slot, track);
        true
    }

    /// Removes the entry in `slot`, whose key has this hash, and hands it over.
    pub(crate) fn take(&mut self, hash: KeyHash, slot: u32, track: bool) -> Option<(K, V)> {
        self.index.remove(hash.low(), slot);
        let (key, value) = self.fill(slot)?;
        if track {
            self.removed.push(key.clone());
        }
        Some((key, value))
    }

    /// Moves the last entry into `hole`, shortens the last page, and hands over what was in the hole.
    fn fill(&mut self, hole: u32) -> Option<(K, V)> {
        self.len -= 1;
        let last = self.len as u32;
        let (last_page, last_at) = split(last);
        let was_changed = self.pages[last_page].is_changed(last_at);
        self.pages[last_page].mark(last_at, false);
        let entry = self.pages[last_page].entries_mut(&mut self.copied).pop();
        if self.pages[last_page].entries().is_empty() {
            self.pages.pop();
        }
        let entry = entry?;
        if hole == last {
            return Some(entry);
        }
        self.index.moved((self.hash)(&entry.0).low(), last, hole);
        let (number, at) = split(hole);
        let page = &mut self.pages[number];
        let taken = std::mem::replace(&mut page.entries_mut(&mut self.copied)[at], entry);
        if page.mark(at, was_changed) {
            self.changed_pages.push(number as u32);
        }
        Some(taken)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.pages.iter().flat_map(|page| page.entries().iter())
    }

    /// The slot range as numbers, for sweeping.
    pub(crate) fn slots(&self) -> u32 {
        self.len as u32
    }

    /// The slots of the entries that changed since the last freeze.
    pub(crate) fn changed_slots(&self) -> impl Iterator<Item = u32> {
        self.changed_page_numbers().into_iter().flat_map(|number| {
            let mask = self.pages[number].changed();
            let first = number * PAGE;
            (0..PAGE).filter(move |at| mask & (1 << at) != 0).map(move |at| (first + at) as u32)
        })
    }

    /// Every entry that changed since the last freeze.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &(K, V)> {
        self.changed_page_numbers().into_iter().flat_map(|number| {
            let page = &self.pages[number];
            let mask = page.changed();
            page.entries()
                .iter()
                .enumerate()
                .filter(move |(at, _)| mask & (1 << at) != 0)
                .map(|(_, e)| e)
        })
    }

    pub(crate) fn changed_count(&self) -> usize {
        let puts: u32 =
            self.changed_page_numbers().iter().map(|&n| self.pages[n].changed().count_ones()).sum();
        puts as usize + self.removed.len()
    }

    pub(crate) fn is_changed(&self) -> bool {
        !self.changed_pages.is_empty() || !self.removed.is_empty()
    }

    fn changed_page_numbers(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> = self
            .changed_pages
            .iter()
            .map(|&n| n as usize)
            .filter(|&n| self.pages.get(n).is_some_and(|page| page.changed() != 0))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Hands over what changed and forgets that it did.
    pub(crate) fn freeze_changes(&mut self) -> FrozenShard<K, V> {
        let numbers = self.changed_page_numbers();
        self.changed_pages.clear();
        self.copied = 0;
        let pages = numbers
            .into_iter()
            .map(|number| {
                let mask = self.pages[number].changed();
                self.pages[number].freeze(mask)
            })
            .collect();
        FrozenShard { pages, removed: std::mem::take(&mut self.removed) }
    }

    /// Hands over everything and forgets what changed.
    pub(crate) fn freeze_all(&mut self) -> FrozenShard<K, V> {
        self.changed_pages.clear();
        self.removed.clear();
        self.copied = 0;
        let pages = self.pages.iter_mut().map(|page| page.freeze(u64::MAX)).collect();
        FrozenShard { pages, removed: Vec::new() }
    }
}
