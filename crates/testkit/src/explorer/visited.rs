//! The states that have been seen, each with what was left of the bounds.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

use hashbrown::HashMap;

use crate::environment::Fingerprint;

/// At most so many preemptions and lost answers fit a state's entry.
pub const MOST: (u8, u8) = (7, 3);

/// A fingerprint is as good a hash as any.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write_u64(&mut self, number: u64) {
        self.0 ^= number;
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }
}

type Shard = HashMap<Fingerprint, u32, BuildHasherDefault<Itself>>;

/// See the module. Its order is never looked at.
#[derive(Default)]
pub struct Visited {
    shards: [Mutex<Shard>; 32],
}

impl Visited {
    /// Notes that a state was seen with so much left of the bounds. False if it had been seen with at
    /// least as much of each: then everything that could follow was seen too, or will be.
    pub fn is_new(&self, print: Fingerprint, (preemptions, lost): (u8, u8)) -> bool {
        let shard = &self.shards[print.place() as usize >> 3 & 31];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = shard.entry(print).or_insert(0);
        let bit = |preemptions: u8, lost: u8| 1_u32 << (preemptions * 4 + lost);
        if *seen & bit(preemptions, lost) != 0 {
            return false;
        }
        for fewer in 0..=preemptions {
            for less in 0..=lost {
                *seen |= bit(fewer, less);
            }
        }
        true
    }

    /// How many states were seen.
    pub fn count(&self) -> u64 {
        let count =
            |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(|shard| count(shard) as u64).sum()
    }
}
