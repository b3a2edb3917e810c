//! Values of which each belongs to one task, and to another when the tasks are others.
//!
//! Each lies in one of the key groups of its task, in turn, and goes where the group goes.

use std::any::Any;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use steadfast_core::key::{KeyGroups, KeyHash, KeySpace};
use steadfast_core::state::StateTable;
use steadfast_state::{State, Table};

use super::super::emit::Group;
use super::AnyState;

/// Where a value lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Place {
    /// Grows with every value, so that they stay in order.
    number: u64,
    group: Group,
}

impl Place {
    fn hash(&self) -> KeyHash {
        self.group.hash().part(&self.number)
    }
}

/// See the module.
pub(super) struct Shared<V> {
    table: Table<Place, V>,
    /// Where the values lie, in order.
    order: BTreeSet<Place>,
    next: u64,
    groups: KeyGroups,
    of: u16,
}

impl<V: State> Shared<V> {
    pub(super) fn new(name: String, (space, task): (KeySpace, u16)) -> Self {
        let table = Table::with_hash(name, space, task, Place::hash);
        let (groups, of) = (space.groups_of(task), space.groups);
        Shared { table, order: BTreeSet::new(), next: 0, groups, of }
    }

    fn take(&mut self, place: &Place) -> Option<V> {
        let slot = self.table.find(place.hash(), place)?;
        Some(self.table.take(place.hash(), slot)?.1)
    }
}

impl<V: State> AnyState for Shared<V> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn table(&mut self) -> &mut dyn StateTable {
        &mut self.table
    }

    fn open(&mut self) {
        self.order = self.table.iter().map(|(place, _)| place.clone()).collect();
        self.next = self.order.last().map_or(0, |last| last.number + 1);
    }
}

/// The values that a task has, in the order in which they were added; where the number of tasks has
/// changed, those of several tasks take turns.
pub struct Split<'a, V>(&'a mut Shared<V>);

impl<'a, V: State> Split<'a, V> {
    pub(super) fn new(state: &'a mut Shared<V>) -> Self {
        Split(state)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.order.is_empty()
    }

    /// Adds a value behind the others.
    pub fn push(&mut self, value: V) {
        let state = &mut *self.0;
        let number = state.next;
        let turn = number % u64::from(state.groups.end - state.groups.first);
        let group = Group { group: state.groups.first + turn as u16, of: state.of };
        let place = Place { number, group };
        state.next += 1;
        state.table.insert(place.hash(), &place, value);
        state.order.insert(place);
    }

    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &V> {
        let table = &self.0.table;
        self.0.order.iter().filter_map(|place| table.get(place.hash(), place))
    }

    /// Takes the first one out.
    pub fn pop_first(&mut self) -> Option<V> {
        let place = self.0.order.pop_first()?;
        self.0.take(&place)
    }

    /// Removes those for which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        let Shared { table, order, .. } = &mut *self.0;
        order.retain(|place| {
            let stays = table.get(place.hash(), place).is_some_and(&mut keep);
            if !stays {
                table.remove(place.hash(), place);
            }
            stays
        });
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.retain(|_| false);
    }
}
