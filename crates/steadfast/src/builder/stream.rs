//! Streams of records that are not divided by key.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::sink::Sink;
use steadfast_core::source::{BadRecord, Source};
use steadfast_core::time::Timestamp;
use steadfast_runtime::exchange::edge::Edge;
use steadfast_runtime::exchange::output::{Distribution, HashKeys, SinkOutput};
use steadfast_runtime::operator_chain::{
    Filtered, FlatMapped, Inspected, Mapped, OperatorChain, Timestamped, TryMapped, UserError,
};
use steadfast_runtime::operators::{Dedup, Expiry, PassThrough};
use steadfast_runtime::plan::{EdgeKind, OperatorName, SharedPlan};
use steadfast_runtime::task::{OperatorHead, SourceHead};
use steadfast_state::Table;

use super::keyed::KeyedStream;
use super::stage::{self, Outputs};

/// A stream of records. Each operator returns a new stream; a stream that ends nowhere is not run.
#[must_use = "a stream does nothing before it ends in a sink"]
pub struct Stream<P> {
    plan: SharedPlan,
    chain: P,
    /// The operator that the stream comes from, and how.
    last: (String, EdgeKind),
    /// The name of the stage, should it be closed here.
    stage: String,
    next_name: OperatorName,
    is_source: bool,
}

/// A stream that can be used more than once.
pub struct Shared<T> {
    plan: SharedPlan,
    outputs: Outputs<T>,
    last: String,
}

impl<P: OperatorChain> Stream<P> {
    pub(super) fn begin(plan: SharedPlan, chain: P, name: String, is_source: bool) -> Self {
        let (last, next_name) = ((name.clone(), EdgeKind::Fused), OperatorName::default());
        Stream { plan, chain, last, stage: name, next_name, is_source }
    }

    /// Names the next operator. State and positions are kept under names: name whatever has state,
    /// and do not change it between runs.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.next_name = self.next_name.named(name);
        self
    }

    /// Says what the next operator was called before, so that it finds its state again.
    pub fn formerly(mut self, name: impl Into<String>) -> Self {
        self.next_name = self.next_name.formerly(name);
        self
    }

    /// Adds an operator to the picture and goes on with the chain that it makes.
    fn then<Q: OperatorChain>(
        self,
        kind: &'static str,
        fuse: impl FnOnce(P, &str) -> Q,
    ) -> Stream<Q> {
        let Stream { plan, chain, last, next_name, is_source, .. } = self;
        let name = plan.edit(|plan| plan.add_operator(next_name, kind, "", vec![last]));
        let chain = fuse(chain, &name);
        Stream::begin(plan, chain, name, is_source)
    }

    /// Turns each record into another.
    pub fn map<U, F>(self, f: F) -> Stream<Mapped<P, F>>
    where
        U: Send + 'static,
        F: Fn(P::Out) -> U + Send + Sync + 'static,
    {
        self.then("map", |chain, _| Mapped::new(chain, f))
    }

    /// Turns each record into another, or ends the job with an error.
    pub fn try_map<U, F>(self, f: F) -> Stream<TryMapped<P, F>>
    where
        U: Send + 'static,
        F: Fn(P::Out) -> Result<U, UserError> + Send + Sync + 'static,
    {
        self.then("try_map", |chain, name| TryMapped::new(chain, f, name.into()))
    }

    /// Keeps the records for which `f` says so.
    pub fn filter<F>(self, f: F) -> Stream<Filtered<P, F>>
    where
        F: Fn(&P::Out) -> bool + Send + Sync + 'static,
    {
        self.then("filter", |chain, _| Filtered::new(chain, f))
    }

    /// Turns each record into any number of others.
    pub fn flat_map<I, F>(self, f: F) -> Stream<FlatMapped<P, F>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(P::Out) -> I + Send + Sync + 'static,
    {
        self.then("flat_map", |chain, _| FlatMapped::new(chain, f))
    }

    /// Shows each record to `f` and passes it on. After a crash `f` may see a record again.
    pub fn inspect<F>(self, f: F) -> Stream<Inspected<P, F>>
    where
        F: Fn(&P::Out) + Send + Sync + 'static,
    {
        self.then("inspect", |chain, _| Inspected::new(chain, f))
    }

    /// Derives watermarks: no record is older than the latest one before it by more than
    /// `lateness`.
    pub fn timestamps<F>(self, lateness: Duration, f: F) -> Stream<Timestamped<P, F>>
    where
        F: Fn(&P::Out) -> Timestamp + Send + Sync + 'static,
    {
        self.then("timestamps", |chain, _| Timestamped::new(chain, f, lateness))
    }

    /// Divides the records by key: all records of a key go to the same task, in order.
    pub fn key_by<K, F>(self, key: F) -> KeyedStream<K, P::Out, F>
    where
        K: Key,
        F: Fn(&P::Out) -> &K + Send + Sync + 'static,
    {
        let key = Arc::new(key);
        let (plan, last, next_name, edge) = self.exchange_by(Arc::clone(&key));
        KeyedStream::new(plan, edge, key, last, next_name)
    }

    /// Drops records whose id has been seen before, anywhere in the stream.
    pub fn dedup<I, F>(
        self,
        id: F,
        expiry: Expiry<P::Out>,
    ) -> Stream<impl OperatorChain<Out = P::Out>>
    where
        I: Key,
        F: Fn(&P::Out) -> &I + Send + Sync + 'static,
    {
        let id = Arc::new(id);
        let (plan, last, next_name, edge) = self.exchange_by(Arc::clone(&id));
        let inputs = vec![(last, EdgeKind::ByKey)];
        let name = plan.edit(|plan| plan.add_operator(next_name, "dedup", "", inputs));
        let operator = name.clone();
        let make = move |space: KeySpace, index: u16| {
            let table = format!("{operator}/seen");
            let seen = Table::<I, Timestamp>::new(table, space, index);
            Dedup::new(operator.clone(), seen, Arc::clone(&id), expiry.clone())
        };
        Stream::begin(plan, OperatorHead::new(vec![edge], make), name, false)
    }

    /// Sends all records to where their key belongs.
    fn exchange_by<K, F>(self, key: Arc<F>) -> (SharedPlan, String, OperatorName, Edge<P::Out>)
    where
        K: Hash + ?Sized + 'static,
        F: Fn(&P::Out) -> &K + Send + Sync + 'static,
    {
        let next_name = self.next_name.clone();
        let hash: HashKeys<P::Out> = Arc::new(move |items, hashes| {
            hashes.extend(items.iter().map(|item| KeyHash::of(key(item))));
        });
        let (plan, last, edge) = self
            .close_into(true, move |space| Distribution::ByKey { hash: Arc::clone(&hash), space });
        (plan, last, next_name, edge)
    }

    /// Ends the stage here with an edge.
    fn close_into(
        self,
        all_to_all: bool,
        distribution: impl Fn(KeySpace) -> Distribution<P::Out> + Send + Sync + 'static,
    ) -> (SharedPlan, String, Edge<P::Out>) {
        let Stream { plan, chain, last, stage, is_source, .. } = self;
        let outputs = Outputs::none();
        let edge = outputs.add_edge(&plan, all_to_all, distribution);
        stage::close(&plan, &stage, is_source, chain, outputs, None);
        (plan, last.0, edge)
    }

    /// Merges two streams.
    pub fn union<Q: OperatorChain<Out = P::Out>>(
        self,
        other: Stream<Q>,
    ) -> Stream<impl OperatorChain<Out = P::Out>> {
        let next_name = self.next_name.clone();
        let forward = |_: KeySpace| Distribution::Rebalance;
        let (plan, one, first) = self.close_into(false, forward);
        let (_, two, second) = other.close_into(false, forward);
        let inputs = vec![(one, EdgeKind::Forward), (two, EdgeKind::Forward)];
        let name = plan.edit(|plan| plan.add_operator(next_name, "union", "", inputs));
        let chain = OperatorHead::new(vec![first, second], |_: KeySpace, _: u16| PassThrough);
        Stream::begin(plan, chain, name, false)
    }

    /// Spreads the records evenly over all tasks. Their order is not kept.
    pub fn rebalance(self) -> Stream<impl OperatorChain<Out = P::Out>> {
        let (plan, last, edge) = self.close_into(true, |_| Distribution::Rebalance);
        Self::after_exchange(plan, last, edge, EdgeKind::Rebalance)
    }

    /// Gives every record to every task.
    pub fn broadcast(self) -> Stream<impl OperatorChain<Out = P::Out>>
    where
        P::Out: Clone,
    {
        let (plan, last, edge) =
            self.close_into(true, |_| Distribution::Broadcast(<[P::Out]>::to_vec));
        Self::after_exchange(plan, last, edge, EdgeKind::Broadcast)
    }

    fn after_exchange(
        plan: SharedPlan,
        last: String,
        edge: Edge<P::Out>,
        kind: EdgeKind,
    ) -> Stream<impl OperatorChain<Out = P::Out>> {
        let chain = OperatorHead::new(vec![edge], |_: KeySpace, _: u16| PassThrough);
        let mut stream = Stream::begin(plan, chain, last, false);
        stream.last.1 = kind;
        stream
    }

    /// Makes the stream usable more than once.
    pub fn shared(self) -> Shared<P::Out>
    where
        P::Out: Clone,
    {
        let Stream { plan, chain, last, stage, is_source, .. } = self;
        let outputs = Outputs::none();
        let copy: fn(&[P::Out]) -> Vec<P::Out> = <[P::Out]>::to_vec;
        stage::close(&plan, &stage, is_source, chain, outputs.clone(), Some(copy));
        Shared { plan, outputs, last: last.0 }
    }

    /// Ends the stream in a sink. The name is its identity in the target: do not change it between
    /// runs.
    pub fn sink<S: Sink<Item = P::Out>>(self, name: impl Into<String>, sink: S) {
        let Stream { plan, chain, last, next_name, is_source, .. } = self;
        let (chosen, detail) = (OperatorName::chosen(name), sink.describe());
        let name = plan.edit(|plan| {
            let name = plan.add_operator(chosen, "sink", detail, vec![last]);
            if next_name != OperatorName::default() {
                plan.refuse(format!(
                    "named() and formerly() say nothing about sink '{name}': a sink is called as it is \
                     where it is added, and its target knows it by that name"
                ));
            }
            name
        });
        let outputs = Outputs::none();
        outputs.add_sink(&plan, &name, sink);
        stage::close(&plan, &name, is_source, chain, outputs, None);
    }
}

impl<S: Source> Stream<SourceHead<S>> {
    /// Says what the source was called before, so that it finds its positions again.
    pub fn source_formerly(self, name: impl Into<String>) -> Self {
        self.plan.edit(|plan| plan.rename(name, self.stage.clone()));
        self
    }

    /// Counts bad input and goes on; without this, the job ends with an error that names it.
    pub fn skip_bad_input(mut self) -> Self {
        self.chain.skip_bad_input();
        self
    }

    /// Writes bad input to a sink and goes on. The dead letters commit with the checkpoints, as
    /// all output does.
    pub fn dead_letters<D: Sink<Item = BadRecord>>(
        mut self,
        name: impl Into<String>,
        sink: D,
    ) -> Self {
        let (chosen, detail) = (OperatorName::chosen(name), sink.describe());
        let inputs = vec![(self.last.0.clone(), EdgeKind::Fused)];
        let name = self.plan.edit(|plan| plan.add_operator(chosen, "dead letters", detail, inputs));
        let sink = Arc::new(sink);
        stage::add_target(&self.plan, &name, &sink);
        self.chain.dead_letters(Arc::new(move || {
            Ok(Box::new(SinkOutput::new(name.clone(), sink.writer()?)))
        }));
        self
    }
}

impl<T: Clone + Send + 'static> Shared<T> {
    /// The stream once more.
    pub fn stream(&self) -> Stream<impl OperatorChain<Out = T> + use<T>> {
        let edge = self.outputs.add_edge(&self.plan, false, |_| Distribution::Rebalance);
        let chain = OperatorHead::new(vec![edge], |_: KeySpace, _: u16| PassThrough);
        let mut stream = Stream::begin(self.plan.clone(), chain, self.last.clone(), false);
        stream.last.1 = EdgeKind::Forward;
        stream
    }
}
