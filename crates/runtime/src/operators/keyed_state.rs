//! State for each key of a user's function: how it is declared, and the tables that hold it.
//!
//! A function declares its state when a task is made and gets typed handles; with them it reaches
//! the state of the key of the record at hand ([`context`]). State cannot be forgotten in a checkpoint, because
//! the operator owns every table that was declared.

use std::any::Any;
use std::marker::PhantomData;
use std::time::Duration;

use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::state::StateTable;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_core::{Cause, Error, Result};
use steadfast_state::State;

use super::timers::{Clock, Timers};

mod context;
mod entries;
mod lifetimes;
mod value;

#[cfg(test)]
mod tests;

pub use context::KeyedContext;
use entries::Entries;
pub use entries::{List, Map};
use lifetimes::{TimeToLive, When};
use value::Values;

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

/// Whose state is meant: a key, and the time of what is at hand.
pub struct Of<'a, K> {
    hash: KeyHash,
    key: &'a K,
    when: When,
}

impl<'a, K> Of<'a, K> {
    /// A record or timer of that event time.
    pub(super) fn at((hash, key): (KeyHash, &'a K), at: Timestamp, moment: Moment) -> Self {
        Of { hash, key, when: When { at, moment } }
    }

    /// What comes by the watermark, however far that has moved at once: at its own time.
    pub(super) fn due(key: (KeyHash, &'a K), at: Timestamp, moment: Moment) -> Self {
        Of::at(key, at, Moment { watermark: at, ..moment })
    }

    /// What has no event time of its own: at the watermark.
    pub(super) fn now(key: (KeyHash, &'a K), moment: Moment) -> Self {
        let least = Timestamp(Timestamp::UNTIMED.0 + 1);
        Of::at(key, moment.watermark.max(least), moment)
    }
}

impl<K> Clone for Of<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Of<'_, K> {}

/// A state whose types are known to its handle only.
pub(crate) trait AnyState: Send {
    /// To be told apart by its handle.
    fn as_any(&mut self) -> &mut dyn Any;
    /// All of its tables.
    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable));
    /// The tables have been restored.
    fn open(&mut self);
    /// Forgets some of what counts no more.
    fn sweep(&mut self, moment: Moment, budget: usize);
}

/// What a handle shows of the key at hand.
pub trait StateHandle<K>: Copy {
    /// What is shown, for writing.
    type View<'a>
    where
        K: 'a;

    /// Which of the declared states it is.
    fn number(self) -> usize;
    /// The state of a key. None if the handle is another's.
    fn view<'a>(self, state: &'a mut dyn Any, of: Of<'a, K>) -> Option<Self::View<'a>>;
}

impl<K: Key, V: State + Default> StateHandle<K> for ValueState<V> {
    type View<'a> = &'a mut V;

    fn number(self) -> usize {
        self.0
    }

    fn view<'a>(self, state: &'a mut dyn Any, of: Of<'a, K>) -> Option<&'a mut V> {
        Some(state.downcast_mut::<Values<K, V>>()?.value(of, V::default))
    }
}

impl<K: Key, V: State> StateHandle<K> for ListState<V> {
    type View<'a> = List<'a, K, V>;

    fn number(self) -> usize {
        self.0
    }

    fn view<'a>(self, state: &'a mut dyn Any, of: Of<'a, K>) -> Option<List<'a, K, V>> {
        Some(List::new(state.downcast_mut()?, of))
    }
}

impl<K: Key, M: Key + Ord, V: State> StateHandle<K> for MapState<M, V> {
    type View<'a> = Map<'a, K, M, V>;

    fn number(self) -> usize {
        self.0
    }

    fn view<'a>(self, state: &'a mut dyn Any, of: Of<'a, K>) -> Option<Map<'a, K, M, V>> {
        Some(Map::new(state.downcast_mut()?, of))
    }
}

/// Declares the state of a process; its tables, once it runs.
///
/// States have names, which must not change between releases.
pub struct KeyedStates<K> {
    operator: String,
    place: (KeySpace, u16),
    states: Vec<Box<dyn AnyState>>,
    pub(super) timers: Timers<K>,
    /// Whether a timer in event time was asked for at a record that has none.
    lacks_event_time: bool,
    key: PhantomData<fn() -> K>,
}

/// For each record that comes, so many entries that have a time to live are looked at.
const SWEPT_FOR_EACH: usize = 2;

impl<K: Key> KeyedStates<K> {
    /// No state yet, for one task of `operator`.
    pub fn new(operator: impl Into<String>, space: KeySpace, task: u16) -> Self {
        let (operator, states) = (operator.into(), Vec::new());
        let timers = Timers::new(&operator, space, task);
        let (place, lacks_event_time, key) = ((space, task), false, PhantomData);
        KeyedStates { operator, place, states, timers, lacks_event_time, key }
    }

    /// Declares one value for each key.
    pub fn value<V: State>(&mut self, name: &str) -> ValueState<V> {
        self.for_good().value(name)
    }

    /// Declares a list for each key, each value of which is an entry of its own.
    pub fn list<V: State>(&mut self, name: &str) -> ListState<V> {
        self.for_good().list(name)
    }

    /// Declares an ordered map for each key, each entry of which is kept on its own.
    pub fn map<M: Key + Ord, V: State>(&mut self, name: &str) -> MapState<M, V> {
        self.for_good().map(name)
    }

    /// Declares state whose entries count for so long after they were last written: a value, or each entry
    /// of a list or map for itself.
    ///
    /// By [`Clock::Event`] a record sees what was written up to `keep` before its own time; one that comes
    /// late sees and writes as a record at the watermark would. What nobody can see any more is removed bit
    /// by bit as records come.
    pub fn expiring(&mut self, keep: Duration, clock: Clock) -> Declaring<'_, K> {
        Declaring { states: self, time_to_live: Some(TimeToLive { keep, clock }) }
    }

    pub(super) fn operator(&self) -> &str {
        &self.operator
    }

    fn for_good(&mut self) -> Declaring<'_, K> {
        Declaring { states: self, time_to_live: None }
    }

    pub(super) fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        self.states.iter_mut().for_each(|state| state.tables(visit));
        visit(self.timers.table());
    }

    /// Whether the function has asked for nothing that there is not.
    ///
    /// # Errors
    /// `Configuration` if it has asked for event time, and its records have none.
    pub(super) fn check(&self) -> Result<()> {
        if !self.lacks_event_time {
            return Ok(());
        }
        let what = "set_timer() needs event time, and this record has no event time";
        Err(Error::because(Cause::PLAN, what).hint(
            "declare it with event_time() on each source that leads here; where a timer is only for the end of the input, \
             any time does: docs/event-time.md, \"Rows that find no partner\"; by the engine's clock there is \
             set_processing_timer()",
        ))
    }

    /// The tables have been restored.
    pub(super) fn open(&mut self) {
        self.states.iter_mut().for_each(|state| state.open());
        self.timers.open();
    }

    /// So many records have come.
    pub(super) fn sweep(&mut self, moment: Moment, records: usize) {
        self.states.iter_mut().for_each(|state| state.sweep(moment, SWEPT_FOR_EACH * records));
    }

    fn values<V: State>(&mut self, state: ValueState<V>) -> &mut Values<K, V> {
        let state = self.states.get_mut(state.0).and_then(|state| state.as_any().downcast_mut());
        state.expect(FOREIGN)
    }
}

/// A handle is only made by a declaration, with the type of its tables. One of another process is a mistake in
/// user code; the panic becomes an error of the task.
const FOREIGN: &str = "a state handle is used in the process that declared it";

/// A user's function asks for event time where there is none: a mistake that would otherwise show as a timer that
/// never comes, or state that never expires.
const NO_EVENT_TIME: &str =
    "this record has no event time: declare it on its source with event_time()";

/// Declares states with a time to live: see [`KeyedStates::expiring`].
pub struct Declaring<'a, K> {
    states: &'a mut KeyedStates<K>,
    time_to_live: Option<TimeToLive>,
}

impl<K: Key> Declaring<'_, K> {
    fn declare(self, state: impl AnyState + 'static) -> usize {
        self.states.states.push(Box::new(state));
        self.states.states.len() - 1
    }

    fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.states.operator)
    }

    /// Declares one value for each key.
    pub fn value<V: State>(self, name: &str) -> ValueState<V> {
        let state = Values::<K, V>::new(self.name(name), self.states.place, self.time_to_live);
        ValueState(self.declare(state), PhantomData)
    }

    /// Declares a list for each key.
    pub fn list<V: State>(self, name: &str) -> ListState<V> {
        let state =
            Entries::<K, u64, V>::new(self.name(name), self.states.place, self.time_to_live);
        ListState(self.declare(state), PhantomData)
    }

    /// Declares an ordered map for each key.
    pub fn map<M: Key + Ord, V: State>(self, name: &str) -> MapState<M, V> {
        let state = Entries::<K, M, V>::new(self.name(name), self.states.place, self.time_to_live);
        MapState(self.declare(state), PhantomData)
    }
}
