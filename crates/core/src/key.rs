//! Keys, their hash, and key groups: which task owns the state of which key.
//!
//! A key is hashed once, where it enters an exchange; the hash travels with the record. Its upper
//! half picks the key group, its lower half the place within the group's table. Groups, not keys,
//! are assigned to tasks, so that a job can be restored at another parallelism (the same device as
//! in Apache Flink: <https://flink.apache.org/2017/07/04/a-deep-dive-into-rescalable-state-in-apache-flink/>).
//!
//! It knows nothing of tables or exchanges.

use std::hash::{Hash, Hasher};
use std::ops::Range;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_inline};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What can be a key: compared, hashed, copied into state, and written to a snapshot.
pub trait Key: Eq + Hash + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<K> Key for K where K: Eq + Hash + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

/// The hash of a key: the same in every process, on every platform and in every release, because
/// it decides where state lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub u64);

impl KeyHash {
    /// Hashes `key`.
    #[inline]
    pub fn of<Q: Hash + ?Sized>(key: &Q) -> Self {
        let mut hasher = KeyHasher(0);
        key.hash(&mut hasher);
        KeyHash(hasher.finish())
    }

    /// The hash of a part of what is kept for the key with this hash: it stays in the key's group.
    #[inline]
    #[must_use]
    pub fn part<Q: Hash + ?Sized>(self, part: &Q) -> Self {
        let mixed = KeyHash::of(&(self.low(), KeyHash::of(part).0));
        KeyHash(self.0 & !u64::from(u32::MAX) | u64::from(mixed.low()))
    }

    /// The half of the hash that finds a key within its group.
    #[inline]
    pub fn low(self) -> u32 {
        self.0 as u32
    }
}

/// A share of the key space: the smallest unit of state that can move between tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyGroup(pub u16);

/// A run of neighbouring key groups, `first..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyGroups {
    /// The first group of the run.
    pub first: u16,
    /// The group after the last one.
    pub end: u16,
}

impl KeyGroups {
    /// The groups as numbers.
    pub fn range(self) -> Range<u16> {
        self.first..self.end
    }

    /// How many there are.
    pub fn count(self) -> usize {
        usize::from(self.end.saturating_sub(self.first))
    }

    /// Whether `group` is one of them.
    pub fn contains(self, group: KeyGroup) -> bool {
        self.range().contains(&group.0)
    }

    /// Whether the two runs share a group.
    pub fn overlaps(self, other: KeyGroups) -> bool {
        self.first < other.end && other.first < self.end
    }

    /// Whether every group of `other` is one of these.
    pub fn covers(self, other: KeyGroups) -> bool {
        self.first <= other.first && other.end <= self.end
    }
}

/// How the key space of a job is divided. The number of groups is fixed for a job's life and
/// bounds its parallelism; the number of tasks may change at a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySpace {
    /// Into how many groups all keys are divided.
    pub groups: u16,
    /// Among how many tasks the groups are divided.
    pub tasks: u16,
}

impl KeySpace {
    /// The group of a key with this hash.
    #[inline]
    pub fn group_of(self, hash: KeyHash) -> KeyGroup {
        KeyGroup((((hash.0 >> 32) * u64::from(self.groups)) >> 32) as u16)
    }

    /// The task that owns `group`.
    pub fn task_of(self, group: KeyGroup) -> u16 {
        (u32::from(group.0) * u32::from(self.tasks) / u32::from(self.groups)) as u16
    }

    /// The groups that `task` owns: the exact inverse of [`KeySpace::task_of`].
    pub fn groups_of(self, task: u16) -> KeyGroups {
        let bound =
            |task: u32| (task * u32::from(self.groups)).div_ceil(u32::from(self.tasks)) as u16;
        KeyGroups { first: bound(u32::from(task)), end: bound(u32::from(task) + 1) }
    }

    /// All groups.
    pub fn all(self) -> KeyGroups {
        KeyGroups { first: 0, end: self.groups }
    }
}

const SECRETS: RapidSecrets = RapidSecrets::seed(0x5f1e_adfa_5700_0001);

/// Feeds what a key's `Hash` implementation writes to rapidhash V3, whose output is the same on
/// every platform and fixed for good (<https://docs.rs/rapidhash>). Integers go in as
/// little-endian bytes.
struct KeyHasher(u64);

impl KeyHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15)
            * u128::from(0xd6e8_feb8_6659_fd93_u64 ^ self.0.rotate_left(32));
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for KeyHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= rapidhash_v3_inline::<true, false, false>(bytes, &SECRETS).rotate_left(17);
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.mix(value);
        self.mix(value.rotate_left(32));
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_belongs_to_the_task_whose_range_holds_it() {
        for groups in [1, 7, 128, 1000] {
            for tasks in 1..=groups.min(64) {
                let space = KeySpace { groups, tasks };
                let mut next = 0;
                for task in 0..tasks {
                    let range = space.groups_of(task);
                    assert_eq!(range.first, next);
                    assert!(range.range().all(|g| space.task_of(KeyGroup(g)) == task));
                    next = range.end;
                }
                assert_eq!(next, groups);
            }
        }
    }

    #[test]
    fn hashes_never_change_because_they_decide_where_state_lies() {
        assert_eq!(KeyHash::of("acct_0012345").0, GOLDEN[0]);
        assert_eq!(KeyHash::of(&42_u64).0, GOLDEN[1]);
        assert_eq!(KeyHash::of(&(7_u32, "x")).0, GOLDEN[2]);
    }

    #[test]
    fn groups_never_change_because_they_decide_where_state_lies() {
        let space = KeySpace { groups: 128, tasks: 4 };
        assert_eq!(GOLDEN.map(|hash| space.group_of(KeyHash(hash)).0), [36, 31, 85]);
    }

    const GOLDEN: [u64; 3] = [5263627882437191019, 4495427521303240185, 12294645112218302144];

    #[test]
    fn hashes_spread_evenly_over_groups_and_places() {
        let space = KeySpace { groups: 128, tasks: 4 };
        let mut groups = [0_u32; 128];
        let mut places = [0_u32; 256];
        for n in 0..256_000_u32 {
            let hash = KeyHash::of(&format!("acct_{n:07}"));
            groups[usize::from(space.group_of(hash).0)] += 1;
            places[(hash.low() & 255) as usize] += 1;
        }
        for n in 0..256_000_u64 {
            let hash = KeyHash::of(&n);
            groups[usize::from(space.group_of(hash).0)] += 1;
            places[(hash.low() & 255) as usize] += 1;
        }
        assert!(groups.iter().all(|&n| (3500..4500).contains(&n)), "{groups:?}");
        assert!(places.iter().all(|&n| (1700..2300).contains(&n)), "{places:?}");
    }
}
