//! A map of which every task has the same copy. One of the copies is written into checkpoints.

use std::any::Any;
use std::collections::BTreeSet;

use steadfast_core::Result;
use steadfast_core::key::{Key, KeyGroups, KeyHash, KeySpace};
use steadfast_core::state::{FrozenTable, StateLimits, StateTable};
use steadfast_state::{State, Table};

use super::AnyState;

/// See the module.
pub(super) struct Copied<M, V> {
    table: Table<M, V>,
    keys: BTreeSet<M>,
    /// Whether this is the copy that is written.
    is_first: bool,
}

impl<M: Key + Ord, V: State> Copied<M, V> {
    pub(super) fn new(name: String, (space, task): (KeySpace, u16)) -> Self {
        // All of the groups are those of every task.
        let table = Table::new(name, KeySpace { tasks: 1, ..space }, 0);
        Copied { table, keys: BTreeSet::new(), is_first: task == 0 }
    }
}

impl<M: Key + Ord, V: State> StateTable for Copied<M, V> {
    fn name(&self) -> &str {
        self.table.name()
    }

    fn owned_groups(&self) -> KeyGroups {
        self.table.owned_groups()
    }

    fn len(&self) -> usize {
        self.table.len()
    }

    fn freeze(&mut self, limits: &StateLimits) -> Option<Box<dyn FrozenTable>> {
        // What is handed over and not taken counts as written: it is not kept for the next time.
        self.table.freeze(limits).filter(|_| self.is_first)
    }

    fn copied_bytes(&self) -> usize {
        self.table.copied_bytes()
    }

    fn load(&mut self, file: &[u8]) -> Result<()> {
        self.table.load(file)
    }
}

impl<M: Key + Ord, V: State> AnyState for Copied<M, V> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn table(&mut self) -> &mut dyn StateTable {
        self
    }

    fn open(&mut self) {
        self.keys = self.table.iter().map(|(key, _)| key.clone()).collect();
    }
}

/// The map, in the order of its keys.
pub struct Broadcast<'a, M, V>(&'a mut Copied<M, V>);

impl<'a, M: Key + Ord, V: State> Broadcast<'a, M, V> {
    pub(super) fn new(state: &'a mut Copied<M, V>) -> Self {
        Broadcast(state)
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.0.keys.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.keys.is_empty()
    }

    /// What stands under `key`.
    pub fn get(&self, key: &M) -> Option<&V> {
        self.0.table.get(KeyHash::of(key), key)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (&M, &V)> {
        self.0.keys.iter().filter_map(|key| Some((key, self.get(key)?)))
    }

    /// Sets what stands under `key`.
    pub fn insert(&mut self, key: M, value: V) {
        self.0.table.insert(KeyHash::of(&key), &key, value);
        self.0.keys.insert(key);
    }

    /// Removes what stands under `key`.
    pub fn remove(&mut self, key: &M) {
        self.0.table.remove(KeyHash::of(key), key);
        self.0.keys.remove(key);
    }
}
