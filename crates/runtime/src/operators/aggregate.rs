//! A running aggregate for each key.
//!
//! A batch is handled in two passes, first all look-ups, then all updates, so that the cache misses
//! of independent look-ups overlap.

use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::key::Key;
use steadfast_core::message::{BarrierKind, Batch};
use steadfast_core::operator::Operator;
use steadfast_core::state::StateTable;
use steadfast_core::time::Timestamp;
use steadfast_state::{Slot, State, Table};

/// How records become a result.
pub trait Aggregate<T>: Send + Sync + 'static {
    /// What is kept for each key.
    type State: State;
    /// What is emitted for each key.
    type Out: Send + 'static;

    /// The state of a key without records.
    fn init(&self) -> Self::State;
    /// Adds a record.
    fn add(&self, state: &mut Self::State, item: T);
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
    F: Fn(&mut A, T) + Send + Sync + 'static,
{
    type State = A;
    type Out = A;

    fn init(&self) -> A {
        (self.init)()
    }

    #[inline]
    fn add(&self, state: &mut A, item: T) {
        (self.add)(state, item);
    }

    fn result(&self, state: &A) -> A {
        state.clone()
    }
}

/// When an aggregate emits its results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// With every checkpoint, the results that have changed since the one before.
    #[default]
    Changes,
    /// At the end of the input, all results.
    Final,
}

/// See the module.
pub struct Aggregation<K, T, G: Aggregate<T>, F> {
    name: String,
    table: Table<K, G::State>,
    key: Arc<F>,
    aggregate: Arc<G>,
    emit: Emit,
    located: Vec<(Slot, bool)>,
    keys: u64,
}

impl<K: Key, T, G: Aggregate<T>, F> Aggregation<K, T, G, F> {
    /// The operator `name` with its state in `table`; `key` tells a record's key.
    pub fn new(
        name: impl Into<String>,
        table: Table<K, G::State>,
        key: Arc<F>,
        aggregate: Arc<G>,
        emit: Emit,
    ) -> Self {
        let name = name.into();
        Aggregation { name, table, key, aggregate, emit, located: Vec::new(), keys: 0 }
    }
}

impl<K, T, G, F> Operator<T> for Aggregation<K, T, G, F>
where
    K: Key,
    T: Send,
    G: Aggregate<T>,
    F: Fn(&T) -> &K + Send + Sync,
{
    type Out = (K, G::Out);

    fn on_batch(&mut self, batch: &mut Batch<T>, _out: &mut Batch<(K, G::Out)>) -> Result<()> {
        self.located.clear();
        let key = |number: usize| (self.key)(&batch.items[number]);
        let init = |_| self.aggregate.init();
        self.table.locate(&batch.hashes, key, init, &mut self.located);
        for (item, (slot, inserted)) in batch.items.drain(..).zip(&self.located) {
            self.keys += u64::from(*inserted);
            self.aggregate.add(self.table.value_mut(*slot), item);
        }
        Ok(())
    }

    fn on_watermark(&mut self, _at: Timestamp, _out: &mut Batch<(K, G::Out)>) -> Result<()> {
        Ok(())
    }

    fn on_epoch_end(&mut self, kind: BarrierKind, out: &mut Batch<(K, G::Out)>) -> Result<()> {
        let result = |(key, state): (&K, &G::State)| (key.clone(), self.aggregate.result(state));
        match self.emit {
            Emit::Changes => out.items.extend(self.table.changed().map(result)),
            Emit::Final if kind == BarrierKind::End => {
                out.items.extend(self.table.iter().map(result))
            }
            Emit::Final => {}
        }
        Ok(())
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        visit(&mut self.table);
    }

    /// Whoever emits changes only would keep silent about what has changed while it emitted nothing.
    fn modes(&self, visit: &mut dyn FnMut(&str, &'static str)) {
        let mode = match self.emit {
            Emit::Changes => "changes",
            Emit::Final => "final",
        };
        visit(&self.name, mode);
    }

    fn counters(&self, visit: &mut dyn FnMut(&str, &'static str, u64)) {
        visit(&self.name, "keys", self.keys);
    }
}
