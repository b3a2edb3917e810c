//! Timers of a user's function: a key, a time, and a clock.
//!
//! Each is an entry of a table under its key's group, so timers are in the checkpoint and move with their
//! keys. It knows nothing of what is done when one is due.

use serde::{Deserialize, Serialize};
use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::state::StateTable;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_state::Table;

use super::timeline::Timeline;

/// By which clock a timer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Event time: the watermark.
    Event,
    /// Processing time: the engine's clock.
    Processing,
}

/// A timer of one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Timer<K> {
    pub(super) key: K,
    pub(super) at: Timestamp,
    clock: Clock,
}

impl<K: Key> Timer<K> {
    fn hash(&self) -> KeyHash {
        hash_of(KeyHash::of(&self.key), self.clock, self.at)
    }
}

fn hash_of(key: KeyHash, clock: Clock, at: Timestamp) -> KeyHash {
    key.part(&(clock == Clock::Event, at.0))
}

/// See the module.
pub(super) struct Timers<K> {
    table: Table<Timer<K>, ()>,
    by_event: Timeline<()>,
    by_processing: Timeline<()>,
}

impl<K: Key> Timers<K> {
    pub(super) fn new(operator: &str, space: KeySpace, task: u16) -> Self {
        let table = Table::with_hash(format!("{operator}/timers"), space, task, Timer::hash);
        Timers { table, by_event: Timeline::new(), by_processing: Timeline::new() }
    }

    pub(super) fn table(&mut self) -> &mut dyn StateTable {
        &mut self.table
    }

    fn line(&mut self, clock: Clock) -> &mut Timeline<()> {
        match clock {
            Clock::Event => &mut self.by_event,
            Clock::Processing => &mut self.by_processing,
        }
    }

    /// The table has been restored.
    pub(super) fn open(&mut self) {
        for group in 0..self.table.groups() {
            for slot in self.table.slots_in(group) {
                let (timer, ()) = self.table.entry(slot);
                let (clock, at, hash) = (timer.clock, timer.at, timer.hash());
                self.line(clock).add(at, (), hash);
            }
        }
    }

    pub(super) fn set(&mut self, clock: Clock, at: Timestamp, key_hash: KeyHash, key: &K) {
        let hash = hash_of(key_hash, clock, at);
        let timer = Timer { key: key.clone(), at, clock };
        if self.table.insert_if_absent(hash, &timer, || ()).1 {
            self.line(clock).add(at, (), hash);
        }
    }

    pub(super) fn clear(&mut self, clock: Clock, at: Timestamp, key_hash: KeyHash, key: &K) {
        let timer = Timer { key: key.clone(), at, clock };
        let hash = hash_of(key_hash, clock, at);
        if self.table.remove(hash, &timer) {
            self.line(clock).remove(at, (), hash);
        }
    }

    /// Whether a timer in event time is still waiting.
    pub(super) fn is_waiting(&self, at: Timestamp, key_hash: KeyHash, key: &K) -> bool {
        let is_it = |timer: &Timer<K>, (): &()| {
            timer.clock == Clock::Event && timer.at == at && timer.key == *key
        };
        self.table.find_where(hash_of(key_hash, Clock::Event, at), is_it).is_some()
    }

    /// When the engine's clock has to be looked at next.
    pub(super) fn next_processing(&self) -> Option<Timestamp> {
        self.by_processing.next()
    }

    /// Takes up to `most` of the earliest timers that are due by this clock, all of one time.
    pub(super) fn take(&mut self, clock: Clock, at: Moment, most: usize) -> Option<Vec<Timer<K>>> {
        let until = match clock {
            // No record of this time may come any more.
            Clock::Event => Timestamp(at.watermark.0.saturating_sub(1)),
            Clock::Processing => at.now,
        };
        let (at, (), hashes) = self.line(clock).take(until, most)?;
        let mut due = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let is_it = |timer: &Timer<K>, (): &()| timer.clock == clock && timer.at == at;
            if let Some(slot) = self.table.find_where(hash, is_it) {
                due.extend(self.table.take(hash, slot).map(|(timer, ())| timer));
            }
        }
        Some(due)
    }

    /// The timers that wait for event time, the latest first.
    pub(super) fn waiting(&self) -> Vec<(Timestamp, K)> {
        let all = (0..self.table.groups()).flat_map(|group| self.table.slots_in(group));
        let timers = all.map(|slot| self.table.entry(slot).0);
        let by_event = timers.filter(|timer| timer.clock == Clock::Event);
        let mut waiting: Vec<_> = by_event.map(|timer| (timer.at, timer.key.clone())).collect();
        waiting.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        waiting
    }
}
