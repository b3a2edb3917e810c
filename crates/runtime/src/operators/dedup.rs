//! Exact deduplication by id, with expiry.
//!
//! Whether an id has expired is decided by the record's own time and the time that is kept for its id,
//! and by nothing else: not by a clock, nor by what other records the same task has seen. So the
//! decision does not depend on the number of tasks, on restarts, or on a record from the far future.
//! One time is kept for an id, that of its last record that passed: of an id that is used again after
//! it has expired, each use must come in one piece, in whatever order the uses come.
//! Ids are not forgotten: how far all of the input has come is not known here yet.

use std::sync::Arc;
use std::time::Duration;

use steadfast_core::Result;
use steadfast_core::key::Key;
use steadfast_core::message::{BarrierKind, Batch};
use steadfast_core::operator::Operator;
use steadfast_core::state::StateTable;
use steadfast_core::time::Timestamp;
use steadfast_state::{Slot, Table};

/// Appends the time of every record of a batch.
pub type Times<T> = Arc<dyn Fn(&[T], &mut Vec<Timestamp>) + Send + Sync>;

/// Kept for an id that came while ids never expired: it does not if they do from now on.
const FOR_EVER: Timestamp = Timestamp::MIN;

/// When an id may be forgotten.
pub enum Expiry<T> {
    /// Never.
    Never,
    /// For records whose time is more than `keep` away from that of the one that brought the id.
    After {
        /// Tells the times of a whole batch.
        times: Times<T>,
        /// For how long an id counts.
        keep: Duration,
    },
}

impl<T> Expiry<T> {
    /// Ids count for `keep` of the time that `time` tells of the records.
    pub fn after(keep: Duration, time: impl Fn(&T) -> Timestamp + Send + Sync + 'static) -> Self {
        let times =
            move |items: &[T], out: &mut Vec<Timestamp>| out.extend(items.iter().map(&time));
        Expiry::After { times: Arc::new(times), keep }
    }
}

impl<T> Clone for Expiry<T> {
    fn clone(&self) -> Self {
        match self {
            Expiry::Never => Expiry::Never,
            Expiry::After { times, keep } => {
                Expiry::After { times: Arc::clone(times), keep: *keep }
            }
        }
    }
}

/// Drops records whose id has been seen. The input must be distributed by the id.
pub struct Dedup<I, T, F> {
    name: String,
    seen: Table<I, Timestamp>,
    id: Arc<F>,
    expiry: Expiry<T>,
    times: Vec<Timestamp>,
    duplicates: u64,
    fresh: Vec<bool>,
    located: Vec<(Slot, bool)>,
}

impl<I: Key, T, F: Fn(&T) -> &I> Dedup<I, T, F> {
    /// The operator `name` with its ids in `seen`; `id` tells a record's id.
    pub fn new(
        name: impl Into<String>,
        seen: Table<I, Timestamp>,
        id: Arc<F>,
        expiry: Expiry<T>,
    ) -> Self {
        let (fresh, times, located) = (Vec::new(), Vec::new(), Vec::new());
        Dedup { name: name.into(), seen, id, expiry, times, duplicates: 0, fresh, located }
    }

    fn look_up_forever(&mut self, batch: &Batch<T>) {
        let id = |number: usize| (self.id)(&batch.items[number]);
        self.seen.locate(&batch.hashes, id, |_| FOR_EVER, &mut self.located);
        self.fresh.extend(self.located.iter().map(|(_, inserted)| *inserted));
    }

    fn look_up(&mut self, batch: &Batch<T>, times: &Times<T>, keep: Duration) {
        self.times.clear();
        times(&batch.items, &mut self.times);
        let id = |number: usize| (self.id)(&batch.items[number]);
        let time = |number: usize| self.times[number];
        self.seen.locate(&batch.hashes, id, time, &mut self.located);
        for ((slot, inserted), at) in self.located.iter().zip(&self.times) {
            let seen_at = *self.seen.entry(*slot).1;
            let expired = !inserted && seen_at != FOR_EVER && !is_within(keep, seen_at, *at);
            if expired {
                *self.seen.value_mut(*slot) = *at;
            }
            self.fresh.push(*inserted || expired);
        }
    }
}

/// Whether two times are at most `keep` apart, whichever comes first.
fn is_within(keep: Duration, one: Timestamp, other: Timestamp) -> bool {
    one.max(other).minus(keep) <= one.min(other)
}

impl<I: Key, T: Send, F: Fn(&T) -> &I + Send + Sync> Operator<T> for Dedup<I, T, F> {
    type Out = T;

    fn on_batch(&mut self, batch: &mut Batch<T>, out: &mut Batch<T>) -> Result<()> {
        self.fresh.clear();
        self.located.clear();
        match self.expiry.clone() {
            Expiry::Never => self.look_up_forever(batch),
            Expiry::After { times, keep } => self.look_up(batch, &times, keep),
        }
        let before = batch.items.len();
        if self.fresh.contains(&false) {
            let mut fresh = self.fresh.iter();
            batch.items.retain(|_| fresh.next().is_some_and(|fresh| *fresh));
        }
        self.duplicates += (before - batch.items.len()) as u64;
        batch.hashes.clear();
        if out.items.is_empty() {
            std::mem::swap(&mut out.items, &mut batch.items);
        } else {
            out.items.append(&mut batch.items);
        }
        Ok(())
    }

    fn on_watermark(&mut self, _at: Timestamp, _out: &mut Batch<T>) -> Result<()> {
        Ok(())
    }

    fn on_epoch_end(&mut self, _kind: BarrierKind, _out: &mut Batch<T>) -> Result<()> {
        Ok(())
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        visit(&mut self.seen);
    }

    fn counters(&self, visit: &mut dyn FnMut(&str, &'static str, u64)) {
        visit(&self.name, "duplicates", self.duplicates);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast_core::key::{KeyHash, KeySpace};

    type Item = (u64, i64);
    type Subject = Dedup<u64, Item, fn(&Item) -> &u64>;

    fn dedup(expiry: Expiry<Item>) -> Subject {
        let table = Table::new("d/seen", KeySpace { groups: 8, tasks: 1 }, 0);
        Dedup::new("d", table, Arc::new(|item| &item.0), expiry)
    }

    fn pass(dedup: &mut Subject, items: &[(u64, i64)]) -> Vec<(u64, i64)> {
        let hashes = items.iter().map(|item| KeyHash::of(&item.0)).collect();
        let mut out = Batch::new();
        dedup
            .on_batch(&mut Batch { items: items.to_vec(), hashes, reservation: None }, &mut out)
            .unwrap();
        out.items
    }

    #[test]
    fn only_the_first_of_each_id_passes_within_and_across_batches() {
        let mut dedup = dedup(Expiry::Never);
        assert_eq!(pass(&mut dedup, &[(1, 0), (2, 0), (1, 0)]), [(1, 0), (2, 0)]);
        assert_eq!(pass(&mut dedup, &[(2, 0), (3, 0)]), [(3, 0)]);
        assert_eq!(dedup.duplicates, 2);
    }

    fn kept_for_ten() -> Subject {
        dedup(Expiry::after(Duration::from_millis(10), |item: &Item| Timestamp(item.1)))
    }

    #[test]
    fn an_id_counts_for_as_long_as_it_is_kept_in_both_directions() {
        let mut dedup = kept_for_ten();
        assert_eq!(pass(&mut dedup, &[(1, 100), (1, 110), (1, 90)]), [(1, 100)]);
        assert_eq!(pass(&mut dedup, &[(1, 111), (1, 112)]), [(1, 111)]);
        // Earlier than what is kept by more than ten: a copy of nothing that counts.
        assert_eq!(pass(&mut dedup, &[(1, 80), (1, 85)]), [(1, 80)]);
        assert_eq!(dedup.duplicates, 4);
    }

    /// Rows A1 to A3 of the first attack: other records, batches and tasks change nothing.
    #[test]
    fn what_other_records_say_does_not_matter() {
        let day = 24 * 60 * 60;
        let mut input: Vec<Item> = (0..3000_i64).map(|n| (n as u64, n / 3000 * day)).collect();
        // Each comes twice, five records apart; newest first; and one from the far future.
        input = input.chunks(5).flat_map(|five| [five, five].concat()).rev().collect();
        input.insert(0, (u64::MAX, i64::MAX));
        for tasks in [1, 2, 4] {
            for batch in [1, 7, 100] {
                let mut passed = 0;
                for task in 0..tasks {
                    let mut dedup = kept_for_ten();
                    let share: Vec<Item> =
                        input.iter().filter(|item| item.0 % tasks == task).copied().collect();
                    passed += share.chunks(batch).map(|b| pass(&mut dedup, b).len()).sum::<usize>();
                }
                assert_eq!(passed, 3001, "{tasks} tasks, batches of {batch}");
            }
        }
    }

    /// Row A8 of the attack of 2026-11-22.
    #[test]
    fn ids_that_came_before_they_could_expire_do_not() {
        let mut dedup = dedup(Expiry::Never);
        assert_eq!(pass(&mut dedup, &[(1, 100), (2, 0)]).len(), 2);
        dedup.expiry = kept_for_ten().expiry;
        assert_eq!(pass(&mut dedup, &[(1, 100), (2, 1_700_000_000_000), (3, 5)]), [(3, 5)]);
        dedup.expiry = Expiry::Never;
        assert_eq!(pass(&mut dedup, &[(3, 500)]), []);
    }
}
