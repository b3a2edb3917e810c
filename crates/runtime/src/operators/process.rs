//! User-defined processing of keyed records, with value, list and map state.
//!
//! A process declares its state when a task is made and gets typed handles; with them it reaches
//! the state of the key of the record at hand. State cannot be forgotten in a checkpoint, because
//! the operator owns every table that was declared.

use std::any::Any;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::message::{BarrierKind, Batch};
use steadfast_core::operator::Operator;
use steadfast_core::state::StateTable;
use steadfast_core::time::Timestamp;
use steadfast_state::{State, Table};

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
        KeyedStates { operator, space, task, tables, key: PhantomData }
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
    watermark: Timestamp,
}

impl<K: Key> KeyedContext<'_, K> {
    /// The key.
    pub fn key(&self) -> &K {
        self.key
    }

    /// No record older than this will come.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
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

    fn entry<V: State>(&mut self, number: usize, init: impl FnOnce() -> V) -> &mut V {
        let (hash, key) = (self.hash, self.key);
        let table = self.states.table::<V>(number);
        let slot = table.slot(hash, key, init);
        table.value_mut(slot)
    }
}

/// Runs a user's function on every record, with the state of its key.
pub struct Process<K, O, G, F> {
    states: KeyedStates<K>,
    key: Arc<G>,
    f: F,
    watermark: Timestamp,
    out: PhantomData<fn() -> O>,
}

impl<K, O, G, F> Process<K, O, G, F> {
    /// A process with the declared `states`; `key` tells a record's key.
    pub fn new(states: KeyedStates<K>, key: Arc<G>, f: F) -> Self {
        Process { states, key, f, watermark: Timestamp::MIN, out: PhantomData }
    }
}

impl<K, T, O, G, F> Operator<T> for Process<K, O, G, F>
where
    K: Key,
    T: Send,
    O: Send,
    G: Fn(&T) -> &K + Send + Sync,
    F: FnMut(&mut KeyedContext<'_, K>, &T, &mut Vec<O>) -> Result<()> + Send,
{
    type Out = O;

    fn on_batch(&mut self, batch: &mut Batch<T>, out: &mut Batch<O>) -> Result<()> {
        for (item, hash) in batch.items.iter().zip(&batch.hashes) {
            let (states, hash, key) = (&mut self.states, *hash, (self.key)(item));
            let mut context = KeyedContext { states, hash, key, watermark: self.watermark };
            (self.f)(&mut context, item, &mut out.items)?;
        }
        batch.clear();
        Ok(())
    }

    fn on_watermark(&mut self, at: Timestamp, _out: &mut Batch<O>) -> Result<()> {
        self.watermark = at;
        Ok(())
    }

    fn on_epoch_end(&mut self, _kind: BarrierKind, _out: &mut Batch<O>) -> Result<()> {
        Ok(())
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        self.states.tables.iter_mut().for_each(|table| visit(table.as_state()));
    }

    fn counters(&self, _visit: &mut dyn FnMut(&str, &'static str, u64)) {}
}
