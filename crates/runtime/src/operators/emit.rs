//! When results are emitted, and which have been.

use serde::{Deserialize, Serialize};
use steadfast_core::key::{Key, KeyGroups, KeyHash, KeySpace};
use steadfast_core::state::StateTable;
use steadfast_state::Table;

/// When a result is emitted. It means the same for every operator that has results.
///
/// A result is *complete* when nothing can be added to it any more: that of a window when the watermark has
/// passed its end, that of a running aggregate at the end of the input. At the end of the input everything
/// counts as complete for now. If more input comes after that, what has changed is emitted once more when it
/// is complete again, and nothing else is: into a target of rows by key it takes the place of the former
/// result; one that appends holds both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// With every checkpoint, what has changed since the one before, complete or not. For targets that
    /// hold one row for each key: each result replaces the one before.
    #[default]
    Changes,
    /// When it is complete.
    Final,
}

impl Emit {
    /// As it stands in checkpoints.
    pub(super) fn name(self) -> &'static str {
        match self {
            Emit::Changes => "changes",
            Emit::Final => "final",
        }
    }
}

/// Which results have been shown at an end of the input: none before the first, all at it, and from then
/// on those that have not been touched since.
pub(super) struct Shown<K> {
    /// One entry for each key group once everything has been shown: it moves with the group.
    ends: Table<Group, ()>,
    touched: Table<K, ()>,
    groups: KeyGroups,
    of: u16,
}

/// A key group, as the key of what is kept for it alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) group: u16,
    pub(crate) of: u16,
}

impl Group {
    /// The least hash that lies in it.
    pub(crate) fn hash(&self) -> KeyHash {
        KeyHash((u64::from(self.group) << 32).div_ceil(u64::from(self.of)) << 32)
    }
}

impl<K: Key> Shown<K> {
    pub(super) fn new(operator: &str, space: KeySpace, task: u16) -> Self {
        let ends = Table::with_hash(format!("{operator}/ends"), space, task, Group::hash);
        let touched = Table::new(format!("{operator}/touched"), space, task);
        Shown { ends, touched, groups: space.groups_of(task), of: space.groups }
    }

    /// Whether everything has been shown once.
    pub(super) fn has_been(&self) -> bool {
        !self.ends.is_empty()
    }

    /// Notes that the result of a key has changed.
    pub(super) fn touch(&mut self, hash: KeyHash, key: &K) {
        self.touched.insert_if_absent(hash, key, || ());
    }

    /// The keys whose results have changed, by the number of their group among those of the task.
    pub(super) fn touched_in(&self, group: usize) -> impl Iterator<Item = &K> {
        self.touched.slots_in(group).map(|slot| self.touched.entry(slot).0)
    }

    /// Everything has been shown.
    pub(super) fn all(&mut self) {
        self.touched.clear();
        for group in self.groups.range() {
            let group = Group { group, of: self.of };
            self.ends.insert(group.hash(), &group, ());
        }
    }

    pub(super) fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        visit(&mut self.ends);
        visit(&mut self.touched);
    }
}

#[cfg(test)]
mod tests {
    use steadfast_core::key::KeyGroup;

    use super::*;

    #[test]
    fn what_is_kept_for_a_group_lies_in_it() {
        for of in [1, 7, 8, 128, 1000] {
            for group in 0..of {
                let hash = Group { group, of }.hash();
                assert_eq!(KeySpace { groups: of, tasks: 1 }.group_of(hash), KeyGroup(group));
            }
        }
    }

    #[test]
    fn everything_touched_is_forgotten_when_all_has_been_shown() {
        let mut shown = Shown::<u64>::new("o", KeySpace { groups: 8, tasks: 1 }, 0);
        assert!(!shown.has_been());
        (0..100_u64).for_each(|key| shown.touch(KeyHash::of(&key), &key));
        shown.all();
        assert!(shown.has_been());
        assert_eq!((0..8).flat_map(|group| shown.touched_in(group)).count(), 0);
    }
}
