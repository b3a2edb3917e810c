//! Functions of one's own on streams that are not divided by key.

use steadfast_core::data::Data;
use steadfast_core::key::KeySpace;
use steadfast_core::{Result, UserError};
use steadfast_runtime::exchange::output::Distribution;
use steadfast_runtime::operator_chain::OperatorChain;
use steadfast_runtime::operators::{
    Emitter, ForEachUnkeyed, UnkeyedContext, UnkeyedFunction, UnkeyedProcess, UnkeyedStates,
};
use steadfast_runtime::plan::EdgeKind;
use steadfast_runtime::task::OperatorHead;
use steadfast_runtime::user_code::OperatorId;

use super::stream::Stream;

impl<P: OperatorChain> Stream<P> {
    /// Runs a function of your own on every record, with state that belongs to no key: values that are split
    /// among the tasks, and maps of which every task has the same copy. With a key there is
    /// [`KeyedStream::process`](crate::KeyedStream::process).
    ///
    /// `setup` is called once for each task: it declares state and returns the function. Here a few rules
    /// come to every task, and are held against records that do not:
    ///
    /// ```
    /// use steadfast::prelude::*;
    ///
    /// #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// enum Input {
    ///     Limit(String, i64),
    ///     Reading(String, i64),
    /// }
    ///
    /// let job = Job::new("limits");
    /// let above = Collect::new();
    /// let found = above.collected();
    /// let limits = job
    ///     .source("limits", Values::new([("oven".to_string(), 250)]))
    ///     .map(|(name, limit)| Input::Limit(name, limit))
    ///     .broadcast();
    /// let readings = job
    ///     .source("readings", Values::new([("oven".to_string(), 300), ("hall".to_string(), 20)]))
    ///     .map(|(name, value)| Input::Reading(name, value));
    /// limits
    ///     .union(readings)
    ///     .named("too much")
    ///     .process(|states| {
    ///         let limits = states.broadcast::<String, i64>("limits");
    ///         // Until the first limit of its kind has come, a reading waits.
    ///         let waiting = states.split::<(String, i64)>("waiting");
    ///         move |context, input, out| {
    ///             match input {
    ///                 Input::Limit(name, limit) => context.broadcast(limits).insert(name, limit),
    ///                 Input::Reading(name, value) => context.split(waiting).push((name, value)),
    ///             }
    ///             for _ in 0..context.split(waiting).len() {
    ///                 let Some((name, value)) = context.split(waiting).pop_first() else { break };
    ///                 match context.broadcast(limits).get(&name).copied() {
    ///                     Some(limit) if value > limit => out.push((name, value)),
    ///                     Some(_) => {}
    ///                     None => context.split(waiting).push((name, value)),
    ///                 }
    ///             }
    ///             Ok(())
    ///         }
    ///     })
    ///     .sink("above", above);
    /// job.run(&RunOptions::in_memory())?;
    /// assert_eq!(found.items(), [("oven".to_string(), 300)]);
    /// # Ok::<(), steadfast::Error>(())
    /// ```
    #[track_caller]
    pub fn process<O, B, G>(self, setup: B) -> Stream<impl OperatorChain<Out = O>>
    where
        P::Out: Data,
        O: Send + 'static,
        B: Fn(&mut UnkeyedStates) -> G + Send + Sync + 'static,
        G: FnMut(&mut UnkeyedContext<'_>, P::Out, &mut Emitter<'_, O>) -> Result<(), UserError>
            + Send
            + 'static,
    {
        self.process_with(move |states| ForEachUnkeyed::new(setup(states)))
    }

    /// As [`Stream::process`], with a function that is also called at the end of the input.
    #[track_caller]
    pub fn process_with<B, F>(self, setup: B) -> Stream<impl OperatorChain<Out = F::Out>>
    where
        P::Out: Data,
        B: Fn(&mut UnkeyedStates) -> F + Send + Sync + 'static,
        F: UnkeyedFunction<P::Out> + 'static,
        F::Out: 'static,
    {
        let (next_name, is_timed) = (self.next_name.clone(), self.is_timed);
        let (plan, last, edge) = self.close_into(false, |_| Distribution::Rebalance);
        let inputs = vec![(last, EdgeKind::Forward)];
        let name = plan.add_operator(next_name, "process", "", inputs);
        let operator = name.clone();
        let make = move |space: KeySpace, index: u16| {
            let mut states = UnkeyedStates::new(operator.clone(), space, index);
            let function = setup(&mut states);
            UnkeyedProcess::new(states, function, is_timed)
        };
        let head =
            OperatorHead::new(OperatorId::new(&*name, "process"), vec![edge], make).without_keys();
        Stream::begin(plan, head, name, false, is_timed)
    }
}
