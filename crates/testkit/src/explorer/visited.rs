//! The states that have been seen, each with what was left of the bounds.
//!
//! There may be hundreds of millions, so an entry takes twelve bytes: 80 bits of the fingerprint, by which
//! two of a billion states are taken for the same with a probability of one in a million, and a bit for
//! each pair of bounds that may have been left.

use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::environment::Fingerprint;

/// At most so many preemptions and lost answers fit a state's entry.
pub const MOST: (u8, u8) = (3, 3);

/// 64 bits of the fingerprint, 16 more, and 16 for the bounds.
#[derive(Clone, Copy)]
struct Seen([u32; 3]);

impl Seen {
    fn new(print: Fingerprint) -> Self {
        let (first, second) = print.halves();
        Seen([first as u32, (first >> 32) as u32, (second as u32) & 0xffff_0000])
    }

    fn hash(&self) -> u64 {
        u64::from(self.0[1]) << 32 | u64::from(self.0[0])
    }

    fn is_same_state(&self, other: &Seen) -> bool {
        self.0[..2] == other.0[..2] && self.0[2] >> 16 == other.0[2] >> 16
    }

    /// Notes so much left of the bounds, and with it less. False if it was noted before.
    fn note(&mut self, (preemptions, lost): (u8, u8)) -> bool {
        let bit = |preemptions: u8, lost: u8| 1_u32 << (preemptions * 4 + lost);
        if self.0[2] & bit(preemptions, lost) != 0 {
            return false;
        }
        for fewer in 0..=preemptions {
            (0..=lost).for_each(|less| self.0[2] |= bit(fewer, less));
        }
        true
    }
}

const SHARDS: usize = 64;

/// Each time a shard has so many more states, progress is told.
const REPORTED: usize = 1 << 18;

/// See the module. Its order is never looked at.
pub struct Visited {
    shards: [Mutex<HashTable<Seen>>; SHARDS],
    progress: Option<fn(u64)>,
}

impl Visited {
    /// Nothing was seen yet. `progress` is called with about the number of states now and then.
    pub fn new(progress: Option<fn(u64)>) -> Self {
        Visited { shards: std::array::from_fn(|_| Mutex::default()), progress }
    }

    /// Notes that a state was seen with so much left of the bounds. False if it had been seen with at
    /// least as much of each: then everything that could follow was seen too, or will be.
    pub fn is_new(&self, print: Fingerprint, left: (u8, u8)) -> bool {
        let new = Seen::new(print);
        // Neither the lowest bits nor the highest: within a shard they are what finds a place.
        let number = (new.hash() >> 48) as usize % SHARDS;
        let mut shard = self.shards[number].lock().unwrap_or_else(PoisonError::into_inner);
        match shard.entry(new.hash(), |seen| seen.is_same_state(&new), Seen::hash) {
            Entry::Occupied(mut seen) => seen.get_mut().note(left),
            Entry::Vacant(place) => {
                place.insert(new).get_mut().note(left);
                if let Some(progress) = self.progress
                    && number == 0
                    && shard.len().is_multiple_of(REPORTED)
                {
                    progress((shard.len() * SHARDS) as u64);
                }
                true
            }
        }
    }

    /// How many states were seen.
    pub fn count(&self) -> u64 {
        let count = |shard: &Mutex<HashTable<Seen>>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
        };
        self.shards.iter().map(count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_new_only_with_more_left_than_ever_before() {
        let visited = Visited::new(None);
        let print = |number: u64| {
            let mut print = Fingerprint::default();
            print.add(number);
            print
        };
        assert!(visited.is_new(print(1), (1, 1)));
        for less in [(1, 1), (0, 1), (1, 0), (0, 0)] {
            assert!(!visited.is_new(print(1), less));
        }
        for more in [(2, 0), (1, 2), (3, 3)] {
            assert!(visited.is_new(print(1), more));
        }
        assert!(visited.is_new(print(2), (0, 0)));
        assert_eq!(visited.count(), 2);
    }
}
