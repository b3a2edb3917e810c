//! Streams of records that are not divided by key.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::data::Data;
use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::key_of::{Borrowed, Computed, KeyOf};
use steadfast_core::sink::Sink;
use steadfast_core::{Result, UserError};
use steadfast_runtime::context::TaskContext;
use steadfast_runtime::exchange::edge::Edge;
use steadfast_runtime::exchange::output::{Distribution, HashKeys};
use steadfast_runtime::operator_chain::{
    Filtered, FlatMapped, Inspected, MapOrRejected, Mapped, OperatorChain, TryMapped,
};
use steadfast_runtime::operators::{Dedup, Expiry, PassThrough};
use steadfast_runtime::plan::{EdgeKind, OperatorName, SharedPlan};
use steadfast_runtime::task::OperatorHead;
use steadfast_runtime::user_code::OperatorId;

use super::keyed::{Keyed, KeyedStream};
use super::require_event_time;
use super::shared::Shared;
use super::stage::{self, Outputs};

/// The head of a stage that passes on what comes to it.
pub type Passed<T> = OperatorHead<T, fn(KeySpace, u16) -> PassThrough>;

pub(super) fn passed<T>(name: impl Into<Arc<str>>, edges: Vec<Edge<T>>) -> Passed<T> {
    OperatorHead::new(OperatorId::new(name, ""), edges, |_, _| PassThrough)
}

/// A stream that has been sent to where its keys belong, and the operator that has not got its name yet.
pub(super) struct KeyedExchange<T> {
    pub(super) plan: SharedPlan,
    pub(super) edge: Edge<T>,
    pub(super) last: String,
    pub(super) next_name: OperatorName,
    pub(super) keyed: Keyed,
}

/// A stream of records. Each operator returns a new stream; a stream that ends nowhere is not run.
#[must_use = "a stream does nothing before it ends in a sink"]
pub struct Stream<P> {
    pub(super) plan: SharedPlan,
    pub(super) chain: P,
    /// The operator that the stream comes from, and how.
    pub(super) last: (String, EdgeKind),
    /// The name of the stage, should it be closed here.
    pub(super) stage: String,
    pub(super) next_name: OperatorName,
    pub(super) is_source: bool,
    /// Whether its records have event times.
    pub(super) is_timed: bool,
}

impl<P: OperatorChain> Stream<P> {
    pub(super) fn begin(
        plan: SharedPlan,
        chain: P,
        name: String,
        is_source: bool,
        is_timed: bool,
    ) -> Self {
        let (last, next_name) = ((name.clone(), EdgeKind::Fused), OperatorName::default());
        Stream { plan, chain, last, stage: name, next_name, is_source, is_timed }
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
    #[track_caller]
    fn then<Q: OperatorChain>(
        self,
        kind: &'static str,
        fuse: impl FnOnce(P, OperatorId) -> Q,
    ) -> Stream<Q> {
        let Stream { plan, chain, last, next_name, is_source, is_timed, .. } = self;
        let name = plan.add_operator(next_name, kind, "", vec![last]);
        let chain = fuse(chain, OperatorId::new(&*name, kind));
        Stream::begin(plan, chain, name, is_source, is_timed)
    }

    /// Turns each record into another.
    #[track_caller]
    pub fn map<U, F>(self, f: F) -> Stream<Mapped<P, F>>
    where
        U: Send + 'static,
        F: Fn(P::Out) -> U + Send + Sync + 'static,
    {
        self.then("map", |chain, id| Mapped::new(chain, f, id))
    }

    /// Turns each record into another, or ends the job with an error.
    #[track_caller]
    pub fn try_map<U, F>(self, f: F) -> Stream<TryMapped<P, F>>
    where
        U: Send + 'static,
        F: Fn(P::Out) -> Result<U, UserError> + Send + Sync + 'static,
    {
        self.then("try_map", |chain, id| TryMapped::new(chain, f, id))
    }

    /// Turns each record into another, or sets it aside with the error as the reason:
    /// [`dead_letters`](Stream::dead_letters) says where to, or [`side`](Stream::side) what else becomes of it.
    ///
    /// ```
    /// use steadfast::prelude::*;
    ///
    /// let job = Job::new("amounts");
    /// let (amounts, refused) = (Collect::new(), Collect::new());
    /// let (good, bad) = (amounts.collected(), refused.collected());
    /// job.source("texts", Values::new(["12".to_string(), "twelve".to_string()]))
    ///     .named("parse")
    ///     .map_or_reject(|text| Ok(text.parse::<i64>()?))
    ///     .dead_letters("refused", refused)
    ///     .sink("amounts", amounts);
    /// job.run(&RunOptions::in_memory())?;
    /// assert_eq!(good.items(), [12]);
    /// let Rejected { record, operator, reason } = &bad.items()[0];
    /// assert_eq!((&**record, &**operator), ("twelve", "parse"));
    /// assert_eq!(reason, "invalid digit found in string");
    /// # Ok::<(), steadfast::Error>(())
    /// ```
    #[track_caller]
    pub fn map_or_reject<U, F>(self, f: F) -> Stream<MapOrRejected<P, F>>
    where
        P::Out: Data,
        U: Send + 'static,
        F: Fn(&P::Out) -> Result<U, UserError> + Send + Sync + 'static,
    {
        self.then("map_or_reject", |chain, id| MapOrRejected::new(chain, f, id))
    }

    /// Keeps the records for which `f` says so.
    #[track_caller]
    pub fn filter<F>(self, f: F) -> Stream<Filtered<P, F>>
    where
        F: Fn(&P::Out) -> bool + Send + Sync + 'static,
    {
        self.then("filter", |chain, id| Filtered::new(chain, f, id))
    }

    /// Turns each record into any number of others.
    #[track_caller]
    pub fn flat_map<I, F>(self, f: F) -> Stream<FlatMapped<P, F>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(P::Out) -> I + Send + Sync + 'static,
    {
        self.then("flat_map", |chain, id| FlatMapped::new(chain, f, id))
    }

    /// Shows each record to `f` and passes it on. After a crash `f` may see a record again.
    #[track_caller]
    pub fn inspect<F>(self, f: F) -> Stream<Inspected<P, F>>
    where
        F: Fn(&P::Out) + Send + Sync + 'static,
    {
        self.then("inspect", |chain, id| Inspected::new(chain, f, id))
    }

    /// Divides the records by a key that is computed: all records of a key go to the same task.
    ///
    /// What comes from one split of a source comes in its order. A file that is read in parts, or by
    /// several tasks, is not one split: see [`KeyedStream::in_time_order`].
    pub fn key_by<K, F>(self, key: F) -> KeyedStream<P::Out, Computed<K, F>>
    where
        P::Out: Data,
        K: Key,
        F: Fn(&P::Out) -> K + Send + Sync + 'static,
    {
        self.keyed(Computed::new(key))
    }

    /// As [`Stream::key_by`], by a key that is a part of the record.
    pub fn key_by_ref<K, F>(self, key: F) -> KeyedStream<P::Out, Borrowed<K, F>>
    where
        P::Out: Data,
        K: Key,
        F: Fn(&P::Out) -> &K + Send + Sync + 'static,
    {
        self.keyed(Borrowed::new(key))
    }

    fn keyed<S: KeyOf<P::Out>>(self, key: S) -> KeyedStream<P::Out, S>
    where
        P::Out: Data,
    {
        let (key, is_timed) = (Arc::new(key), self.is_timed);
        KeyedStream::new(self.exchange_by(Arc::clone(&key)), key, is_timed)
    }

    /// Drops records whose id has been seen before, anywhere in the stream. The id is a part of the
    /// record. What expires does by event time: if all copies of an id lie within the time for which it is
    /// kept, exactly one of them passes.
    #[track_caller]
    pub fn dedup<I, F>(self, id: F, expiry: Expiry) -> Stream<impl OperatorChain<Out = P::Out>>
    where
        P::Out: Data,
        I: Key,
        F: Fn(&P::Out) -> &I + Send + Sync + 'static,
    {
        self.deduplicated(Borrowed::new(id), expiry)
    }

    /// As [`Stream::dedup`], with an id that is computed: such as several fields together.
    #[track_caller]
    pub fn dedup_by<I, F>(self, id: F, expiry: Expiry) -> Stream<impl OperatorChain<Out = P::Out>>
    where
        P::Out: Data,
        I: Key,
        F: Fn(&P::Out) -> I + Send + Sync + 'static,
    {
        self.deduplicated(Computed::new(id), expiry)
    }

    #[track_caller]
    fn deduplicated<S: KeyOf<P::Out>>(
        self,
        id: S,
        expiry: Expiry,
    ) -> Stream<impl OperatorChain<Out = P::Out>>
    where
        P::Out: Data,
    {
        let (id, is_timed) = (Arc::new(id), self.is_timed);
        let exchange = self.exchange_by(Arc::clone(&id));
        let KeyedExchange { plan, edge, last, next_name, keyed } = exchange;
        let inputs = vec![(last, EdgeKind::ByKey)];
        let name = plan.add_operator(next_name, "dedup", "", inputs);
        if let Expiry::After(keep) = expiry {
            require_event_time(&plan, &name, is_timed);
            if keep < Duration::from_millis(1) {
                let problem = format!(
                    "operator '{name}' would keep an id for no time: Expiry::After takes a millisecond at \
                     least"
                );
                plan.edit(|plan| plan.refuse(problem));
            }
        }
        let operator = name.clone();
        let make = move |space: KeySpace, index: u16| {
            Dedup::new(operator.clone(), (space, index), Arc::clone(&id), expiry)
        };
        let id = keyed.get_or_init(|| OperatorId::new(&*name, "dedup")).clone();
        let head = OperatorHead::new(id, vec![edge], make);
        Stream::begin(plan, head, name, false, is_timed)
    }

    /// Sends all records to where their key belongs.
    fn exchange_by<S: KeyOf<P::Out>>(self, key: Arc<S>) -> KeyedExchange<P::Out> {
        let next_name = self.next_name.clone();
        let hash: HashKeys<P::Out> = Arc::new(move |items, hashes| {
            hashes.extend(items.iter().map(|item| KeyHash::of(key.key(item).borrow())));
        });
        let keyed = Keyed::default();
        let known = Arc::clone(&keyed);
        let (plan, last, edge) = self.close_into(true, move |task| {
            let unnamed = || OperatorId::new("", "");
            let label = task.label(&known.get().cloned().unwrap_or_else(unnamed).key());
            Distribution::ByKey { hash: Arc::clone(&hash), space: task.space, label }
        });
        KeyedExchange { plan, edge, last, next_name, keyed }
    }

    /// Ends the stage here with an edge.
    pub(super) fn close_into(
        self,
        all_to_all: bool,
        distribution: impl Fn(&TaskContext) -> Distribution<P::Out> + Send + Sync + 'static,
    ) -> (SharedPlan, String, Edge<P::Out>) {
        let Stream { plan, chain, last, stage, is_source, .. } = self;
        let outputs = Outputs::none();
        let edge = outputs.add_edge(&plan, all_to_all, distribution);
        stage::close(&plan, &stage, is_source, chain, outputs, None);
        (plan, last.0, edge)
    }

    /// Merges two streams.
    #[track_caller]
    pub fn union<Q: OperatorChain<Out = P::Out>>(self, other: Stream<Q>) -> Stream<Passed<P::Out>>
    where
        P::Out: Data,
    {
        let next_name = self.next_name.clone();
        let is_timed = self.is_timed && other.is_timed;
        let forward = |_: &TaskContext| Distribution::Rebalance;
        let (plan, one, first) = self.close_into(false, forward);
        let (_, two, second) = other.close_into(false, forward);
        let inputs = vec![(one, EdgeKind::Forward), (two, EdgeKind::Forward)];
        let name = plan.add_operator(next_name, "union", "", inputs);
        let chain = passed(name.clone(), vec![first, second]);
        Stream::begin(plan, chain, name, false, is_timed)
    }

    /// Spreads the records evenly over all tasks. Their order is not kept.
    pub fn rebalance(self) -> Stream<Passed<P::Out>>
    where
        P::Out: Data,
    {
        let is_timed = self.is_timed;
        let (plan, last, edge) = self.close_into(true, |_| Distribution::Rebalance);
        Self::after_exchange(plan, last, edge, EdgeKind::Rebalance, is_timed)
    }

    /// Gives every record to every task.
    pub fn broadcast(self) -> Stream<Passed<P::Out>>
    where
        P::Out: Clone + Data,
    {
        let is_timed = self.is_timed;
        let (plan, last, edge) =
            self.close_into(true, |_| Distribution::Broadcast(<[P::Out]>::to_vec));
        Self::after_exchange(plan, last, edge, EdgeKind::Broadcast, is_timed)
    }

    fn after_exchange(
        plan: SharedPlan,
        last: String,
        edge: Edge<P::Out>,
        kind: EdgeKind,
        is_timed: bool,
    ) -> Stream<Passed<P::Out>> {
        let chain = passed(last.clone(), vec![edge]);
        let mut stream = Stream::begin(plan, chain, last, false, is_timed);
        stream.last.1 = kind;
        stream
    }

    /// Makes the stream usable more than once.
    pub fn shared(self) -> Shared<P::Out>
    where
        P::Out: Clone + Data,
    {
        let Stream { plan, chain, last, stage, is_source, is_timed, .. } = self;
        let outputs = Outputs::none();
        let copy: fn(&[P::Out]) -> Vec<P::Out> = <[P::Out]>::to_vec;
        stage::close(&plan, &stage, is_source, chain, outputs.clone(), Some(copy));
        Shared::new(plan, outputs, last.0, is_timed)
    }

    /// Ends the stream in a sink. The name is its identity in the target: do not change it between
    /// runs.
    #[track_caller]
    pub fn sink<S: Sink<Item = P::Out>>(self, name: impl Into<String>, sink: S) {
        self.ends("sink", name, sink);
    }

    /// Ends the stream in a sink, which is shown as of this kind.
    #[track_caller]
    pub(super) fn ends<S: Sink<Item = P::Out>>(
        self,
        kind: &'static str,
        name: impl Into<String>,
        sink: S,
    ) {
        let Stream { plan, chain, last, next_name, is_source, .. } = self;
        let (chosen, detail) = (OperatorName::chosen(name), sink.describe());
        let name = plan.add_operator(chosen, kind, detail, vec![last]);
        if next_name != OperatorName::default() {
            let problem = format!(
                "named() and formerly() say nothing about sink '{name}': a sink is called as it is \
                 where it is added, and its target knows it by that name"
            );
            plan.edit(|plan| plan.refuse(problem));
        }
        let outputs = Outputs::none();
        outputs.add_sink(&plan, &name, sink);
        stage::close(&plan, &name, is_source, chain, outputs, None);
    }
}
