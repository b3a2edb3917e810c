//! When to write everything again: a chain of deltas is cut short before it costs too much to read.
//!
//! The bound is on entries read at restore against entries alive, not on deltas against their
//! base: state that only grows never writes an entry twice for this reason.

use steadfast_core::key::KeyGroups;
use steadfast_core::state::{StateKind, StateLimits};

/// What was written of a table's share, from its last base on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chain {
    checkpoints: u64,
    entries: u64,
    /// The kind of the file that was loaded last, and the group behind its last one.
    loaded: Option<(StateKind, u16)>,
}

impl Chain {
    /// What should be written next, given how many entries changed and how many are alive.
    pub(crate) fn next(self, changed: u64, alive: u64, limits: &StateLimits) -> StateKind {
        let (few, many) = limits.checkpoints;
        let most = (alive / limits.entries_for_each).clamp(few, many);
        let too_long = self.checkpoints >= most;
        let too_much = self.entries + changed > alive * limits.read_factor + limits.read_slack;
        if self.checkpoints == 0 || too_long || too_much {
            StateKind::Base
        } else {
            StateKind::Delta
        }
    }

    /// Notes what a checkpoint has written.
    pub(crate) fn add(&mut self, kind: StateKind, entries: u64) {
        if kind == StateKind::Base {
            *self = Chain::default();
        }
        self.checkpoints += 1;
        self.entries += entries;
    }

    /// Notes a file with `groups` that has been loaded into a table that owns `owned`.
    pub(crate) fn load(
        &mut self,
        kind: StateKind,
        groups: KeyGroups,
        owned: KeyGroups,
        entries: u64,
    ) {
        // A large checkpoint is divided among files, one run of groups behind the other.
        if self.loaded == Some((kind, groups.first)) {
            self.entries += entries;
        } else if groups.covers(owned) {
            self.add(kind, entries);
        } else {
            // Files of several tasks may share one place in the chain: the bound stays safe.
            self.add(StateKind::Delta, entries);
        }
        self.loaded = Some((kind, groups.end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries that a table writes when it is frozen so many times, and how often all of them.
    fn written(times: usize, alive: impl Fn(u64) -> u64, changed: u64) -> (Vec<u64>, usize) {
        let (mut chain, mut entries, mut bases) = (Chain::default(), Vec::new(), 0);
        let limits = StateLimits::default();
        for time in 0..times as u64 {
            let kind = chain.next(changed, alive(time), &limits);
            let count = if kind == StateKind::Base { alive(time) } else { changed };
            bases += usize::from(kind == StateKind::Base);
            chain.add(kind, count);
            entries.push(count);
            assert!(chain.checkpoints <= 256);
            assert!(chain.entries <= alive(time).max(changed) * 3 + limits.read_slack);
        }
        (entries, bases)
    }

    #[test]
    fn what_is_read_at_a_restore_stays_within_its_bound() {
        // A small table that changes as a whole is written anew every third time or so.
        let (_, bases) = written(100, |_| 100_000, 100_000);
        assert!((30..=35).contains(&bases), "{bases}");
    }

    #[test]
    fn a_table_that_only_grows_is_hardly_ever_written_twice() {
        let (entries, bases) = written(250, |time| (time + 1) * 100_000, 100_000);
        // While it is small, its 64th checkpoint makes it begin again.
        assert!(bases <= 3, "{bases}");
        assert!(entries.iter().sum::<u64>() < 2 * 250 * 100_000);
    }

    #[test]
    fn a_large_table_with_small_changes_is_written_again_less_often() {
        assert_eq!(written(257, |_| 10_000, 10).1, 257_usize.div_ceil(64));
        assert_eq!(written(257, |_| 10_000_000, 10).1, 257_usize.div_ceil(256));
    }

    #[test]
    fn a_restore_may_read_as_much_as_its_bound_and_no_more() {
        let (mut chain, limits) = (Chain::default(), StateLimits::default());
        chain.add(StateKind::Base, 100);
        let most = 100 * limits.read_factor + limits.read_slack - 100;
        assert_eq!(chain.next(most, 100, &limits), StateKind::Delta);
        assert_eq!(chain.next(most + 1, 100, &limits), StateKind::Base);
    }

    #[test]
    fn a_loaded_base_ends_the_chain_before_it_if_it_holds_all_that_is_owned() {
        let groups = |first, end| KeyGroups { first, end };
        let (mut chain, owned) = (Chain::default(), groups(0, 8));
        let loaded = [
            (StateKind::Base, groups(0, 8), 100, (1, 100)),
            (StateKind::Delta, groups(0, 8), 10, (2, 110)),
            // Of one of two tasks among which the groups were divided, and then of the other.
            (StateKind::Base, groups(0, 4), 50, (3, 160)),
            (StateKind::Base, groups(4, 8), 50, (3, 210)),
            (StateKind::Base, groups(0, 16), 70, (1, 70)),
        ];
        for (kind, groups, entries, expected) in loaded {
            chain.load(kind, groups, owned, entries);
            assert_eq!((chain.checkpoints, chain.entries), expected, "{kind:?} {groups:?}");
        }
    }
}
