//! One stream that goes several ways: used more than once, or with results and what leaves beside them.

use steadfast_core::data::Data;
use steadfast_core::rejected::Rejected;
use steadfast_core::sink::Sink;
use steadfast_core::{Result, UserError};
use steadfast_runtime::exchange::output::Distribution;
use steadfast_runtime::operator_chain::{MapOrRejected, OperatorChain};
use steadfast_runtime::operators::Sided;
use steadfast_runtime::plan::{EdgeKind, SharedPlan};
use steadfast_runtime::side_output::WithSide;

use super::source::DEAD_LETTERS;
use super::stage::Outputs;
use super::stream::{Passed, Stream, passed};

/// A stream that can be used more than once.
pub struct Shared<T> {
    plan: SharedPlan,
    outputs: Outputs<T>,
    last: String,
    is_timed: bool,
}

impl<T: Data> Shared<T> {
    pub(super) fn new(plan: SharedPlan, outputs: Outputs<T>, last: String, is_timed: bool) -> Self {
        Shared { plan, outputs, last, is_timed }
    }

    /// The stream once more.
    pub fn stream(&self) -> Stream<Passed<T>> {
        let edge = self.outputs.add_edge(&self.plan, false, |_| Distribution::Rebalance);
        let (plan, last) = (self.plan.clone(), self.last.clone());
        let chain = passed(last.clone(), vec![edge]);
        let mut stream = Stream::begin(plan, chain, last, false, self.is_timed);
        stream.last.1 = EdgeKind::Forward;
        stream
    }
}

impl<P, U, F> Stream<MapOrRejected<P, F>>
where
    P: OperatorChain,
    P::Out: Data,
    U: Send + 'static,
    F: Fn(&P::Out) -> Result<U, UserError> + Send + Sync + 'static,
{
    /// Writes what the function has refused to a sink, and goes on with the rest. The dead letters commit with the
    /// checkpoints, as all output does.
    #[track_caller]
    pub fn dead_letters<D: Sink<Item = Rejected<P::Out>>>(
        self,
        name: impl Into<String>,
        sink: D,
    ) -> Stream<impl OperatorChain<Out = U>> {
        self.side(|rejected| rejected.ends(DEAD_LETTERS, name, sink))
    }
}

impl<P, A, B> Stream<P>
where
    P: OperatorChain<Out = Sided<A, B>>,
    A: Send + 'static,
    B: Data,
{
    /// Goes on with the results, and hands what leaves through the side to `side`, which ends it in a
    /// sink or in whatever follows.
    pub fn side(self, side: impl FnOnce(Stream<Passed<B>>)) -> Stream<WithSide<P, B>> {
        let (results, rest) = self.sides();
        side(rest);
        results
    }

    /// The results, and what leaves through the side: as [`Stream::side`], for functions that return both.
    pub fn sides(self) -> (Stream<WithSide<P, B>>, Stream<Passed<B>>) {
        let (results, side) = self.with_side();
        (results, side.stream())
    }

    /// Goes on with the results only.
    pub(super) fn without_side(self) -> Stream<WithSide<P, B>> {
        self.with_side().0
    }

    fn with_side(self) -> (Stream<WithSide<P, B>>, Shared<B>) {
        let Stream { plan, chain, last, stage, next_name, is_source, is_timed } = self;
        let outputs = Outputs::none();
        let shared = Shared::new(plan.clone(), outputs.clone(), last.0.clone(), is_timed);
        let make = Box::new(move |task: &_| outputs.collector(task, None));
        let chain = WithSide::new(chain, make);
        (Stream { plan, chain, last, stage, next_name, is_source, is_timed }, shared)
    }
}
