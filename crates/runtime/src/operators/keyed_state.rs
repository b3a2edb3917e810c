//! State for each key of a user's function, and what the function may do with it.
//!
//! A function declares its state when a task is made and gets typed handles; with them it reaches
//! the state of the key of the record at hand. State cannot be forgotten in a checkpoint, because
//! the operator owns every table that was declared.

use std::any::Any;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::state::StateTable;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_state::{State, Table};

use super::timers::{Clock, Timers};

/// A handle to one value for each key.
pub struct ValueState<V>(usize, PhantomData<fn() -> V>);

/// A handle to a list for each key.
pub struct ListState<V>(usize, PhantomData<fn() -> V>);

/// A handle to an ordered map for each key.
pub struct MapState<M, V>(usize, PhantomData<fn() -> (M, V)>);

impl<V> Clone for ValueState<V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<V> Copy for ValueState<V> {}
impl<V> Clone for ListState<V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<V> Copy for ListState<V> {}
impl<M, V> Clone for MapState<M, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M, V> Copy for MapState<M, V> {}

/// Declares the state of a process; its tables, once it runs.
pub struct KeyedStates<K> {
    operator: String,
    space: KeySpace,
    task: u16,
    tables: Vec<Box<dyn AnyTable>>,
    pub(super) timers: Timers<K>,
    key: PhantomData<fn() -> K>,
}

/// A table whose value type is known to its handle only.
trait AnyTable: Send {
    fn as_any(&mut self) -> &mut dyn Any;
    fn as_state(&mut self) -> &mut dyn StateTable;
}

impl<K: Key, V: State> AnyTable for Table<K, V> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
    fn as_state(&mut self) -> &mut dyn StateTable {
        self
    }
}

impl<K: Key> KeyedStates<K> {
    /// No state yet, for one task of `operator`.
    pub fn new(operator: impl Into<String>, space: KeySpace, task: u16) -> Self {
        let (operator, tables) = (operator.into(), Vec::new());
        let timers = Timers::new(&operator, space, task);
        KeyedStates { operator, space, task, tables, timers, key: PhantomData }
    }

    fn declare<V: State>(&mut self, name: &str) -> usize {
        let name = format!("{}/{name}", self.operator);
        self.tables.push(Box::new(Table::<K, V>::new(name, self.space, self.task)));
        self.tables.len() - 1
    }

    /// Declares one value for each key, under a name that must not change between releases.
    pub fn value<V: State>(&mut self, name: &str) -> ValueState<V> {
        ValueState(self.declare::<V>(name), PhantomData)
    }

    /// Declares a list for each key. A list is read and written as a whole.
    pub fn list<V: State>(&mut self, name: &str) -> ListState<V> {
        ListState(self.declare::<Vec<V>>(name), PhantomData)
    }

    /// Declares an ordered map for each key. A map is read and written as a whole.
    pub fn map<M: Key + Ord, V: State>(&mut self, name: &str) -> MapState<M, V> {
        MapState(self.declare::<BTreeMap<M, V>>(name), PhantomData)
    }

    pub(super) fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        self.tables.iter_mut().for_each(|table| visit(table.as_state()));
        visit(self.timers.table());
    }

    fn table<V: State>(&mut self, number: usize) -> &mut Table<K, V> {
        // A handle is only made by `declare`, with the type of its table. A handle of another
        // process is a mistake in user code; the panic becomes an error of the task.
        let table = self.tables.get_mut(number).and_then(|table| table.as_any().downcast_mut());
        table.expect("a state handle is used in the process that declared it")
    }
}

/// The key of the record at hand, its state, and the time.
pub struct KeyedContext<'a, K> {
    states: &'a mut KeyedStates<K>,
    hash: KeyHash,
    key: &'a K,
    /// The event time of the record or timer at hand.
    at: Timestamp,
    moment: Moment,
}

impl<'a, K: Key> KeyedContext<'a, K> {
    pub(super) fn new(
        states: &'a mut KeyedStates<K>,
        (hash, key): (KeyHash, &'a K),
        at: Timestamp,
        moment: Moment,
    ) -> Self {
        KeyedContext { states, hash, key, at, moment }
    }

    /// The key.
    pub fn key(&self) -> &K {
        self.key
    }

    /// The event time of the record at hand, or the time of the timer.
    pub fn time(&self) -> Timestamp {
        self.at
    }

    /// No record older than this will come, unless it is late.
    pub fn watermark(&self) -> Timestamp {
        self.moment.watermark
    }

    /// Processing time: the engine's clock. What depends on it changes from run to run.
    pub fn processing_time(&self) -> Timestamp {
        self.moment.now
    }

    /// Asks for a call when the watermark is beyond `at`. One for each key and time: asking again changes
    /// nothing. One that is in the past comes at once.
    pub fn set_timer(&mut self, at: Timestamp) {
        self.states.timers.set(Clock::Event, at, self.hash, self.key);
    }

    /// Takes such a request back.
    pub fn clear_timer(&mut self, at: Timestamp) {
        self.states.timers.clear(Clock::Event, at, self.hash, self.key);
    }

    /// Asks for a call when the engine's clock shows `at`.
    pub fn set_processing_timer(&mut self, at: Timestamp) {
        self.states.timers.set(Clock::Processing, at, self.hash, self.key);
    }

    /// Takes such a request back.
    pub fn clear_processing_timer(&mut self, at: Timestamp) {
        self.states.timers.clear(Clock::Processing, at, self.hash, self.key);
    }

    /// The value, if there is one.
    pub fn get<V: State>(&mut self, state: ValueState<V>) -> Option<&V> {
        let (hash, key) = (self.hash, self.key);
        self.states.table::<V>(state.0).get(hash, key)
    }

    /// The value for writing; its default is stored first if there is none.
    pub fn value<V: State + Default>(&mut self, state: ValueState<V>) -> &mut V {
        self.entry(state.0, V::default)
    }

    /// Sets the value.
    pub fn set<V: State>(&mut self, state: ValueState<V>, value: V) {
        let (hash, key) = (self.hash, self.key);
        self.states.table::<V>(state.0).insert(hash, key, value);
    }

    /// Removes the value.
    pub fn clear<V: State>(&mut self, state: ValueState<V>) {
        let (hash, key) = (self.hash, self.key);
        self.states.table::<V>(state.0).remove(hash, key);
    }

    /// The list for writing; an empty one is stored first if there is none.
    pub fn list<V: State>(&mut self, state: ListState<V>) -> &mut Vec<V> {
        self.entry(state.0, Vec::new)
    }

    /// The map for writing; an empty one is stored first if there is none.
    pub fn map<M: Key + Ord, V: State>(&mut self, state: MapState<M, V>) -> &mut BTreeMap<M, V> {
        self.entry(state.0, BTreeMap::new)
    }

    /// Removes the list.
    pub fn clear_list<V: State>(&mut self, state: ListState<V>) {
        self.states.table::<Vec<V>>(state.0).remove(self.hash, self.key);
    }

    /// Removes the map.
    pub fn clear_map<M: Key + Ord, V: State>(&mut self, state: MapState<M, V>) {
        self.states.table::<BTreeMap<M, V>>(state.0).remove(self.hash, self.key);
    }

    /// Two values for writing at once; their defaults are stored first if there are none.
    ///
    /// # Panics
    /// If both are the same state.
    pub fn values<V: State + Default, W: State + Default>(
        &mut self,
        one: ValueState<V>,
        other: ValueState<W>,
    ) -> (&mut V, &mut W) {
        let (hash, key) = (self.hash, self.key);
        let tables = self.states.tables.get_disjoint_mut([one.0, other.0]);
        let [one, other] = tables.expect("two different states of this process");
        (slot_of(one, hash, key), slot_of(other, hash, key))
    }

    fn entry<V: State>(&mut self, number: usize, init: impl FnOnce() -> V) -> &mut V {
        let (hash, key) = (self.hash, self.key);
        let table = self.states.table::<V>(number);
        let slot = table.slot(hash, key, init);
        table.value_mut(slot)
    }
}

fn slot_of<'t, K: Key, V: State + Default>(
    table: &'t mut Box<dyn AnyTable>,
    hash: KeyHash,
    key: &K,
) -> &'t mut V {
    let table = table.as_any().downcast_mut::<Table<K, V>>();
    let table = table.expect("a state handle is used in the process that declared it");
    let slot = table.slot(hash, key, V::default);
    table.value_mut(slot)
}
