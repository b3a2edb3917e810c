//! A running aggregate for each key.
//!
//! A batch is handled in two passes, first all look-ups, then all updates, so that the cache misses
//! of independent look-ups overlap.

use std::borrow::Borrow;
use std::sync::Arc;

use steadfast_core::key::{KeyHash, KeySpace};
use steadfast_core::key_of::KeyOf;
use steadfast_core::message::Batch;
use steadfast_core::operator::{Emission, Operator};
use steadfast_core::state::StateTable;
use steadfast_core::time::Moment;
use steadfast_core::{Error, Result, UserError};
use steadfast_state::{Slot, State, Table};

use super::emit::{Emit, Shown};

/// How records become a result.
pub trait Aggregate<T>: Send + Sync + 'static {
    /// What is kept for each key.
    type State: State;
    /// What is emitted for each key.
    type Out: Send + 'static;

    /// The state of a key without records.
    fn init(&self) -> Self::State;
    /// Adds a record.
    ///
    /// # Errors
    /// Whatever makes a result impossible, such as a sum that is too large; the job ends with it, and goes on
    /// from the newest checkpoint when it is started again.
    fn add(&self, state: &mut Self::State, item: &T) -> Result<(), UserError>;
    /// The result.
    fn result(&self, state: &Self::State) -> Self::Out;
}

/// An aggregate made of two closures; its result is its state.
pub struct Fold<I, F> {
    /// Makes the state of a key without records.
    pub init: I,
    /// Adds a record to it.
    pub add: F,
}

impl<T, A, I, F> Aggregate<T> for Fold<I, F>
where
    A: State,
    I: Fn() -> A + Send + Sync + 'static,
    F: Fn(&mut A, &T) + Send + Sync + 'static,
{
    type State = A;
    type Out = A;

    fn init(&self) -> A {
        (self.init)()
    }

    #[inline]
    fn add(&self, state: &mut A, item: &T) -> Result<(), UserError> {
        (self.add)(state, item);
        // The compiler sees that it does not fail: the loop over a batch is what it would be without.
        Ok(())
    }

    fn result(&self, state: &A) -> A {
        state.clone()
    }
}

/// As [`Fold`], with a closure that may fail.
pub struct TryFold<I, F> {
    /// Makes the state of a key without records.
    pub init: I,
    /// Adds a record to it.
    pub add: F,
}

impl<T, A, I, F> Aggregate<T> for TryFold<I, F>
where
    A: State,
    I: Fn() -> A + Send + Sync + 'static,
    F: Fn(&mut A, &T) -> Result<(), UserError> + Send + Sync + 'static,
{
    type State = A;
    type Out = A;

    fn init(&self) -> A {
        (self.init)()
    }

    #[inline]
    fn add(&self, state: &mut A, item: &T) -> Result<(), UserError> {
        (self.add)(state, item)
    }

    fn result(&self, state: &A) -> A {
        state.clone()
    }
}

/// See the module.
pub struct Aggregation<T, G: Aggregate<T>, S: KeyOf<T>> {
    name: String,
    table: Table<S::Key, G::State>,
    key: Arc<S>,
    aggregate: Arc<G>,
    emit: Emit,
    shown: Shown<S::Key>,
    located: Vec<(Slot, bool)>,
    keys: u64,
    /// The group from which results are emitted next.
    group: usize,
}

/// The state of an aggregate is kept under this name.
pub(crate) const STATE: &str = "state";

impl<T, G: Aggregate<T>, S: KeyOf<T>> Aggregation<T, G, S> {
    /// The operator `name` of one task; `key` tells a record's key.
    pub fn new(
        name: impl Into<String>,
        (space, task): (KeySpace, u16),
        key: Arc<S>,
        aggregate: Arc<G>,
        emit: Emit,
    ) -> Self {
        let name = name.into();
        let table = Table::new(format!("{name}/{STATE}"), space, task);
        let shown = Shown::new(&name, space, task);
        let located = Vec::new();
        Aggregation { name, table, key, aggregate, emit, shown, located, keys: 0, group: 0 }
    }

    /// Emits what the slots of each group hold, some groups at a time.
    fn show(
        &mut self,
        at: Moment,
        out: &mut Batch<(S::Key, G::Out)>,
        slots: impl Fn(&Table<S::Key, G::State>, &Shown<S::Key>, usize) -> Vec<Slot>,
    ) -> Emission {
        let Aggregation { table, shown, aggregate, group, .. } = self;
        super::group_by_group(group, table.groups(), out, |group, out| {
            for slot in slots(table, shown, group) {
                let (key, state) = table.entry(slot);
                out.push((key.clone(), aggregate.result(state)), at.watermark);
            }
        })
    }
}

impl<T, G, S> Operator<T> for Aggregation<T, G, S>
where
    T: Send + 'static,
    G: Aggregate<T>,
    S: KeyOf<T>,
{
    type Out = (S::Key, G::Out);

    fn on_batch(
        &mut self,
        _at: Moment,
        batch: &mut Batch<T>,
        _out: &mut Batch<Self::Out>,
    ) -> Result<()> {
        self.located.clear();
        let key = |number: usize| self.key.key(&batch.items[number]);
        let init = |_| self.aggregate.init();
        self.table.locate(&batch.hashes, key, init, &mut self.located);
        for (item, (slot, inserted)) in batch.items.iter().zip(&self.located) {
            self.keys += u64::from(*inserted);
            let added = self.aggregate.add(self.table.value_mut(*slot), item);
            added.map_err(Error::of_user_code)?;
        }
        if self.emit == Emit::Final && self.shown.has_been() {
            for (item, hash) in batch.items.iter().zip(&batch.hashes) {
                self.shown.touch(*hash, self.key.key(item).borrow());
            }
        }
        batch.clear();
        Ok(())
    }

    fn on_end(&mut self, at: Moment, out: &mut Batch<Self::Out>) -> Result<Emission> {
        if self.emit != Emit::Final {
            return Ok(Emission::Complete);
        }
        let emission = match self.shown.has_been() {
            false => self.show(at, out, |table, _, group| table.slots_in(group).collect()),
            // The same results are not shown again when more input has come after the end.
            true => self.show(at, out, |table, shown, group| {
                let find = |key: &S::Key| table.find(KeyHash::of(key), key);
                shown.touched_in(group).filter_map(find).collect()
            }),
        };
        if emission == Emission::Complete {
            self.shown.all();
        }
        Ok(emission)
    }

    fn on_epoch_end(&mut self, at: Moment, out: &mut Batch<Self::Out>) -> Result<Emission> {
        if self.emit != Emit::Changes {
            return Ok(Emission::Complete);
        }
        Ok(self.show(at, out, |table, _, group| table.changed_in(group).collect()))
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        visit(&mut self.table);
        if self.emit == Emit::Final {
            self.shown.tables(visit);
        }
    }

    /// Whoever emits changes only would keep silent about what has changed while it emitted nothing.
    fn modes(&self, visit: &mut dyn FnMut(&str, &str)) {
        visit(&self.name, self.emit.name());
    }

    fn counters(&self, visit: &mut dyn FnMut(&str, &'static str, u64)) {
        visit(&self.name, "keys", self.keys);
    }
}

#[cfg(test)]
mod tests;
