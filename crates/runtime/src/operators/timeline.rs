//! What is due when: the hashes of entries of a table, in the order of their times.
//!
//! It is derived from the table when an operator is opened and followed from then on; the table is the
//! truth, and the only thing that a checkpoint holds. It knows nothing of what is due.

use std::collections::BTreeMap;

use steadfast_core::key::KeyHash;
use steadfast_core::time::Timestamp;

/// See the module. `P` sets apart what is due at the same time.
#[derive(Debug)]
pub(super) struct Timeline<P> {
    due: BTreeMap<(Timestamp, P), Vec<KeyHash>>,
}

impl<P: Ord + Copy> Timeline<P> {
    pub(super) fn new() -> Self {
        Timeline { due: BTreeMap::new() }
    }

    /// Adds an entry. The same may be added twice: whoever finds nothing under it the second time passes on.
    pub(super) fn add(&mut self, at: Timestamp, what: P, hash: KeyHash) {
        self.due.entry((at, what)).or_default().push(hash);
    }

    /// Removes an entry that is not due any more.
    pub(super) fn remove(&mut self, at: Timestamp, what: P, hash: KeyHash) {
        if let Some(hashes) = self.due.get_mut(&(at, what)) {
            // What was added last is most often removed first.
            if let Some(place) = hashes.iter().rposition(|found| *found == hash) {
                hashes.swap_remove(place);
            }
            if hashes.is_empty() {
                self.due.remove(&(at, what));
            }
        }
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Takes up to `most` of the earliest, if they are due by `until`.
    pub(super) fn take(
        &mut self,
        until: Timestamp,
        most: usize,
    ) -> Option<(Timestamp, P, Vec<KeyHash>)> {
        let mut first = self.due.first_entry().filter(|entry| entry.key().0 <= until)?;
        let (at, what) = *first.key();
        let hashes = first.get_mut();
        let taken = hashes.split_off(hashes.len().saturating_sub(most));
        if hashes.is_empty() {
            first.remove();
        }
        Some((at, what, taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_in_parts_is_there_once_and_in_order() {
        let mut timeline = Timeline::new();
        for number in 0..25_u64 {
            timeline.add(Timestamp(10 * (number as i64 % 2)), (), KeyHash(number));
        }
        let (mut times, mut hashes) = (Vec::new(), Vec::new());
        while let Some((at, (), some)) = timeline.take(Timestamp(10), 4) {
            assert!(some.len() <= 4);
            times.push(at.0);
            hashes.extend(some.into_iter().map(|hash| hash.0));
        }
        assert!(times.is_sorted(), "{times:?}");
        hashes.sort_unstable();
        assert_eq!(hashes, (0..25).collect::<Vec<_>>());
        assert_eq!(timeline.next(), None);
    }
}
