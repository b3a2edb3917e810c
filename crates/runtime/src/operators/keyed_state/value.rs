//! One value for each key.

use std::any::Any;

use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::state::StateTable;
use steadfast_core::time::Moment;
use steadfast_state::{State, Table};

use super::lifetimes::{Lifetimes, TimeToLive, When};
use super::{AnyState, Of};

/// See the module.
pub(super) struct Values<K, V> {
    table: Table<K, V>,
    lifetimes: Option<Lifetimes<K>>,
}

impl<K: Key, V: State> Values<K, V> {
    pub(super) fn new(
        name: String,
        (space, task): (KeySpace, u16),
        time_to_live: Option<TimeToLive>,
    ) -> Self {
        let hash = |key: &K| KeyHash::of(key);
        let limited = |ttl| Lifetimes::new(&name, (space, task), hash, ttl);
        let lifetimes = time_to_live.map(limited);
        Values { table: Table::new(name, space, task), lifetimes }
    }

    fn is_over(&self, hash: KeyHash, key: &K, when: When) -> bool {
        let lifetimes = self.lifetimes.as_ref();
        lifetimes.is_some_and(|lifetimes| lifetimes.is_over(hash, |found| found == key, when))
    }

    pub(super) fn get(&self, of: Of<'_, K>) -> Option<&V> {
        if self.is_over(of.hash, of.key, of.when) {
            return None;
        }
        self.table.get(of.hash, of.key)
    }

    pub(super) fn value(&mut self, of: Of<'_, K>, init: impl FnOnce() -> V) -> &mut V {
        if self.is_over(of.hash, of.key, of.when) {
            self.table.remove(of.hash, of.key);
        }
        if let Some(lifetimes) = &mut self.lifetimes {
            lifetimes.write(of.hash, of.key, of.when);
        }
        let slot = self.table.slot(of.hash, of.key, init);
        self.table.value_mut(slot)
    }

    pub(super) fn set(&mut self, of: Of<'_, K>, value: V) {
        if let Some(lifetimes) = &mut self.lifetimes {
            lifetimes.write(of.hash, of.key, of.when);
        }
        self.table.insert(of.hash, of.key, value);
    }

    pub(super) fn clear(&mut self, of: Of<'_, K>) {
        self.table.remove(of.hash, of.key);
        if let Some(lifetimes) = &mut self.lifetimes {
            lifetimes.forget(of.hash, of.key);
        }
    }
}

impl<K: Key, V: State> AnyState for Values<K, V> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        visit(&mut self.table);
        if let Some(lifetimes) = &mut self.lifetimes {
            visit(lifetimes.table());
        }
    }

    fn open(&mut self) {}

    fn sweep(&mut self, moment: Moment, budget: usize) {
        let Some(lifetimes) = &mut self.lifetimes else { return };
        lifetimes.adopt(&self.table, moment);
        for key in lifetimes.sweep(moment, budget) {
            self.table.remove(KeyHash::of(&key), &key);
        }
    }
}
