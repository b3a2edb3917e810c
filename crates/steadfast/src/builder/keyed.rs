//! Streams that are divided by key, and the operators that keep state for each key.

use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use steadfast_core::data::Data;
use steadfast_core::key::KeySpace;
use steadfast_core::key_of::KeyOf;
use steadfast_core::operator::Operator;
use steadfast_core::{Result, UserError};
use steadfast_runtime::exchange::edge::Edge;
use steadfast_runtime::operator_chain::OperatorChain;
use steadfast_runtime::operators::{
    Aggregate, Aggregation, Emit, Emitter, Fold, ForEachRecord, InTimeOrder, KeyedContext,
    KeyedStates, Process, ProcessFunction, Sided, TryFold, Windows,
};
use steadfast_runtime::plan::{EdgeKind, OperatorName, SharedPlan};
use steadfast_runtime::task::OperatorHead;
use steadfast_runtime::user_code::OperatorId;
use steadfast_state::State;

use super::require_event_time;
use super::stream::{KeyedExchange, Stream};
use super::windowed::WindowedStream;

/// A stream whose records are divided by key: each key's records meet its state in one task.
#[must_use = "a stream does nothing before it ends in a sink"]
pub struct KeyedStream<T, S> {
    pub(super) plan: SharedPlan,
    pub(super) edge: Edge<T>,
    pub(super) key: Arc<S>,
    pub(super) last: String,
    pub(super) next_name: OperatorName,
    pub(super) is_timed: bool,
    pub(super) keyed: Keyed,
}

/// Whose keys they are that records are divided by: it is known when the next operator has a name.
pub(super) type Keyed = Arc<OnceLock<OperatorId>>;

impl<T: Data, S: KeyOf<T>> KeyedStream<T, S> {
    pub(super) fn new(stream: KeyedExchange<T>, key: Arc<S>, is_timed: bool) -> Self {
        let KeyedExchange { plan, edge, last, next_name, keyed } = stream;
        KeyedStream { plan, edge, key, last, next_name, is_timed, keyed }
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

    /// Adds an operator of this kind, of which `make` makes one for each task.
    #[track_caller]
    pub(super) fn add<O: Operator<T> + 'static>(
        self,
        kind: &'static str,
        needs_time: bool,
        make: impl Fn(&str, Arc<S>, (KeySpace, u16)) -> O + Send + Sync + 'static,
    ) -> Stream<OperatorHead<T, Make<O>>>
    where
        O::Out: 'static,
    {
        let KeyedStream { plan, edge, key, last, next_name, is_timed, keyed } = self;
        let inputs = vec![(last, EdgeKind::ByKey)];
        let name = plan.add_operator(next_name, kind, "", inputs);
        if needs_time {
            require_event_time(&plan, &name, is_timed);
        }
        let operator = name.clone();
        let make: Make<O> =
            Box::new(move |space, index| make(&operator, Arc::clone(&key), (space, index)));
        let id = keyed.get_or_init(|| OperatorId::new(&*name, kind)).clone();
        let head = OperatorHead::new(id, vec![edge], make);
        Stream::begin(plan, head, name, false, is_timed)
    }

    /// The problems of what comes next are told when the job is run.
    pub(super) fn refuse(&self, problem: String) {
        self.plan.edit(|plan| plan.refuse(problem));
    }

    /// Keeps a value for each key, which begins as `init()` and to which `add` adds each record.
    /// Emits keys with their values as `emit` says.
    #[track_caller]
    pub fn fold<A, I, G>(
        self,
        emit: Emit,
        init: I,
        add: G,
    ) -> Stream<impl OperatorChain<Out = (S::Key, A)>>
    where
        A: State,
        I: Fn() -> A + Send + Sync + 'static,
        G: Fn(&mut A, &T) + Send + Sync + 'static,
    {
        self.aggregated("fold", emit, Fold { init, add })
    }

    /// As [`KeyedStream::fold`], with a function that may fail: the job ends with its error.
    ///
    /// ```
    /// use steadfast::prelude::*;
    ///
    /// let job = Job::new("totals");
    /// job.source("payments", Values::new([("a".to_string(), i64::MAX), ("a".to_string(), 1)]))
    ///     .key_by_ref(|(account, _)| account)
    ///     .named("accounts")
    ///     .try_fold(Emit::Final, || 0_i64, |sum, (account, cents)| {
    ///         *sum = sum.checked_add(*cents).ok_or(format!("too much on account {account}"))?;
    ///         Ok(())
    ///     })
    ///     .sink("totals", Collect::new());
    /// let error = job.run(&RunOptions::in_memory()).unwrap_err();
    /// assert!(error.to_string().contains("too much on account a"));
    /// ```
    #[track_caller]
    pub fn try_fold<A, I, G>(
        self,
        emit: Emit,
        init: I,
        add: G,
    ) -> Stream<impl OperatorChain<Out = (S::Key, A)>>
    where
        A: State,
        I: Fn() -> A + Send + Sync + 'static,
        G: Fn(&mut A, &T) -> Result<(), UserError> + Send + Sync + 'static,
    {
        self.aggregated("try_fold", emit, TryFold { init, add })
    }

    /// As [`KeyedStream::fold`], with a state and a result of different types.
    #[track_caller]
    pub fn aggregate<G: Aggregate<T>>(
        self,
        emit: Emit,
        aggregate: G,
    ) -> Stream<impl OperatorChain<Out = (S::Key, G::Out)>> {
        self.aggregated("aggregate", emit, aggregate)
    }

    #[track_caller]
    fn aggregated<G: Aggregate<T>>(
        self,
        kind: &'static str,
        emit: Emit,
        aggregate: G,
    ) -> Stream<Aggregated<T, G, S>> {
        let aggregate = Arc::new(aggregate);
        let mut results = self.add(kind, false, move |name, key, place| {
            Aggregation::new(name, place, key, Arc::clone(&aggregate), emit)
        });
        // When a result changes depends on checkpoints: it has no event time.
        results.is_timed = false;
        results
    }

    /// Divides the records of each key into windows of time, in which they are aggregated.
    ///
    /// ```
    /// use std::time::Duration;
    /// use steadfast::prelude::*;
    ///
    /// let job = Job::new("visits");
    /// let counts = Collect::new();
    /// let counted = counts.collected();
    /// let minute = Duration::from_secs(60);
    /// job.source("visits", Values::new([("/", 1_000), ("/", 59_999), ("/", 60_000)]))
    ///     .event_time(Duration::ZERO, |(_, at)| Timestamp(*at))
    ///     .map(|(url, _)| url.to_string())
    ///     .key_by_ref(|url| url)
    ///     .named("per minute")
    ///     .window(Windows::tumbling(minute))
    ///     .count()
    ///     .map(|hits| (hits.window.start.0, hits.value))
    ///     .sink("counts", counts);
    /// job.run(&RunOptions::in_memory())?;
    /// assert_eq!(counted.items(), [(0, 2), (60_000, 1)]);
    /// # Ok::<(), steadfast::Error>(())
    /// ```
    pub fn window(self, windows: Windows) -> WindowedStream<T, S> {
        WindowedStream::new(self, windows)
    }

    /// Puts the records of each key into the order of their event times; those of one time into the order
    /// of what `tie` tells of them. A record waits until the watermark has passed it. Late ones leave
    /// through the [`Stream::side`]; so does nothing if nothing is late.
    ///
    /// If more than a gigabyte waits in a task, the job ends with an error that says what holds the
    /// watermark back.
    #[track_caller]
    pub fn in_time_order<O, R>(self, tie: R) -> Stream<impl OperatorChain<Out = Sided<T, T>>>
    where
        T: Clone + Sync,
        O: Ord + 'static,
        R: Fn(&T) -> O + Send + Sync + 'static,
    {
        self.in_time_order_within(1 << 30, tie)
    }

    /// As [`KeyedStream::in_time_order`], with room for so many bytes of waiting records in each task, counted as
    /// checkpoints hold them.
    #[track_caller]
    pub fn in_time_order_within<O, R>(
        self,
        bytes: usize,
        tie: R,
    ) -> Stream<impl OperatorChain<Out = Sided<T, T>>>
    where
        T: Clone + Sync,
        O: Ord + 'static,
        R: Fn(&T) -> O + Send + Sync + 'static,
    {
        if bytes == 0 {
            self.refuse(
                "in_time_order_within() needs room for a record: 0 bytes were given".into(),
            );
        }
        let tie = Arc::new(tie);
        self.add("in_time_order", true, move |name, key, place| {
            InTimeOrder::new(name, place, key, Arc::clone(&tie), bytes)
        })
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
    ///     .key_by_ref(|(sensor, _)| sensor)
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
    ///
    /// State may have a time to live:
    ///
    /// ```
    /// use std::time::Duration;
    /// use steadfast::prelude::*;
    /// use steadfast::Clock;
    ///
    /// let job = Job::new("repeated");
    /// let repeated = Collect::new();
    /// let seen = repeated.collected();
    /// job.source("clicks", Values::new([("a", 0), ("a", 50_000), ("a", 120_000)]))
    ///     .event_time(Duration::ZERO, |(_, at)| Timestamp(*at))
    ///     .map(|(user, at)| (user.to_string(), at))
    ///     .key_by_ref(|(user, _)| user)
    ///     .named("within a minute")
    ///     .process(|states| {
    ///         let minute = Duration::from_secs(60);
    ///         let last = states.expiring(minute, Clock::Event).value::<i64>("last");
    ///         move |context, (_, at), out| {
    ///             out.extend(context.get(last).map(|before| at - before));
    ///             context.set(last, *at);
    ///             Ok(())
    ///         }
    ///     })
    ///     .sink("repeated", repeated);
    /// job.run(&RunOptions::in_memory())?;
    /// assert_eq!(seen.items(), [50_000]);
    /// # Ok::<(), steadfast::Error>(())
    /// ```
    #[track_caller]
    pub fn process<O, B, G>(self, setup: B) -> Stream<impl OperatorChain<Out = O>>
    where
        O: Send + 'static,
        B: Fn(&mut KeyedStates<S::Key>) -> G + Send + Sync + 'static,
        G: FnMut(&mut KeyedContext<'_, S::Key>, &T, &mut Emitter<'_, O>) -> Result<(), UserError>
            + Send
            + 'static,
    {
        self.process_with(move |states| ForEachRecord((setup(states), PhantomData)))
    }

    /// As [`KeyedStream::process`], with a function that also has timers and hears of the end of the
    /// input: see [`ProcessFunction`].
    #[track_caller]
    pub fn process_with<B, F>(self, setup: B) -> Stream<impl OperatorChain<Out = F::Out>>
    where
        B: Fn(&mut KeyedStates<S::Key>) -> F + Send + Sync + 'static,
        F: ProcessFunction<S::Key, T> + 'static,
        F::Out: 'static,
    {
        self.add("process", false, move |name, key, (space, index)| {
            let mut states = KeyedStates::new(name, space, index);
            let function = setup(&mut states);
            Process::new(states, key, function)
        })
    }
}

type Aggregated<T, G, S> = OperatorHead<T, Make<Aggregation<T, G, S>>>;

/// Makes an operator for a parallel index.
pub(super) type Make<O> = Box<dyn Fn(KeySpace, u16) -> O + Send + Sync>;
