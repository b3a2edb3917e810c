//! Fused operators: each pushes into the next by static dispatch, so that the compiler sees one
//! loop from the head of a stage to its outputs.
//!
//! A [`OperatorChain`] is the recipe of a stage up to some operator. Making tasks of it hands each operator
//! what comes after it; the head, which knows what comes before, becomes the tasks.
//! Nothing here knows barriers, state or threads.

use std::sync::Arc;

use steadfast_core::error::told;
use steadfast_core::key::KeySpace;
use steadfast_core::message::Batch;
use steadfast_core::rejected::Rejected;
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result, UserError};
use steadfast_protocol::fit::JobShape;

use crate::collector::{Collector, StageOutput};
use crate::context::{MadeTask, RestoreSource, StageContext, TaskContext};
use crate::operators::Sided;
use crate::user_code::{OperatorId, OperatorLabel};

mod boxed;

pub use boxed::Boxed;

/// A stage up to some operator.
pub trait OperatorChain: Send + Sync + 'static {
    /// What comes out of it.
    type Out: Send + 'static;

    /// Makes the parallel tasks of the stage; each pushes into what `next` makes for it.
    ///
    /// # Errors
    /// If the head of the stage cannot be opened.
    fn tasks<C: Collector<Self::Out> + 'static>(
        &self,
        stage: &StageContext<'_>,
        next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>>;

    /// Where the stage begins.
    fn head(&self) -> &dyn StageHead;
}

/// What can be said of the head of a stage before anything is made of it.
pub trait StageHead {
    /// Adds its source or its tables of state.
    ///
    /// # Errors
    /// `Configuration` if two tables have one name: one would be stored over the other.
    fn describe(&self, space: KeySpace, shape: &mut JobShape) -> Result<()>;

    /// Whether it can go on from `restored`, or begin; reads nothing of the input but what tells.
    ///
    /// # Errors
    /// Those of [`steadfast_core::source::Source::plan`].
    fn check(&self, restored: &RestoreSource, tasks: u16) -> Result<()>;

    /// The numbers of the edges that it reads.
    fn inputs(&self) -> Vec<usize>;

    /// The name of its source, if that cannot be read again.
    fn not_replayable(&self) -> Option<&str>;
}

/// Declares an operator: the chain with its fields, and the collector that it becomes in a task.
macro_rules! fused {
    ($(#[$doc:meta])* $chain:ident / $push:ident) => {
        $(#[$doc])*
        pub struct $chain<P, F> {
            upstream: P,
            f: Arc<F>,
            operator: OperatorId,
        }

        impl<P, F> $chain<P, F> {
            /// This operator behind `upstream`.
            pub fn new(upstream: P, f: F, operator: OperatorId) -> Self {
                $chain { upstream, f: Arc::new(f), operator }
            }
        }

        struct $push<F, C> {
            f: Arc<F>,
            next: C,
            label: OperatorLabel,
        }
    };
}

/// The parts of `Collector` that every operator passes on unchanged.
macro_rules! pass_on {
    ($item:ty) => {
        fn push_all(&mut self, batch: &mut Batch<$item>) -> Result<()> {
            batch.drain().try_for_each(|(item, at)| self.push(item, at))
        }

        fn stage_output(&mut self) -> &mut dyn StageOutput {
            self.next.stage_output()
        }
    };
}

fused!(
    /// Turns each record into another.
    Mapped / MapPush
);

impl<P: OperatorChain, U: Send + 'static, F: Fn(P::Out) -> U + Send + Sync + 'static> OperatorChain
    for Mapped<P, F>
{
    type Out = U;

    fn tasks<C: Collector<U> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        self.upstream.tasks(stage, |task| {
            let (f, label) = (Arc::clone(&self.f), task.label(&self.operator));
            Ok(MapPush { f, next: next(task)?, label })
        })
    }

    fn head(&self) -> &dyn StageHead {
        self.upstream.head()
    }
}

impl<T, U, F: Fn(T) -> U + Send + Sync, C: Collector<U>> Collector<T> for MapPush<F, C> {
    #[inline]
    fn push(&mut self, item: T, at: Timestamp) -> Result<()> {
        let item = self.label.calls(|| (self.f)(item));
        self.next.push(item, at)
    }

    pass_on!(T);
}

fused!(
    /// Turns each record into another, or fails.
    TryMapped / TryMapPush
);

impl<P, U, F> OperatorChain for TryMapped<P, F>
where
    P: OperatorChain,
    U: Send + 'static,
    F: Fn(P::Out) -> Result<U, UserError> + Send + Sync + 'static,
{
    type Out = U;

    fn tasks<C: Collector<U> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        self.upstream.tasks(stage, |task| {
            let (f, label) = (Arc::clone(&self.f), task.label(&self.operator));
            Ok(TryMapPush { f, next: next(task)?, label })
        })
    }

    fn head(&self) -> &dyn StageHead {
        self.upstream.head()
    }
}

impl<T, U, F, C> Collector<T> for TryMapPush<F, C>
where
    F: Fn(T) -> Result<U, UserError> + Send + Sync,
    C: Collector<U>,
{
    #[inline]
    fn push(&mut self, item: T, at: Timestamp) -> Result<()> {
        match self.label.calls(|| (self.f)(item)) {
            Ok(item) => self.next.push(item, at),
            Err(error) => Err(self.label.names(Error::of_user_code(error))),
        }
    }

    pass_on!(T);
}

fused!(
    /// Turns each record into another, or sets it aside with the reason.
    MapOrRejected / MapOrRejectPush
);

impl<P, U, F> OperatorChain for MapOrRejected<P, F>
where
    P: OperatorChain,
    U: Send + 'static,
    F: Fn(&P::Out) -> Result<U, UserError> + Send + Sync + 'static,
{
    type Out = Sided<U, Rejected<P::Out>>;

    fn tasks<C: Collector<Self::Out> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        self.upstream.tasks(stage, |task| {
            let (f, label) = (Arc::clone(&self.f), task.label(&self.operator));
            Ok(MapOrRejectPush { f, next: next(task)?, label })
        })
    }

    fn head(&self) -> &dyn StageHead {
        self.upstream.head()
    }
}

impl<T, U, F, C> Collector<T> for MapOrRejectPush<F, C>
where
    F: Fn(&T) -> Result<U, UserError> + Send + Sync,
    C: Collector<Sided<U, Rejected<T>>>,
{
    #[inline]
    fn push(&mut self, item: T, at: Timestamp) -> Result<()> {
        let sided = match self.label.calls(|| (self.f)(&item)) {
            Ok(item) => Sided::Main(item),
            Err(error) => Sided::Side(rejected(item, &self.label, &*error)),
        };
        self.next.push(sided, at)
    }

    pass_on!(T);
}

#[cold]
fn rejected<T>(
    record: T,
    label: &OperatorLabel,
    error: &(dyn std::error::Error + Send + Sync + 'static),
) -> Rejected<T> {
    Rejected { record, operator: label.name().to_string(), reason: told(error) }
}

fused!(
    /// Keeps the records for which the function says so.
    Filtered / FilterPush
);

impl<P: OperatorChain, F: Fn(&P::Out) -> bool + Send + Sync + 'static> OperatorChain
    for Filtered<P, F>
{
    type Out = P::Out;

    fn tasks<C: Collector<P::Out> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        self.upstream.tasks(stage, |task| {
            let (f, label) = (Arc::clone(&self.f), task.label(&self.operator));
            Ok(FilterPush { f, next: next(task)?, label })
        })
    }

    fn head(&self) -> &dyn StageHead {
        self.upstream.head()
    }
}

impl<T, F: Fn(&T) -> bool + Send + Sync, C: Collector<T>> Collector<T> for FilterPush<F, C> {
    #[inline]
    fn push(&mut self, item: T, at: Timestamp) -> Result<()> {
        if self.label.calls(|| (self.f)(&item)) { self.next.push(item, at) } else { Ok(()) }
    }

    pass_on!(T);
}

fused!(
    /// Turns each record into any number of others.
    FlatMapped / FlatMapPush
);

impl<P, I, F> OperatorChain for FlatMapped<P, F>
where
    P: OperatorChain,
    I: IntoIterator,
    I::Item: Send + 'static,
    F: Fn(P::Out) -> I + Send + Sync + 'static,
{
    type Out = I::Item;

    fn tasks<C: Collector<I::Item> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        self.upstream.tasks(stage, |task| {
            let (f, label) = (Arc::clone(&self.f), task.label(&self.operator));
            Ok(FlatMapPush { f, next: next(task)?, label })
        })
    }

    fn head(&self) -> &dyn StageHead {
        self.upstream.head()
    }
}

impl<T, I, F, C> Collector<T> for FlatMapPush<F, C>
where
    I: IntoIterator,
    F: Fn(T) -> I + Send + Sync,
    C: Collector<I::Item>,
{
    #[inline]
    fn push(&mut self, item: T, at: Timestamp) -> Result<()> {
        // The user's iterator is called all along; operators behind this one name themselves.
        let FlatMapPush { f, next, label } = self;
        label.calls(|| f(item).into_iter().try_for_each(|item| next.push(item, at)))
    }

    pass_on!(T);
}

fused!(
    /// Shows each record to a function and passes it on.
    Inspected / InspectPush
);

impl<P: OperatorChain, F: Fn(&P::Out) + Send + Sync + 'static> OperatorChain for Inspected<P, F> {
    type Out = P::Out;

    fn tasks<C: Collector<P::Out> + 'static>(
        &self,
        stage: &StageContext<'_>,
        mut next: impl FnMut(&TaskContext) -> Result<C>,
    ) -> Result<Vec<MadeTask>> {
        self.upstream.tasks(stage, |task| {
            let (f, label) = (Arc::clone(&self.f), task.label(&self.operator));
            Ok(InspectPush { f, next: next(task)?, label })
        })
    }

    fn head(&self) -> &dyn StageHead {
        self.upstream.head()
    }
}

impl<T, F: Fn(&T) + Send + Sync, C: Collector<T>> Collector<T> for InspectPush<F, C> {
    #[inline]
    fn push(&mut self, item: T, at: Timestamp) -> Result<()> {
        self.label.calls(|| (self.f)(&item));
        self.next.push(item, at)
    }

    pass_on!(T);
}
