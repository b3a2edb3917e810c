//! The table: one task's share of a keyed state, divided into key groups.
//!
//! Work comes in batches: a caller first turns every key of a batch into a [`Slot`] and then works
//! on the slots, so that the cache misses of independent look-ups overlap.
//!
//! It knows nothing of the operators that use it, nor of when or why it is frozen.

use std::borrow::Borrow;

use steadfast_core::key::{Key, KeyGroup, KeyGroups, KeyHash, KeySpace};
use steadfast_core::state::{FrozenTable, StateKind, StateLimits, StateTable};
use steadfast_core::{Cause, Error, Result};

use crate::chain::Chain;
use crate::file::{self, Change};
use crate::frozen::Frozen;
use crate::shard::Shard;
use crate::state::State;

/// How many look-ups are read ahead: enough to keep memory busy, few enough to stay in the nearest
/// cache.
const AHEAD: usize = 32;

/// Where an entry lies; valid until an entry of the table is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    shard: u16,
    slot: u32,
}

/// One task's share of a keyed state.
///
/// ```
/// use steadfast_core::key::{KeyHash, KeySpace};
/// use steadfast_state::Table;
///
/// let mut totals = Table::<String, i64>::new("totals", KeySpace { groups: 128, tasks: 1 }, 0);
/// let key = "acct_1".to_string();
/// let slot = totals.slot(KeyHash::of(&key), &key, || 0);
/// *totals.value_mut(slot) += 5;
/// assert_eq!(totals.get(KeyHash::of(&key), &key), Some(&5));
/// ```
pub struct Table<K, V> {
    name: String,
    hash: fn(&K) -> KeyHash,
    space: KeySpace,
    owned: KeyGroups,
    shards: Vec<Shard<K, V>>,
    len: usize,
    chain: Chain,
    /// Where [`Table::sweep`] goes on.
    hand: (usize, u32),
}

impl<K: Key, V: State> Table<K, V> {
    /// An empty table for the groups that `task` owns in `space`.
    pub fn new(name: impl Into<String>, space: KeySpace, task: u16) -> Self {
        Table::with_hash(name, space, task, |key| KeyHash::of(key))
    }

    /// The same where `hash` tells the hash of a key: for keys that are made of the key of a record, which
    /// alone decides the group, and of more (see [`KeyHash::part`]).
    pub fn with_hash(
        name: impl Into<String>,
        space: KeySpace,
        task: u16,
        hash: fn(&K) -> KeyHash,
    ) -> Self {
        let owned = space.groups_of(task);
        let shards = owned.range().map(|_| Shard::new(hash)).collect();
        let (name, len, chain) = (name.into(), 0, Chain::default());
        Table { name, hash, space, owned, shards, len, chain, hand: (0, 0) }
    }

    #[inline]
    fn shard_of(&self, hash: KeyHash) -> usize {
        usize::from(self.space.group_of(hash).0 - self.owned.first)
    }

    /// The value of `key`, if it has one.
    #[inline]
    pub fn get(&self, hash: KeyHash, key: &K) -> Option<&V> {
        let shard = &self.shards[self.shard_of(hash)];
        shard.find(hash, key).map(|slot| &shard.entry(slot).1)
    }

    /// Where `key` lies, if it is there.
    #[inline]
    pub fn find(&self, hash: KeyHash, key: &K) -> Option<Slot> {
        let shard = self.shard_of(hash);
        self.shards[shard].find(hash, key).map(|slot| Slot { shard: shard as u16, slot })
    }

    /// Where an entry lies that is the one that is meant, of those in the group of `hash` whose hashes have
    /// its lower half.
    #[inline]
    pub fn find_where(&self, hash: KeyHash, is_it: impl Fn(&K, &V) -> bool) -> Option<Slot> {
        let shard = self.shard_of(hash);
        let slot = self.shards[shard].find_where(hash, is_it)?;
        Some(Slot { shard: shard as u16, slot })
    }

    /// Where `key` lies; it is inserted with `init()` if it is not there.
    #[inline]
    pub fn slot(&mut self, hash: KeyHash, key: &K, init: impl FnOnce() -> V) -> Slot {
        self.insert_if_absent(hash, key, init).0
    }

    /// As [`Table::slot`], and whether the key was inserted.
    #[inline]
    pub fn insert_if_absent(
        &mut self,
        hash: KeyHash,
        key: &K,
        init: impl FnOnce() -> V,
    ) -> (Slot, bool) {
        self.insert_if_none(hash, |found| found == key, || (key.clone(), init()))
    }

    #[inline]
    fn insert_if_none(
        &mut self,
        hash: KeyHash,
        is_it: impl Fn(&K) -> bool,
        entry: impl FnOnce() -> (K, V),
    ) -> (Slot, bool) {
        let number = self.shard_of(hash);
        let shard = &mut self.shards[number];
        let (slot, inserted) = match shard.find_where(hash, |found, _| is_it(found)) {
            Some(slot) => (slot, false),
            None => {
                let (key, value) = entry();
                (shard.insert_new(hash, key, value, true), true)
            }
        };
        self.len += usize::from(inserted);
        (Slot { shard: number as u16, slot }, inserted)
    }

    /// Finds or inserts the keys of a whole batch; appends for each, in order, its slot and whether
    /// it was inserted. `key` tells the key of a record by its number.
    #[inline]
    pub fn locate<Q: Borrow<K>>(
        &mut self,
        hashes: &[KeyHash],
        key: impl Fn(usize) -> Q,
        mut init: impl FnMut(usize) -> V,
        located: &mut Vec<(Slot, bool)>,
    ) {
        self.locate_where(
            hashes,
            |number, found| key(number).borrow() == found,
            |number| (key(number).borrow().clone(), init(number)),
            located,
        );
    }

    /// The same, where `is_it` says whether a key is that of a record, and `entry` makes what is inserted.
    ///
    /// Index and entries are asked for ahead of the searches, for some dozens of keys at a time:
    /// what the searches need has come by the time they begin.
    #[inline]
    pub fn locate_where(
        &mut self,
        hashes: &[KeyHash],
        is_it: impl Fn(usize, &K) -> bool,
        mut entry: impl FnMut(usize) -> (K, V),
        located: &mut Vec<(Slot, bool)>,
    ) {
        let chunk = |number: usize| hashes.chunks(AHEAD).nth(number).unwrap_or_default();
        // Three chunks are under way at once: one whose index lines are asked for, the one before it
        // whose entries are, and the one before that, which is searched for.
        for step in 0..hashes.len().div_ceil(AHEAD) + 2 {
            for hash in chunk(step) {
                self.shards[self.shard_of(*hash)].read_index_ahead(*hash);
            }
            let Some(entries) = step.checked_sub(1) else { continue };
            for hash in chunk(entries) {
                self.shards[self.shard_of(*hash)].read_entry_ahead(*hash);
            }
            let Some(searched) = entries.checked_sub(1) else { continue };
            let found = chunk(searched).iter().zip(searched * AHEAD..).map(|(hash, number)| {
                self.insert_if_none(*hash, |found| is_it(number, found), || entry(number))
            });
            located.extend(found);
        }
    }

    /// The key and value in a slot.
    #[inline]
    pub fn entry(&self, slot: Slot) -> (&K, &V) {
        let (key, value) = self.shards[usize::from(slot.shard)].entry(slot.slot);
        (key, value)
    }

    /// The value in a slot for writing; counts as changed from now on.
    #[inline]
    pub fn value_mut(&mut self, slot: Slot) -> &mut V {
        self.shards[usize::from(slot.shard)].value_mut(slot.slot)
    }

    /// Sets the value of `key`.
    pub fn insert(&mut self, hash: KeyHash, key: &K, value: V) {
        match self.find(hash, key) {
            Some(slot) => *self.value_mut(slot) = value,
            None => {
                let shard = self.shard_of(hash);
                self.shards[shard].insert_new(hash, key.clone(), value, true);
                self.len += 1;
            }
        }
    }

    /// Removes `key`; true if it was there.
    pub fn remove(&mut self, hash: KeyHash, key: &K) -> bool {
        let shard = self.shard_of(hash);
        let there = self.shards[shard].remove(hash, key, true);
        self.len -= usize::from(there);
        there
    }

    /// Removes what lies in a slot, where a search by `hash` has found it, and hands it over. Other slots are
    /// not valid any more.
    pub fn take(&mut self, hash: KeyHash, slot: Slot) -> Option<(K, V)> {
        let taken = self.shards[usize::from(slot.shard)].take(hash, slot.slot, true);
        self.len -= usize::from(taken.is_some());
        taken
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        for shard in &mut self.shards {
            while let Some(last) = shard.slots().checked_sub(1) {
                let key = shard.entry(last).0.clone();
                shard.remove((self.hash)(&key), &key, true);
            }
        }
        self.len = 0;
    }

    /// How many groups of entries there are, for those who look at all of them bit by bit.
    pub fn groups(&self) -> usize {
        self.shards.len()
    }

    /// The slots of all entries of a group.
    pub fn slots_in(&self, group: usize) -> impl Iterator<Item = Slot> + use<K, V> {
        (0..self.shards[group].slots()).map(move |slot| Slot { shard: group as u16, slot })
    }

    /// The slots of a group whose entries were inserted or written since the table was last frozen.
    pub fn changed_in(&self, group: usize) -> impl Iterator<Item = Slot> {
        let slots = self.shards[group].changed_slots();
        slots.map(move |slot| Slot { shard: group as u16, slot })
    }

    /// All entries, group by group.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(Shard::iter).map(|(key, value)| (key, value))
    }

    /// The entries that were inserted or written since the table was last frozen.
    pub fn changed(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(Shard::changed).map(|(key, value)| (key, value))
    }

    /// Looks at up to `budget` entries, going on where the last call stopped, and removes those
    /// for which `expired` says so. Spreads the cost of expiry evenly over batches.
    pub fn sweep(&mut self, budget: usize, mut expired: impl FnMut(&K, &V) -> bool) {
        for _ in 0..budget.min(self.len) {
            let (number, slot) = self.hand;
            let shard = &mut self.shards[number];
            if slot >= shard.slots() {
                self.hand = ((number + 1) % self.shards.len(), 0);
                continue;
            }
            let (key, value) = shard.entry(slot);
            if expired(key, value) {
                let key = key.clone();
                shard.remove((self.hash)(&key), &key, true);
                self.len -= 1;
            } else {
                self.hand.1 += 1;
            }
        }
    }

    /// The shard of a group of a state file, if this task owns it.
    fn owned_shard(&mut self, group: KeyGroup) -> Option<&mut Shard<K, V>> {
        let owned = self.owned.contains(group);
        owned.then(|| &mut self.shards[usize::from(group.0 - self.owned.first)])
    }
}

impl<K: Key, V: State> StateTable for Table<K, V> {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.len
    }

    fn freeze(&mut self, limits: &StateLimits) -> Option<Box<dyn FrozenTable>> {
        if !self.shards.iter().any(Shard::is_changed) {
            return None;
        }
        let changed = self.shards.iter().map(Shard::changed_count).sum::<usize>() as u64;
        let alive = self.len as u64;
        let kind = self.chain.next(changed, alive, limits);
        let freeze = match kind {
            StateKind::Base => Shard::freeze_all,
            StateKind::Delta => Shard::freeze_changes,
        };
        let shards = self.shards.iter_mut().map(freeze).collect();
        self.chain.add(kind, if kind == StateKind::Base { alive } else { changed });
        let (space, groups) = (self.space.groups, self.owned);
        Some(Box::new(Frozen { table: self.name.clone(), space, groups, kind, shards }))
    }

    fn copied_bytes(&self) -> usize {
        self.shards.iter().map(Shard::copied).sum::<usize>() * size_of::<(K, V)>()
    }

    fn owned_groups(&self) -> KeyGroups {
        self.owned
    }

    fn load(&mut self, bytes: &[u8]) -> Result<()> {
        let file = file::Reader::open(bytes).map_err(|e| e.at(format!("table {}", self.name)))?;
        let header = file.header().clone();
        if header.key_groups != self.space.groups {
            let what = format!(
                "the state was written with {} key groups, the job has {}",
                header.key_groups, self.space.groups
            );
            return Err(Error::because(Cause::OPTION, what)
                .at(format!("table {}", self.name))
                .hint("the number of key groups is fixed for a job's life: set it back"));
        }
        if header.kind == StateKind::Base {
            for group in header.groups.range() {
                if let Some(shard) = self.owned_shard(KeyGroup(group)) {
                    shard.clear();
                }
            }
        }
        let (space, hash_of) = (self.space, self.hash);
        let mut entries = 0;
        let mut prefetch = Vec::with_capacity(AHEAD);
        for block in file.blocks() {
            let block = block?;
            let group = block.group;
            let Some(shard) = self.owned_shard(group) else { continue };
            shard.reserve(block.puts as usize);
            entries += u64::from(block.puts + block.removes);
            block.decode::<K, V>(|change| {
                match change {
                    Change::Remove(key) => {
                        shard.remove(hash_of(&key), &key, false);
                    }
                    Change::Put(key, value) => {
                        let hash = hash_of(&key);
                        if space.group_of(hash) != group {
                            return Err(foreign_key());
                        }
                        if prefetch.len() == AHEAD {
                            shard.restore(&mut prefetch, header.kind);
                        }
                        shard.read_index_ahead(hash);
                        prefetch.push((hash, key, value));
                    }
                }
                Ok(())
            })?;
            shard.restore(&mut prefetch, header.kind);
        }
        self.len = self.shards.iter().map(Shard::len).sum();
        self.chain.load(header.kind, header.groups, self.owned, entries);
        Ok(())
    }
}

/// The checksum has held, and the key was read: what has changed is how it hashes.
fn foreign_key() -> Error {
    let what = "a key does not hash to the key group that it was stored in";
    file::of_another_type(what, "the key's type, or how it hashes, has changed: put it back")
}
