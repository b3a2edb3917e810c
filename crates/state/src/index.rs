//! From 32 bits of a hash to the slot of an entry: open addressing, one word of eight bytes for each
//! entry, in lines of as many words as share a cache line.
//!
//! A word holds the hash bits beside the slot, so that a table grows without touching entries, and
//! keys are compared only where those bits agree. The hash picks a line, whose words are compared
//! all at once: nearly every search, also one that finds nothing, costs one cache miss before the
//! entry's own and no wrong guess of a branch. Words that find their line full go to the next (the
//! idea of Swiss tables, <https://abseil.io/about/design/swisstables>, with the whole hash kept).
//! It knows nothing of keys.

use crate::prefetch::read_ahead;

/// How many words a cache line holds.
const LINE: usize = 8;
/// How many words there are for each line at most: three quarters, so that few lines overflow.
const FILLED: usize = LINE * 3 / 4;

/// Filled from the front: it is full if its last word is.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Line {
    /// The hash bits of each word.
    lows: [u32; LINE],
    /// The slot of each word, and one more; 0 is an empty place.
    slots: [u32; LINE],
}

/// A slot, and where its word is.
struct Found {
    slot: u32,
    line: usize,
    place: usize,
}

#[derive(Default)]
pub(crate) struct Index {
    /// As many as a power of two, or none.
    lines: Vec<Line>,
    len: usize,
}

impl Line {
    #[inline]
    fn is_full(&self) -> bool {
        self.slots[LINE - 1] != 0
    }

    #[inline]
    fn filled(&self) -> usize {
        self.slots.iter().filter(|slot| **slot != 0).count()
    }

    /// The places with these hash bits; empty ones too if the bits are all 0.
    #[inline]
    fn places(&self, low: u32) -> impl Iterator<Item = usize> {
        // One byte for each place: compilers make vector instructions of this.
        let equal = self.lows.map(|other| u8::from(other == low));
        let mut bits = u64::from_le_bytes(equal);
        std::iter::from_fn(move || {
            let place = (bits != 0).then(|| bits.trailing_zeros() as usize / 8 % LINE);
            bits &= bits.wrapping_sub(1);
            place
        })
    }

    /// Puts a word into the first empty place, of which there is one.
    #[inline]
    fn put(&mut self, low: u32, slot: u32) {
        let place = self.filled();
        (self.lows[place], self.slots[place]) = (low, slot + 1);
    }
}

impl Index {
    #[inline]
    fn mask(&self) -> usize {
        self.lines.len().wrapping_sub(1)
    }

    /// The line at which a search for `low` begins.
    #[inline]
    fn first_line(&self, low: u32) -> usize {
        low as usize & self.mask()
    }

    /// Asks for the line at which a search for `low` begins.
    #[inline]
    pub(crate) fn read_ahead(&self, low: u32) {
        if let Some(line) = self.lines.get(self.first_line(low)) {
            read_ahead(line);
        }
    }

    /// The first slot with these hash bits: most likely the one that is looked for.
    #[inline]
    pub(crate) fn candidate(&self, low: u32) -> Option<u32> {
        self.find(low, |_| true)
    }

    /// The first slot with these hash bits for which `is_it` says so.
    #[inline]
    pub(crate) fn find(&self, low: u32, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.search(low, is_it).map(|found| found.slot)
    }

    #[inline]
    fn search(&self, low: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<Found> {
        let mut at = self.first_line(low);
        loop {
            let line = self.lines.get(at)?;
            for place in line.places(low) {
                if let Some(slot) = line.slots[place].checked_sub(1)
                    && is_it(slot)
                {
                    return Some(Found { slot, line: at, place });
                }
            }
            if !line.is_full() {
                return None;
            }
            at = (at + 1) & self.mask();
        }
    }

    /// Adds a slot.
    #[inline]
    pub(crate) fn insert(&mut self, low: u32, slot: u32) {
        if self.len + 1 > self.lines.len() * FILLED {
            self.grow((self.lines.len() * 2).max(1));
        }
        self.put(low, slot);
        self.len += 1;
    }

    #[inline]
    fn put(&mut self, low: u32, slot: u32) {
        let mut at = self.first_line(low);
        while self.lines[at].is_full() {
            at = (at + 1) & self.mask();
        }
        self.lines[at].put(low, slot);
    }

    #[cold]
    fn grow(&mut self, lines: usize) {
        // Pages that come from the system unwritten, as those of zeros do, would fault twice: `put`
        // reads a line before it writes it. The second fault stops all threads to take back the
        // shared page of zeros: a tenth of a run's time with 10 million ids.
        let mut new = Vec::with_capacity(lines);
        new.resize(lines, Line::default());
        for line in std::mem::replace(&mut self.lines, new) {
            for (low, slot) in line.lows.into_iter().zip(line.slots).take_while(|word| word.1 != 0)
            {
                self.put(low, slot - 1);
            }
        }
    }

    /// Makes room for `additional` more.
    pub(crate) fn reserve(&mut self, additional: usize) {
        let lines = (self.len + additional).div_ceil(FILLED).next_power_of_two();
        if lines > self.lines.len() {
            self.grow(lines);
        }
    }

    /// Notes that the entry in slot `from` is now in slot `to`.
    pub(crate) fn moved(&mut self, low: u32, from: u32, to: u32) {
        if let Some(found) = self.search(low, |slot| slot == from) {
            self.lines[found.line].slots[found.place] = to + 1;
        }
    }

    /// Removes a slot. Where its line was full, a word that had to go on to a later line comes back,
    /// and so on from there (Knuth, The Art of Computer Programming 3, 6.4, algorithm R, for lines).
    pub(crate) fn remove(&mut self, low: u32, slot: u32) {
        let Some(found) = self.search(low, |other| other == slot) else { return };
        let (mut at, mut place) = (found.line, found.place);
        loop {
            let line = &mut self.lines[at];
            let last = line.filled() - 1;
            (line.lows[place], line.slots[place]) = (line.lows[last], line.slots[last]);
            line.slots[last] = 0;
            if last < LINE - 1 {
                break;
            }
            let Some((from, moving)) = self.overflowed(at) else { break };
            let word = (self.lines[from].lows[moving], self.lines[from].slots[moving]);
            (self.lines[at].lows[last], self.lines[at].slots[last]) = word;
            (at, place) = (from, moving);
        }
        self.len -= 1;
    }

    /// A word behind line `behind` that would be in it if there had been room.
    fn overflowed(&self, behind: usize) -> Option<(usize, usize)> {
        let mask = self.mask();
        let mut at = behind;
        loop {
            at = (at + 1) & mask;
            let line = &self.lines[at];
            let has_passed = |place: &usize| {
                let first = self.first_line(line.lows[*place]);
                (at.wrapping_sub(first) & mask) >= (at.wrapping_sub(behind) & mask)
            };
            if let Some(place) = (0..line.filled()).find(has_passed) {
                return Some((at, place));
            }
            // Nothing has gone past a line with room, and there always is one.
            if !line.is_full() {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn index(words: u32) -> Index {
        let mut index = Index::default();
        (0..words).for_each(|number| index.insert(number, 1000 + number));
        index
    }

    #[test]
    fn an_index_grows_when_it_is_three_quarters_full_and_not_before() {
        for (words, lines) in [(0, 0), (1, 1), (6, 1), (7, 2), (12, 2), (13, 4), (24, 4), (25, 8)] {
            assert_eq!(index(words).lines.len(), lines, "{words}");
        }
    }

    #[test]
    fn what_room_was_made_for_goes_in_without_growing_and_no_room_is_wasted() {
        for (there, additional, lines) in
            [(0, 1, 1), (0, 6, 1), (0, 7, 2), (6, 6, 2), (6, 7, 4), (24, 0, 4), (20, 100, 32)]
        {
            let mut index = index(there);
            index.reserve(additional);
            assert_eq!(index.lines.len(), lines, "{there} and {additional}");
            (0..additional as u32).for_each(|number| index.insert(number, number));
            assert_eq!(index.lines.len(), lines, "{there} and {additional}");
        }
    }

    #[test]
    fn words_are_spread_over_all_lines() {
        assert!(index(24).lines.iter().all(|line| line.filled() == 6));
    }

    #[test]
    fn what_is_asked_for_ahead_is_the_first_word_with_the_same_bits() {
        let mut index = index(20);
        index.insert(7, 50);
        assert_eq!((index.candidate(7), index.candidate(70)), (Some(1007), None));
        assert_eq!(Index::default().candidate(7), None);
    }

    proptest! {
        /// Few distinct hash bits, so that long runs and wrap-arounds are common.
        #[test]
        fn behaves_like_a_map(actions in prop::collection::vec((0..3_u8, 0..90_u32, 0..6_u32), 0..600)) {
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
                for slot in 0..190 {
                    let found = spread.iter().find(|low| index.find(**low, |s| s == slot).is_some());
                    prop_assert_eq!(found, model.get(&slot));
                }
            }
        }
    }
}
