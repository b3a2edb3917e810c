//! Exact deduplication by id, with expiry.
//!
//! If all copies of an id lie within `keep` of each other in event time and none is late, exactly one of them
//! passes: the first if the input is in order, any one if it is not. Whether a record is a copy is decided
//! by its own time and by the times of the records that have passed, and by nothing else: not by a clock, nor
//! by what other records say. A use of an id is forgotten when the watermark says that no copy can come any
//! more; of one that came late, when the watermark has moved on by `keep` since it came.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_core::Result;
use steadfast_core::key::{KeyHash, KeySpace};
use steadfast_core::key_of::KeyOf;
use steadfast_core::message::Batch;
use steadfast_core::operator::Operator;
use steadfast_core::state::StateTable;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_state::{Slot, Table};

/// When an id may be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// Ids count for so much event time: records must have it.
    After(Duration),
}

/// The first use of an id: the time of the record that passed. It counts until the watermark is beyond
/// that time by `keep`; of one that came late, [`Use`] says for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct FirstUse(Timestamp);

impl FirstUse {
    /// An id that came while ids never expired does not if they do from now on.
    const FOR_EVER: FirstUse = FirstUse(Timestamp::MAX);

    fn at(at: Timestamp) -> FirstUse {
        // No record's own time says that it counts for ever.
        FirstUse(at.min(Timestamp(i64::MAX - 1)))
    }

    /// Whether a record of time `at` is a copy.
    fn covers(self, at: Timestamp, keep: Duration) -> bool {
        self == FirstUse::FOR_EVER || are_within(self.0, at, keep)
    }

    /// Whether it counts no more, where the watermark is `keep` beyond `horizon`.
    fn is_before(self, horizon: Timestamp) -> bool {
        self.0 < horizon
    }
}

/// A use of an id that was used before, or came late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Use {
    /// The time of the record that passed.
    at: Timestamp,
    /// It counts until the watermark is beyond this.
    until: Timestamp,
}

impl Use {
    fn is_over(&self, watermark: Timestamp) -> bool {
        self.until < watermark
    }
}

fn are_within(one: Timestamp, other: Timestamp, keep: Duration) -> bool {
    one.max(other).minus(keep) <= one.min(other)
}

/// Drops records whose id has been seen. The input must be distributed by the id.
pub struct Dedup<S: KeyOf<T>, T> {
    name: String,
    /// The first use of each id.
    seen: Table<S::Key, FirstUse>,
    /// Uses of an id that is used again before it could be forgotten, or that came late; hardly ever any.
    more: Table<S::Key, Vec<Use>>,
    id: Arc<S>,
    expiry: Expiry,
    /// No use that is kept is over before this: until then there is nothing to look for.
    earliest: Timestamp,
    duplicates: u64,
    fresh: Vec<bool>,
    located: Vec<(Slot, bool)>,
}

/// For each record that comes, so many ids are looked at whether they can be forgotten.
const SWEPT_FOR_EACH: usize = 2;

impl<T, S: KeyOf<T>> Dedup<S, T> {
    /// The operator `name` of one task; `id` tells a record's id.
    pub fn new(
        name: impl Into<String>,
        (space, task): (KeySpace, u16),
        id: Arc<S>,
        expiry: Expiry,
    ) -> Self {
        let (name, fresh, located) = (name.into(), Vec::new(), Vec::new());
        let seen = Table::new(format!("{name}/seen"), space, task);
        let more = Table::new(format!("{name}/more"), space, task);
        let earliest = Timestamp::MAX;
        Dedup { name, seen, more, id, expiry, earliest, duplicates: 0, fresh, located }
    }

    fn look_up_forever(&mut self, batch: &Batch<T>) {
        let id = |number: usize| self.id.key(&batch.items[number]);
        self.seen.locate(&batch.hashes, id, |_| FirstUse::FOR_EVER, &mut self.located);
        self.fresh.extend(self.located.iter().map(|(_, inserted)| *inserted));
    }

    fn look_up(&mut self, batch: &Batch<T>, watermark: Timestamp, keep: Duration) {
        let id = |number: usize| self.id.key(&batch.items[number]);
        let first = |number: usize| FirstUse::at(batch.time(number));
        self.seen.locate(&batch.hashes, id, first, &mut self.located);
        let horizon = watermark.minus(keep);
        for (number, (slot, inserted)) in self.located.iter().enumerate() {
            let at = batch.time(number);
            let is_late = at < watermark;
            if *inserted && !is_late {
                self.fresh.push(true);
                continue;
            }
            let known = *self.seen.entry(*slot).1;
            let is_over = known.is_before(horizon);
            let is_fresh = if !inserted && !is_over && known.covers(at, keep) {
                false
            } else if is_over && !is_late && self.more.is_empty() {
                *self.seen.value_mut(*slot) = first(number);
                true
            } else {
                let (hash, id) = (batch.hashes[number], self.seen.entry(*slot).0);
                let more = self.more.slot(hash, id, Vec::new);
                let uses = self.more.value_mut(more);
                uses.retain(|one| !one.is_over(watermark));
                let is_copy = uses.iter().any(|one| are_within(one.at, at, keep));
                if !is_copy {
                    // What comes late is kept for as long after it has come.
                    let until = at.max(watermark).plus(keep);
                    uses.push(Use { at, until });
                }
                !is_copy
            };
            self.fresh.push(is_fresh);
        }
        let least = batch.times().iter().min().map(|at| at.plus(keep));
        self.earliest = self.earliest.min(least.unwrap_or(Timestamp::MIN));
        if self.earliest < watermark {
            self.forget(watermark, keep, SWEPT_FOR_EACH * batch.items.len());
        }
    }

    /// Looks at some ids whether their uses are over. One that has further uses stays.
    fn forget(&mut self, watermark: Timestamp, keep: Duration, budget: usize) {
        self.more.sweep(budget, |_, uses| uses.iter().all(|one| one.is_over(watermark)));
        let more = &self.more;
        let horizon = watermark.minus(keep);
        self.seen.sweep(budget, |id, first| {
            first.is_before(horizon) && (more.is_empty() || more.get(KeyHash::of(id), id).is_none())
        });
    }
}

impl<T: Send + 'static, S: KeyOf<T>> Operator<T> for Dedup<S, T> {
    type Out = T;

    fn open(&mut self, _at: Moment) -> Result<()> {
        if !self.seen.is_empty() {
            self.earliest = Timestamp::MIN;
        }
        Ok(())
    }

    fn on_batch(&mut self, at: Moment, batch: &mut Batch<T>, out: &mut Batch<T>) -> Result<()> {
        self.fresh.clear();
        self.located.clear();
        match self.expiry {
            Expiry::Never => self.look_up_forever(batch),
            Expiry::After(keep) => self.look_up(batch, at.watermark, keep),
        }
        let duplicates = self.fresh.iter().filter(|fresh| !**fresh).count();
        self.duplicates += duplicates as u64;
        match duplicates {
            0 => out.append(batch),
            _ => batch.move_some(out, |number| self.fresh[number]),
        }
        Ok(())
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        visit(&mut self.seen);
        visit(&mut self.more);
    }

    fn counters(&self, visit: &mut dyn FnMut(&str, &'static str, u64)) {
        visit(&self.name, "duplicates", self.duplicates);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast_core::key_of::Borrowed;

    type Item = (u64, i64);
    type Subject = Dedup<Borrowed<u64, fn(&Item) -> &u64>, Item>;

    fn dedup(expiry: Expiry) -> Subject {
        let space = KeySpace { groups: 8, tasks: 1 };
        Dedup::new("d", (space, 0), Arc::new(Borrowed::new(|item: &Item| &item.0)), expiry)
    }

    fn pass_at(dedup: &mut Subject, watermark: i64, items: &[Item]) -> Vec<Item> {
        let (mut batch, mut out) = (Batch::new(), Batch::new());
        items.iter().for_each(|item| batch.push(*item, Timestamp(item.1)));
        batch.hashes.extend(items.iter().map(|item| KeyHash::of(&item.0)));
        let at = Moment { watermark: Timestamp(watermark), now: Timestamp(0) };
        dedup.on_batch(at, &mut batch, &mut out).unwrap();
        out.items
    }

    fn pass(dedup: &mut Subject, items: &[Item]) -> Vec<Item> {
        pass_at(dedup, i64::MIN, items)
    }

    #[test]
    fn only_the_first_of_each_id_passes_within_and_across_batches() {
        let mut dedup = dedup(Expiry::Never);
        assert_eq!(pass(&mut dedup, &[(1, 0), (2, 0), (1, 0)]), [(1, 0), (2, 0)]);
        assert_eq!(pass(&mut dedup, &[(2, 0), (3, 0)]), [(3, 0)]);
        assert_eq!(dedup.duplicates, 2);
    }

    fn kept_for_ten() -> Subject {
        dedup(Expiry::After(Duration::from_millis(10)))
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

    /// Each use of an id comes twice, and the uses are mixed.
    #[test]
    fn an_id_that_is_used_again_may_come_in_any_order() {
        let uses: Vec<Item> = [0, 100, 200, 5, 105, 205, 10].map(|at| (1, at)).into();
        let mut order = uses.clone();
        for seed in 0..50 {
            fastrand::Rng::with_seed(seed).shuffle(&mut order);
            for batch in [1, 3, 7] {
                let mut dedup = kept_for_ten();
                let passed: usize = order.chunks(batch).map(|b| pass(&mut dedup, b).len()).sum();
                assert_eq!(passed, 3, "{order:?}");
            }
        }
    }

    #[test]
    fn what_no_copy_can_come_of_any_more_is_forgotten() {
        let mut dedup = kept_for_ten();
        for second in 0..1000 {
            let items: Vec<Item> = (0..10).map(|n| (second as u64 * 10 + n, second * 5)).collect();
            pass_at(&mut dedup, second * 5, &items);
        }
        assert!(dedup.seen.len() < 200, "{}", dedup.seen.len());
    }

    /// From its second use on, an id counts from that on.
    #[test]
    fn a_copy_of_a_later_use_is_dropped_when_the_first_is_over() {
        for together in [true, false] {
            let mut dedup = kept_for_ten();
            assert_eq!(pass_at(&mut dedup, 0, &[(1, 0)]).len(), 1);
            let (use_again, copy) = ((1, 100), (1, 105));
            let passed = match together {
                true => pass_at(&mut dedup, 100, &[use_again, copy]).len(),
                false => {
                    let passed = pass_at(&mut dedup, 100, &[use_again]).len();
                    passed + pass_at(&mut dedup, 100, &[copy]).len()
                }
            };
            assert_eq!(passed, 1, "together: {together}");
        }
    }

    /// The first use of id 1 is over when all ids are looked at, and the further one is not.
    #[test]
    fn a_further_use_counts_when_the_first_is_over() {
        let mut dedup = kept_for_ten();
        assert_eq!(pass_at(&mut dedup, 0, &[(1, 100), (1, 120)]).len(), 2);
        for round in 0..3 {
            let others: Vec<Item> = (2..40).map(|id| (id + 100 * round, 116)).collect();
            assert_eq!(pass_at(&mut dedup, 115, &others).len(), others.len());
        }
        assert_eq!(pass_at(&mut dedup, 115, &[(1, 121)]), []);
    }

    /// The watermark is at 100 when a record of 20 comes.
    #[test]
    fn a_late_id_is_kept_for_as_long_after_it_came() {
        let mut dedup = kept_for_ten();
        assert_eq!(pass_at(&mut dedup, 100, &[(1, 20)]).len(), 1);
        assert_eq!(pass_at(&mut dedup, 110, &[(1, 25)]).len(), 0);
        assert_eq!(pass_at(&mut dedup, 111, &[(1, 25)]).len(), 1);
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
