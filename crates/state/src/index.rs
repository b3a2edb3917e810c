//! From 32 bits of a hash to the slot of an entry: open addressing with linear probing, one word
//! for each entry.
//!
//! A word holds the hash bits beside the slot, so that looking something up costs one cache miss
//! before the entry's own, a table grows without touching entries, and keys are compared only where
//! those bits agree. It knows nothing of keys.

use crate::ahead::read_ahead;

/// `hash bits << 32 | slot + 1`; 0 is an empty place.
type Word = u64;

#[derive(Default)]
pub(crate) struct Index {
    /// As many as a power of two, or none.
    words: Vec<Word>,
    len: usize,
}

fn word(low: u32, slot: u32) -> Word {
    u64::from(low) << 32 | u64::from(slot + 1)
}

fn slot_of(word: Word) -> u32 {
    (word as u32).wrapping_sub(1)
}

fn low_of(word: Word) -> u32 {
    (word >> 32) as u32
}

impl Index {
    #[inline]
    fn mask(&self) -> usize {
        self.words.len().wrapping_sub(1)
    }

    /// Asks for the word at which a search for `low` begins.
    #[inline]
    pub(crate) fn read_ahead(&self, low: u32) {
        if let Some(word) = self.words.get(low as usize & self.mask()) {
            read_ahead(word);
        }
    }

    /// The first slot with these hash bits: most likely the one that is looked for.
    #[inline]
    pub(crate) fn candidate(&self, low: u32) -> Option<u32> {
        self.find(low, |_| true)
    }

    /// The first slot with these hash bits for which `is_it` says so.
    #[inline]
    pub(crate) fn find(&self, low: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.mask();
        let mut at = low as usize & mask;
        loop {
            let word = *self.words.get(at)?;
            if word == 0 {
                return None;
            }
            if low_of(word) == low && is_it(slot_of(word)) {
                return Some(slot_of(word));
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a slot.
    #[inline]
    pub(crate) fn insert(&mut self, low: u32, slot: u32) {
        // At most three quarters full, so that a search ends soon.
        if (self.len + 1) * 4 > self.words.len() * 3 {
            self.grow((self.words.len() * 2).max(8));
        }
        self.put(word(low, slot));
        self.len += 1;
    }

    fn put(&mut self, word: Word) {
        let mask = self.mask();
        let mut at = low_of(word) as usize & mask;
        while self.words[at] != 0 {
            at = (at + 1) & mask;
        }
        self.words[at] = word;
    }

    #[cold]
    fn grow(&mut self, size: usize) {
        // Pages of `vec![0; size]` come from the system unwritten. `put` reads a word before it
        // writes it, so each page would fault twice, and the second fault stops all threads to take
        // back the shared page of zeros: a tenth of a run's time with 10 million ids.
        #[expect(clippy::slow_vector_initialization, reason = "it is the faster one here")]
        let words = {
            let mut words = Vec::with_capacity(size);
            words.resize(size, 0);
            words
        };
        let old = std::mem::replace(&mut self.words, words);
        old.into_iter().filter(|word| *word != 0).for_each(|word| self.put(word));
    }

    /// Makes room for `additional` more.
    pub(crate) fn reserve(&mut self, additional: usize) {
        let size = ((self.len + additional) * 4 / 3 + 1).next_power_of_two().max(8);
        if size > self.words.len() {
            self.grow(size);
        }
    }

    /// Where the word of `slot` is.
    fn place_of(&self, low: u32, slot: u32) -> Option<usize> {
        let (mask, wanted) = (self.mask(), word(low, slot));
        let mut at = low as usize & mask;
        loop {
            match *self.words.get(at)? {
                0 => return None,
                found if found == wanted => return Some(at),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Notes that the entry in slot `from` is now in slot `to`.
    pub(crate) fn moved(&mut self, low: u32, from: u32, to: u32) {
        if let Some(at) = self.place_of(low, from) {
            self.words[at] = word(low, to);
        }
    }

    /// Removes a slot and closes the gap: words behind it move up where that brings them nearer to
    /// their first place (Knuth, The Art of Computer Programming 3, 6.4, algorithm R).
    pub(crate) fn remove(&mut self, low: u32, slot: u32) {
        let Some(mut gap) = self.place_of(low, slot) else { return };
        let mask = self.mask();
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let word = self.words[at];
            if word == 0 {
                break;
            }
            let first = low_of(word) as usize & mask;
            // Whether the gap lies between the word's first place and where it is.
            if (at.wrapping_sub(first) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.words[gap] = word;
                gap = at;
            }
        }
        self.words[gap] = 0;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few distinct hash bits, so that long runs and wrap-arounds are common.
        #[test]
        fn behaves_like_a_map(actions in prop::collection::vec((0..3_u8, 0..40_u32, 0..6_u32), 0..400)) {
            let spread = [0_u32, 1, 7, 8, 15, u32::MAX];
            let mut index = Index::default();
            let mut model: BTreeMap<u32, u32> = BTreeMap::new();
            for (action, slot, low) in actions {
                let low = spread[low as usize];
                match action {
                    0 if !model.contains_key(&slot) => {
                        index.insert(low, slot);
                        model.insert(slot, low);
                    }
                    1 => if let Some(low) = model.remove(&slot) {
                        index.remove(low, slot);
                    },
                    2 => if let (Some(&low), false) = (model.get(&slot), model.contains_key(&(slot + 100))) {
                        index.moved(low, slot, slot + 100);
                        model.remove(&slot);
                        model.insert(slot + 100, low);
                    },
                    _ => {}
                }
                prop_assert_eq!(index.len, model.len());
                for slot in 0..140 {
                    let found = spread.iter().find(|low| index.find(**low, |s| s == slot).is_some());
                    prop_assert_eq!(found, model.get(&slot));
                }
            }
        }
    }
}
