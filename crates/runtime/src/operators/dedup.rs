//! Exact deduplication by id, with expiry.
//!
//! Whether an id has expired is decided by the records' own times, never by a clock, so that a
//! replay after a crash decides as the first run did. Expired ids are swept out a few at a time;
//! until then they count as gone all the same.

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

/// When an id may be forgotten.
pub enum Expiry<T> {
    /// Never.
    Never,
    /// When records are later than the one that brought the id by more than `keep`.
    After {
        /// Tells the times of a whole batch.
        times: Times<T>,
        /// For how long an id is remembered.
        keep: Duration,
    },
}

impl<T> Expiry<T> {
    /// Ids are remembered for `keep` of the time that `time` tells of the records.
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
    /// The latest time of a record; unknown before the first batch after a restore.
    latest: Option<Timestamp>,
    /// No id that is kept is older than this.
    oldest: Timestamp,
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
        let (latest, oldest, duplicates) = (None, Timestamp::MIN, 0);
        let (fresh, times, located) = (Vec::new(), Vec::new(), Vec::new());
        Dedup {
            name: name.into(),
            seen,
            id,
            expiry,
            times,
            latest,
            oldest,
            duplicates,
            fresh,
            located,
        }
    }

    fn look_up_forever(&mut self, batch: &Batch<T>) {
        let id = |number: usize| (self.id)(&batch.items[number]);
        self.seen.locate(&batch.hashes, id, |_| Timestamp::default(), &mut self.located);
        self.fresh.extend(self.located.iter().map(|(_, inserted)| *inserted));
    }

    fn look_up(&mut self, batch: &Batch<T>, times: &Times<T>, keep: Duration) {
        self.times.clear();
        times(&batch.items, &mut self.times);
        let seen = &mut self.seen;
        let mut latest = self.latest.unwrap_or_else(|| {
            let times = seen.iter().map(|(_, at)| *at);
            let (oldest, latest) =
                times.fold((Timestamp::MAX, Timestamp::MIN), |(a, z), at| (a.min(at), z.max(at)));
            self.oldest = oldest;
            latest
        });
        self.oldest = self.times.iter().copied().fold(self.oldest, Timestamp::min);
        let id = |number: usize| (self.id)(&batch.items[number]);
        seen.locate(&batch.hashes, id, |number| self.times[number], &mut self.located);
        for ((slot, inserted), at) in self.located.iter().zip(&self.times) {
            latest = latest.max(*at);
            let expired = !inserted && *seen.entry(*slot).1 < latest.minus(keep);
            if expired {
                *seen.value_mut(*slot) = *at;
            }
            self.fresh.push(*inserted || expired);
        }
        self.latest = Some(latest);
        let horizon = latest.minus(keep);
        if self.oldest < horizon {
            // Twice as fast as ids can come in, so that what has expired cannot pile up.
            seen.sweep(2 * batch.items.len(), |_, at| *at < horizon);
        }
    }
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
        dedup.on_batch(&mut Batch { items: items.to_vec(), hashes }, &mut out).unwrap();
        out.items
    }

    #[test]
    fn only_the_first_of_each_id_passes_within_and_across_batches() {
        let mut dedup = dedup(Expiry::Never);
        assert_eq!(pass(&mut dedup, &[(1, 0), (2, 0), (1, 0)]), [(1, 0), (2, 0)]);
        assert_eq!(pass(&mut dedup, &[(2, 0), (3, 0)]), [(3, 0)]);
        assert_eq!(dedup.duplicates, 2);
    }

    #[test]
    fn an_id_is_new_again_after_it_has_expired_and_its_memory_is_given_back() {
        let expiry =
            Expiry::after(Duration::from_millis(10), |item: &(u64, i64)| Timestamp(item.1));
        let mut dedup = dedup(expiry);
        assert_eq!(pass(&mut dedup, &[(1, 100), (1, 110)]).len(), 1);
        // 111 is more than 10 after 100: forgotten. The id of the last record is not.
        assert_eq!(pass(&mut dedup, &[(2, 111), (1, 105), (1, 106)]), [(2, 111), (1, 105)]);
        for n in 0..1000 {
            pass(&mut dedup, &[(n, 1000 + n as i64)]);
        }
        assert!(dedup.seen.len() < 60, "{}", dedup.seen.len());
    }
}
