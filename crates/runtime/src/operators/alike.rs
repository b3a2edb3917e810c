//! Which records of a batch have the same key and are in the same windows: what is looked up for the first of
//! them holds for all.
//!
//! It knows nothing of tables.

use std::ops::Range;

use steadfast_core::key::KeyHash;

use super::window::Window;

/// So many groups are remembered for the records to come; one that is forgotten is looked up again.
const REMEMBERED: usize = 1024;

/// No group has come to a place yet.
const NONE: u32 = u32::MAX;

/// See the module.
pub(super) struct Alike<K> {
    groups: Vec<Group<K>>,
    /// The number of the group of each record.
    group_of: Vec<u32>,
    /// The group that came last to each of these places.
    remembered: [u32; REMEMBERED],
}

/// Records that are alike.
pub(super) struct Group<K> {
    pub(super) key: K,
    hash: KeyHash,
    /// Every time in it is in the same windows.
    span: Window,
    /// What was found for the group, of a list that its owner keeps.
    pub(super) panes: Range<usize>,
    /// Whether there are windows that nothing was found for.
    lacks_some: bool,
}

impl<K> Group<K> {
    /// Whether its records are too late for some of their windows, and not for others.
    pub(super) fn is_partly_late(&self) -> bool {
        self.lacks_some && !self.panes.is_empty()
    }
}

impl<K> Default for Alike<K> {
    fn default() -> Self {
        Alike { groups: Vec::new(), group_of: Vec::new(), remembered: [NONE; REMEMBERED] }
    }
}

fn place(hash: KeyHash, span: Window) -> usize {
    let mixed = hash.0 ^ (span.start.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % REMEMBERED
}

impl<K: Eq> Alike<K> {
    /// Forgets everything: the next batch begins.
    pub(super) fn clear(&mut self) {
        self.groups.clear();
        self.group_of.clear();
        self.remembered.fill(NONE);
    }

    /// Puts the next record into the group that it belongs to, if that is remembered.
    #[inline]
    pub(super) fn join(&mut self, hash: KeyHash, key: &K, span: Window) -> bool {
        let number = self.remembered[place(hash, span)];
        let joins = self
            .groups
            .get(number as usize)
            .is_some_and(|group| group.hash == hash && group.span == span && group.key == *key);
        if joins {
            self.group_of.push(number);
        }
        joins
    }

    /// Lets the next record begin a group.
    pub(super) fn begin(
        &mut self,
        hash: KeyHash,
        key: K,
        span: Window,
        (panes, lacks_some): (Range<usize>, bool),
    ) {
        let number = self.groups.len() as u32;
        self.remembered[place(hash, span)] = number;
        self.group_of.push(number);
        self.groups.push(Group { key, hash, span, panes, lacks_some });
    }

    /// In the order in which they began.
    pub(super) fn groups(&self) -> &[Group<K>] {
        &self.groups
    }

    /// The group of each record.
    #[inline]
    pub(super) fn of_records(&self) -> impl Iterator<Item = &Group<K>> {
        self.group_of.iter().map(|number| &self.groups[*number as usize])
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::time::Timestamp;

    use super::*;

    /// Keys may share a hash, and more of them may come than are remembered.
    #[test]
    fn only_what_is_alike_is_in_one_group() {
        let mut alike = Alike::default();
        let mut due = Vec::new();
        for round in 0..3 {
            for number in 0..2000_u64 {
                let (key, start) = (number % 1000, round % 2);
                let span = Window { start: Timestamp(start), end: Timestamp(start + 1) };
                let hash = KeyHash(key / 2);
                if !alike.join(hash, &key, span) {
                    alike.begin(hash, key, span, (0..0, false));
                }
                due.push((key, hash, span));
            }
        }
        let found = alike.of_records().map(|group| (group.key, group.hash, group.span));
        assert_eq!(found.collect::<Vec<_>>(), due);
    }

    #[test]
    fn a_group_is_joined_as_long_as_it_is_remembered() {
        let mut alike = Alike::default();
        let span = Window { start: Timestamp(0), end: Timestamp(1) };
        assert!(!alike.join(KeyHash(7), &"a", span));
        alike.begin(KeyHash(7), "a", span, (0..1, false));
        assert!(alike.join(KeyHash(7), &"a", span));
        assert!(!alike.join(KeyHash(7), &"b", span));
        alike.clear();
        assert!(!alike.join(KeyHash(7), &"a", span));
        assert_eq!(alike.of_records().count(), 0);
    }
}
