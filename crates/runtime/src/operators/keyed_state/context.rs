//! What a user's function may do at a record: the state of its key, timers, and the time.

use steadfast_core::key::Key;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_state::State;

use super::super::timers::Clock;
use super::{FOREIGN, KeyedStates, List, ListState, Map, MapState, Of, StateHandle, ValueState};

/// The key of the record at hand, its state, and the time.
pub struct KeyedContext<'a, K> {
    states: &'a mut KeyedStates<K>,
    of: Of<'a, K>,
    /// The event time of the record or timer at hand.
    at: Timestamp,
    moment: Moment,
}

impl<'a, K: Key> KeyedContext<'a, K> {
    pub(in super::super) fn new(
        states: &'a mut KeyedStates<K>,
        of: Of<'a, K>,
        at: Timestamp,
        moment: Moment,
    ) -> Self {
        KeyedContext { states, of, at, moment }
    }

    /// The key.
    pub fn key(&self) -> &K {
        self.of.key
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
    /// nothing. One that is in the past comes at once. If the record at hand has no event time, the job ends with an
    /// error.
    pub fn set_timer(&mut self, at: Timestamp) {
        if self.at == Timestamp::UNTIMED {
            self.states.lacks_event_time = true;
            return;
        }
        self.states.timers.set(Clock::Event, at, self.of.hash, self.of.key);
    }

    /// Takes such a request back.
    pub fn clear_timer(&mut self, at: Timestamp) {
        self.states.timers.clear(Clock::Event, at, self.of.hash, self.of.key);
    }

    /// Asks for a call when the engine's clock shows `at`.
    pub fn set_processing_timer(&mut self, at: Timestamp) {
        self.states.timers.set(Clock::Processing, at, self.of.hash, self.of.key);
    }

    /// Takes such a request back.
    pub fn clear_processing_timer(&mut self, at: Timestamp) {
        self.states.timers.clear(Clock::Processing, at, self.of.hash, self.of.key);
    }

    /// The value, if there is one.
    pub fn get<V: State>(&mut self, state: ValueState<V>) -> Option<&V> {
        let of = self.of;
        self.states.values(state).get(of)
    }

    /// Sets the value.
    pub fn set<V: State>(&mut self, state: ValueState<V>, value: V) {
        let of = self.of;
        self.states.values(state).set(of, value);
    }

    /// Removes the value.
    pub fn clear<V: State>(&mut self, state: ValueState<V>) {
        let of = self.of;
        self.states.values(state).clear(of);
    }

    /// The value for writing; its default is stored first if there is none.
    pub fn value<V: State + Default>(&mut self, state: ValueState<V>) -> &mut V {
        self.view(state)
    }

    /// The list.
    pub fn list<V: State>(&mut self, state: ListState<V>) -> List<'_, K, V> {
        self.view(state)
    }

    /// The map.
    pub fn map<M: Key + Ord, V: State>(&mut self, state: MapState<M, V>) -> Map<'_, K, M, V> {
        self.view(state)
    }

    /// Two states for writing at once, of whatever kind: values, lists or maps.
    ///
    /// # Panics
    /// If both are the same state.
    pub fn both<A: StateHandle<K>, B: StateHandle<K>>(
        &mut self,
        one: A,
        other: B,
    ) -> (A::View<'_>, B::View<'_>) {
        let of = self.of;
        let states = self.states.states.get_disjoint_mut([one.number(), other.number()]);
        let [of_one, of_other] = states.expect("two different states of this process");
        let (one, other) = (one.view(of_one.as_any(), of), other.view(of_other.as_any(), of));
        (one.expect(FOREIGN), other.expect(FOREIGN))
    }

    fn view<H: StateHandle<K>>(&mut self, handle: H) -> H::View<'_> {
        let of = self.of;
        let state = self.states.states.get_mut(handle.number());
        state.and_then(|state| handle.view(state.as_any(), of)).expect(FOREIGN)
    }
}
