//! State that belongs to no key: how it is declared, and the tables that hold it.
//!
//! There are two kinds, told apart by what becomes of them when the number of tasks changes: values that
//! are *split* among the tasks ([`split`]), and a map of which every task has the same copy
//! ([`broadcast`]). Apache Flink has the same two as operator state.

use std::any::Any;
use std::marker::PhantomData;

use steadfast_core::key::{Key, KeySpace};
use steadfast_core::state::StateTable;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_state::State;

mod broadcast;
mod split;

#[cfg(test)]
mod tests;

pub use broadcast::Broadcast;
use broadcast::Copied;
use split::Shared;
pub use split::Split;

/// A handle to values that are split among the tasks.
pub struct SplitState<V>(usize, PhantomData<fn() -> V>);

/// A handle to a map that is the same in every task.
pub struct BroadcastState<M, V>(usize, PhantomData<fn() -> (M, V)>);

impl<V> Clone for SplitState<V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<V> Copy for SplitState<V> {}
impl<M, V> Clone for BroadcastState<M, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M, V> Copy for BroadcastState<M, V> {}

/// A state whose types are known to its handle only.
trait AnyState: Send {
    /// To be told apart by its handle.
    fn as_any(&mut self) -> &mut dyn Any;
    /// Its table.
    fn table(&mut self) -> &mut dyn StateTable;
    /// The table has been restored.
    fn open(&mut self);
}

/// Declares the state of a process without keys; its tables, once it runs.
///
/// States have names, which must not change between releases.
pub struct UnkeyedStates {
    operator: String,
    place: (KeySpace, u16),
    states: Vec<Box<dyn AnyState>>,
}

impl UnkeyedStates {
    /// No state yet, for one task of `operator`.
    pub fn new(operator: impl Into<String>, space: KeySpace, task: u16) -> Self {
        UnkeyedStates { operator: operator.into(), place: (space, task), states: Vec::new() }
    }

    /// The number of the task, from 0 on.
    pub fn task(&self) -> u16 {
        self.place.1
    }

    /// How many tasks there are. They may be others after a restart.
    pub fn tasks(&self) -> u16 {
        self.place.0.tasks
    }

    /// Declares values each of which one of the tasks has. When the number of tasks changes, they are
    /// divided among the tasks that there are then.
    pub fn split<V: State>(&mut self, name: &str) -> SplitState<V> {
        let state = Shared::<V>::new(self.name(name), self.place);
        SplitState(self.declare(state), PhantomData)
    }

    /// Declares a map that is the same in every task. That is for the function to see to: it changes the
    /// map by nothing but records that come to all tasks, behind
    /// [`broadcast`](https://docs.rs/steadfast/latest/steadfast/struct.Stream.html#method.broadcast), and
    /// in a way that does not depend on the order in which those of several tasks come. A checkpoint holds
    /// the copy of the first task, and every task goes on with that.
    pub fn broadcast<M: Key + Ord, V: State>(&mut self, name: &str) -> BroadcastState<M, V> {
        let state = Copied::<M, V>::new(self.name(name), self.place);
        BroadcastState(self.declare(state), PhantomData)
    }

    fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.operator)
    }

    fn declare(&mut self, state: impl AnyState + 'static) -> usize {
        self.states.push(Box::new(state));
        self.states.len() - 1
    }

    pub(super) fn operator(&self) -> &str {
        &self.operator
    }

    pub(super) fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        self.states.iter_mut().for_each(|state| visit(state.table()));
    }

    /// The tables have been restored.
    pub(super) fn open(&mut self) {
        self.states.iter_mut().for_each(|state| state.open());
    }

    fn state<S: 'static>(&mut self, number: usize) -> &mut S {
        let state = self.states.get_mut(number).and_then(|state| state.as_any().downcast_mut());
        state.expect("a state handle is used in the process that declared it")
    }
}

/// The state of a process without keys, and the time of the record at hand.
pub struct UnkeyedContext<'a> {
    states: &'a mut UnkeyedStates,
    at: Timestamp,
    moment: Moment,
}

impl<'a> UnkeyedContext<'a> {
    pub(super) fn new(states: &'a mut UnkeyedStates, at: Timestamp, moment: Moment) -> Self {
        UnkeyedContext { states, at, moment }
    }

    /// The event time of the record at hand.
    pub fn time(&self) -> Timestamp {
        self.at
    }

    /// No record older than this will come to this task, unless it is late. After a restart, which may bring any
    /// record to any task, it is that of the task that was least far; without state it begins anew.
    pub fn watermark(&self) -> Timestamp {
        self.moment.watermark
    }

    /// Processing time: the engine's clock. What depends on it changes from run to run.
    pub fn processing_time(&self) -> Timestamp {
        self.moment.now
    }

    /// The values that this task has.
    ///
    /// # Panics
    /// If the handle is that of another process.
    pub fn split<V: State>(&mut self, state: SplitState<V>) -> Split<'_, V> {
        Split::new(self.states.state(state.0))
    }

    /// The map.
    ///
    /// # Panics
    /// If the handle is that of another process.
    pub fn broadcast<M: Key + Ord, V: State>(
        &mut self,
        state: BroadcastState<M, V>,
    ) -> Broadcast<'_, M, V> {
        Broadcast::new(self.states.state(state.0))
    }
}
