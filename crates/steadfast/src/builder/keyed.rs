//! Streams that are divided by key, and the operators that keep state for each key.

use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::key::{Key, KeySpace};
use steadfast_runtime::exchange::edge::Edge;
use steadfast_runtime::operator_chain::OperatorChain;
use steadfast_runtime::operators::{
    Aggregate, Aggregation, Emit, Fold, KeyedContext, KeyedStates, Process,
};
use steadfast_runtime::plan::{EdgeKind, OperatorName, SharedPlan};
use steadfast_runtime::task::OperatorHead;
use steadfast_state::{State, Table};

use super::stream::Stream;

/// A stream whose records are divided by key: each key's records meet its state in one task.
#[must_use = "a stream does nothing before it ends in a sink"]
pub struct KeyedStream<K, T, F> {
    plan: SharedPlan,
    edge: Edge<T>,
    key: Arc<F>,
    last: String,
    next_name: OperatorName,
    records: std::marker::PhantomData<fn(T) -> K>,
}

impl<K, T, F> KeyedStream<K, T, F>
where
    K: Key,
    T: Send + 'static,
    F: Fn(&T) -> &K + Send + Sync + 'static,
{
    pub(super) fn new(
        plan: SharedPlan,
        edge: Edge<T>,
        key: Arc<F>,
        last: String,
        next_name: OperatorName,
    ) -> Self {
        KeyedStream { plan, edge, key, last, next_name, records: std::marker::PhantomData }
    }

    /// Names the next operator; its state is kept under this name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.next_name = self.next_name.named(name);
        self
    }

    /// Says what the next operator was called before, so that it finds its state again.
    pub fn formerly(mut self, name: impl Into<String>) -> Self {
        self.next_name = self.next_name.formerly(name);
        self
    }

    fn add(self, kind: &'static str) -> (SharedPlan, Edge<T>, Arc<F>, String) {
        let KeyedStream { plan, edge, key, last, next_name, .. } = self;
        let inputs = vec![(last, EdgeKind::ByKey)];
        let name = plan.edit(|plan| plan.add_operator(next_name, kind, "", inputs));
        (plan, edge, key, name)
    }

    /// Keeps a value for each key, which begins as `init()` and to which `add` adds each record.
    /// Emits keys with their values as `emit` says.
    pub fn fold<A, I, G>(
        self,
        emit: Emit,
        init: I,
        add: G,
    ) -> Stream<impl OperatorChain<Out = (K, A)>>
    where
        A: State,
        I: Fn() -> A + Send + Sync + 'static,
        G: Fn(&mut A, T) + Send + Sync + 'static,
    {
        self.aggregated("fold", emit, Fold { init, add })
    }

    /// As [`KeyedStream::fold`], with a state and a result of different types.
    pub fn aggregate<G: Aggregate<T>>(
        self,
        emit: Emit,
        aggregate: G,
    ) -> Stream<impl OperatorChain<Out = (K, G::Out)>> {
        self.aggregated("aggregate", emit, aggregate)
    }

    fn aggregated<G: Aggregate<T>>(
        self,
        kind: &'static str,
        emit: Emit,
        aggregate: G,
    ) -> Stream<impl OperatorChain<Out = (K, G::Out)>> {
        let (plan, edge, key, name) = self.add(kind);
        let (aggregate, operator) = (Arc::new(aggregate), name.clone());
        let make = move |space: KeySpace, index: u16| {
            let table = format!("{operator}/state");
            let table = Table::<K, G::State>::new(table, space, index);
            let (key, aggregate) = (Arc::clone(&key), Arc::clone(&aggregate));
            Aggregation::new(operator.clone(), table, key, aggregate, emit)
        };
        Stream::begin(plan, OperatorHead::new(vec![edge], make), name, false)
    }

    /// Runs a function of your own on every record, with state for its key.
    ///
    /// `setup` is called once for each task: it declares state and returns the function.
    ///
    /// ```
    /// use steadfast::prelude::*;
    ///
    /// let job = Job::new("alerts");
    /// let alerts = Collect::new();
    /// let raised = alerts.collected();
    /// job.source("readings", Values::new([("a".to_string(), 1), ("a".to_string(), 9)]))
    ///     .key_by(|(sensor, _)| sensor)
    ///     .named("jumps")
    ///     .process(|states| {
    ///         let last = states.value::<i32>("last");
    ///         move |context, (sensor, reading), out| {
    ///             let before = context.get(last).copied();
    ///             context.set(last, *reading);
    ///             out.extend(before.filter(|b| reading - b > 5).map(|_| sensor.clone()));
    ///             Ok(())
    ///         }
    ///     })
    ///     .sink("alerts", alerts);
    /// job.run(&RunOptions::in_memory())?;
    /// assert_eq!(raised.items(), ["a"]);
    /// # Ok::<(), steadfast::Error>(())
    /// ```
    pub fn process<O, S, G>(self, setup: S) -> Stream<impl OperatorChain<Out = O>>
    where
        O: Send + 'static,
        S: Fn(&mut KeyedStates<K>) -> G + Send + Sync + 'static,
        G: FnMut(&mut KeyedContext<'_, K>, &T, &mut Vec<O>) -> Result<()> + Send + 'static,
    {
        let (plan, edge, key, name) = self.add("process");
        let operator = name.clone();
        let make = move |space: KeySpace, index: u16| {
            let mut states = KeyedStates::new(operator.clone(), space, index);
            let f = setup(&mut states);
            Process::new(states, Arc::clone(&key), f)
        };
        Stream::begin(plan, OperatorHead::new(vec![edge], make), name, false)
    }
}
