//! Many entries for each key, each an entry of its own in the table: a checkpoint writes those that have
//! changed, however many others the key has.
//!
//! Which entries a key has is derived from the table when the task is opened, and followed from then on.

use std::any::Any;
use std::collections::BTreeSet;
use std::ops::RangeBounds;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::state::StateTable;
use steadfast_core::time::Moment;
use steadfast_state::{Slot, State, Table};

use super::lifetimes::{Lifetimes, TimeToLive};
use super::{AnyState, Of};

/// The key of one entry of a key: it lies in the group of the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Entry<K, M> {
    key: K,
    member: M,
}

impl<K: Key, M: Key> Entry<K, M> {
    fn hash(&self) -> KeyHash {
        KeyHash::of(&self.key).part(&self.member)
    }
}

/// See the module.
pub(super) struct Entries<K, M, V> {
    table: Table<Entry<K, M>, V>,
    members: HashTable<(K, BTreeSet<M>)>,
    lifetimes: Option<Lifetimes<Entry<K, M>>>,
}

impl<K: Key, M: Key + Ord, V: State> Entries<K, M, V> {
    pub(super) fn new(
        name: String,
        (space, task): (KeySpace, u16),
        time_to_live: Option<TimeToLive>,
    ) -> Self {
        let limited = |ttl| Lifetimes::new(&name, (space, task), Entry::hash, ttl);
        let lifetimes = time_to_live.map(limited);
        let table = Table::with_hash(name, space, task, Entry::hash);
        Entries { table, members: HashTable::new(), lifetimes }
    }

    fn note(&mut self, hash: KeyHash, key: &K, member: M) {
        let known = self.members.entry(hash.0, |known| known.0 == *key, |k| KeyHash::of(&k.0).0);
        let known = known.or_insert_with(|| (key.clone(), BTreeSet::new()));
        known.into_mut().1.insert(member);
    }

    fn forget(&mut self, hash: KeyHash, key: &K, member: &M) {
        if let Ok(mut known) = self.members.find_entry(hash.0, |known| known.0 == *key) {
            known.get_mut().1.remove(member);
            if known.get().1.is_empty() {
                known.remove();
            }
        }
    }

    fn members(&self, of: Of<'_, K>) -> Option<&BTreeSet<M>> {
        self.members.find(of.hash.0, |known| known.0 == *of.key).map(|known| &known.1)
    }

    fn find(&self, of: Of<'_, K>, member: &M) -> Option<Slot> {
        let is_it = |entry: &Entry<K, M>| entry.member == *member && entry.key == *of.key;
        let hash = of.hash.part(member);
        let lifetimes = self.lifetimes.as_ref();
        if lifetimes.is_some_and(|lifetimes| lifetimes.is_over(hash, is_it, of.when)) {
            return None;
        }
        self.table.find_where(hash, |entry, _| is_it(entry))
    }

    fn value(&mut self, of: Of<'_, K>, member: &M, init: impl FnOnce() -> V) -> &mut V {
        let found = self.find(of, member);
        if found.is_none() {
            // What is over is not what it was.
            self.remove(of, member);
            self.note(of.hash, of.key, member.clone());
        }
        let entry = || Entry { key: of.key.clone(), member: member.clone() };
        if let Some(lifetimes) = &mut self.lifetimes {
            lifetimes.write(of.hash.part(member), &entry(), of.when);
        }
        let hash = of.hash.part(member);
        let slot = found.unwrap_or_else(|| self.table.slot(hash, &entry(), init));
        self.table.value_mut(slot)
    }

    fn remove(&mut self, of: Of<'_, K>, member: &M) -> Option<V> {
        let is_it = |entry: &Entry<K, M>| entry.member == *member && entry.key == *of.key;
        let hash = of.hash.part(member);
        let counts = self.find(of, member).is_some();
        let slot = self.table.find_where(hash, |entry, _| is_it(entry))?;
        let (entry, value) = self.table.take(hash, slot)?;
        if let Some(lifetimes) = &mut self.lifetimes {
            lifetimes.forget(hash, &entry);
        }
        self.forget(of.hash, of.key, member);
        counts.then_some(value)
    }

    fn clear(&mut self, of: Of<'_, K>) {
        let Ok(known) = self.members.find_entry(of.hash.0, |known| known.0 == *of.key) else {
            return;
        };
        for member in known.remove().0.1 {
            let (hash, entry) = (of.hash.part(&member), Entry { key: of.key.clone(), member });
            self.table.remove(hash, &entry);
            if let Some(lifetimes) = &mut self.lifetimes {
                lifetimes.forget(hash, &entry);
            }
        }
    }
}

impl<K: Key, M: Key + Ord, V: State> AnyState for Entries<K, M, V> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        visit(&mut self.table);
        if let Some(lifetimes) = &mut self.lifetimes {
            visit(lifetimes.table());
        }
    }

    fn open(&mut self) {
        for group in 0..self.table.groups() {
            for slot in self.table.slots_in(group).collect::<Vec<_>>() {
                let Entry { key, member } = self.table.entry(slot).0.clone();
                self.note(KeyHash::of(&key), &key, member);
            }
        }
    }

    fn sweep(&mut self, moment: Moment, budget: usize) {
        let Some(lifetimes) = &mut self.lifetimes else { return };
        lifetimes.adopt(&self.table, moment);
        for entry in lifetimes.sweep(moment, budget) {
            self.table.remove(entry.hash(), &entry);
            self.forget(KeyHash::of(&entry.key), &entry.key, &entry.member);
        }
    }
}

/// The ordered map of the key at hand. Each entry is kept, tracked and written on its own.
pub struct Map<'a, K, M, V> {
    entries: &'a mut Entries<K, M, V>,
    of: Of<'a, K>,
}

impl<'a, K: Key, M: Key + Ord, V: State> Map<'a, K, M, V> {
    pub(super) fn new(entries: &'a mut Entries<K, M, V>, of: Of<'a, K>) -> Self {
        Map { entries, of }
    }

    /// The value of an entry, if there is one.
    pub fn get(&self, member: &M) -> Option<&V> {
        let slot = self.entries.find(self.of, member)?;
        Some(self.entries.table.entry(slot).1)
    }

    /// Whether there is such an entry.
    pub fn contains(&self, member: &M) -> bool {
        self.entries.find(self.of, member).is_some()
    }

    /// The value of an entry for writing; its default is stored first if there is none.
    pub fn value(&mut self, member: &M) -> &mut V
    where
        V: Default,
    {
        self.entries.value(self.of, member, V::default)
    }

    /// Sets an entry, and hands over what it held.
    pub fn insert(&mut self, member: M, value: V) -> Option<V> {
        let mut given = Some(value);
        let init = || given.take().expect("it is asked for once");
        let kept = self.entries.value(self.of, &member, init);
        given.map(|value| std::mem::replace(kept, value))
    }

    /// Removes an entry, and hands over what it held.
    pub fn remove(&mut self, member: &M) -> Option<V> {
        self.entries.remove(self.of, member)
    }

    /// All entries in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&M, &V)> {
        self.range(..)
    }

    /// The entries of a range, in their order.
    ///
    /// # Panics
    /// If the range ends before it begins.
    pub fn range(&self, range: impl RangeBounds<M>) -> impl DoubleEndedIterator<Item = (&M, &V)> {
        let members = self.entries.members(self.of);
        let members = members.into_iter().flat_map(move |members| {
            let (from, to) = (range.start_bound().cloned(), range.end_bound().cloned());
            members.range((from, to))
        });
        members.filter_map(|member| Some((member, self.get(member)?)))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        match self.entries.lifetimes {
            None => self.entries.members(self.of).map_or(0, BTreeSet::len),
            Some(_) => self.iter().count(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.entries.clear(self.of);
    }
}

/// The list of the key at hand. Each of its values is kept, tracked and written on its own.
pub struct List<'a, K, V>(Map<'a, K, u64, V>);

impl<'a, K: Key, V: State> List<'a, K, V> {
    pub(super) fn new(entries: &'a mut Entries<K, u64, V>, of: Of<'a, K>) -> Self {
        List(Map::new(entries, of))
    }

    /// Adds a value at the end.
    pub fn push(&mut self, value: V) {
        // Also behind what is over: a place is not used twice.
        let last = self.0.entries.members(self.0.of).and_then(BTreeSet::last).copied();
        let next = last.map_or(0, |last| last + 1);
        self.0.insert(next, value);
    }

    /// Removes the first value, and hands it over.
    pub fn pop_first(&mut self) -> Option<V> {
        let first = *self.0.iter().next()?.0;
        self.0.remove(&first)
    }

    /// All values in the order in which they were added.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// Keeps the values for which the function says so.
    pub fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        let others = self.0.iter().filter(|(_, value)| !keep(value));
        for place in others.map(|(place, _)| *place).collect::<Vec<_>>() {
            self.0.remove(&place);
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes all values.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K: Key, V: State> Extend<V> for List<'_, K, V> {
    fn extend<I: IntoIterator<Item = V>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}
