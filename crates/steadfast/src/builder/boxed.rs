//! Streams whose types are forgotten, so that a function can return them and a struct hold them.
//!
//! It knows nothing of how records cross where the compiler does not see beyond.

use std::sync::Arc;

use steadfast_core::data::Data;
use steadfast_core::key_of::{BoxedKey, KeyOf};
use steadfast_runtime::operator_chain::{Boxed, OperatorChain};

use super::keyed::KeyedStream;
use super::stream::Stream;

/// A stream of which only the type of its records is known: see [`Stream::boxed`].
pub type BoxedStream<T> = Stream<Boxed<T>>;

/// A stream that is divided by key, of which only the types of records and keys are known: see
/// [`KeyedStream::boxed`].
pub type BoxedKeyedStream<T, K> = KeyedStream<T, BoxedKey<T, K>>;

impl<P: OperatorChain> Stream<P> {
    /// Forgets which operators the stream is made of: only the type of its records stays, so that a function can
    /// return it without `impl`, and a struct or a list can hold it.
    ///
    /// The compiler does not see beyond it, so records are collected in front of it and cross it in batches:
    /// one dynamic call for each batch of up to 256, and one more copy of each record (2 to 4 nanoseconds;
    /// `docs/benchmarks.md`). No record waits there for others to come, and their order stays what it is. What
    /// belongs to a source, such as `event_time`, comes before.
    ///
    /// ```
    /// use steadfast::BoxedStream;
    /// use steadfast::prelude::*;
    ///
    /// /// Lines of a text, or of a file.
    /// fn lines(job: &Job, file: Option<&str>) -> BoxedStream<String> {
    ///     match file {
    ///         Some(file) => job.source("lines", JsonLines::<String>::new([file])).boxed(),
    ///         None => job.source("lines", Values::new(["a".to_string()])).boxed(),
    ///     }
    /// }
    ///
    /// let job = Job::new("either");
    /// let found = Collect::new();
    /// let collected = found.collected();
    /// lines(&job, None).sink("found", found);
    /// job.run(&RunOptions::in_memory())?;
    /// assert_eq!(collected.items(), ["a"]);
    /// # Ok::<(), steadfast::Error>(())
    /// ```
    pub fn boxed(self) -> BoxedStream<P::Out> {
        let Stream { plan, chain, last, stage, next_name, is_source, is_timed } = self;
        let chain = Boxed::new(chain);
        Stream { plan, chain, last, stage, next_name, is_source, is_timed }
    }
}

impl<T: Data, S: KeyOf<T>> KeyedStream<T, S> {
    /// Forgets how the key is told: only the types of records and keys stay, so that a function can return the
    /// stream without `impl`, and a struct can hold it. It costs one dynamic call for each record, in the next
    /// operator (about 2 nanoseconds); the hash of the key is computed before, without it.
    ///
    /// ```
    /// use steadfast::BoxedKeyedStream;
    /// use steadfast::prelude::*;
    ///
    /// struct Accounts {
    ///     payments: BoxedKeyedStream<(String, i64), String>,
    /// }
    ///
    /// let job = Job::new("balances");
    /// let balances = Collect::new();
    /// let collected = balances.collected();
    /// let payments = job.source("payments", Values::new([("a".to_string(), 5)]));
    /// let accounts = Accounts { payments: payments.key_by_ref(|(account, _)| account).boxed() };
    /// let sums = accounts.payments.named("sums").fold(Emit::Final, || 0, |sum, (_, cents)| *sum += cents);
    /// sums.sink("balances", balances);
    /// job.run(&RunOptions::in_memory())?;
    /// assert_eq!(collected.items(), [("a".to_string(), 5)]);
    /// # Ok::<(), steadfast::Error>(())
    /// ```
    pub fn boxed(self) -> BoxedKeyedStream<T, S::Key> {
        let KeyedStream { plan, edge, key, last, next_name, is_timed, keyed } = self;
        let key = Arc::new(BoxedKey::new(key));
        KeyedStream { plan, edge, key, last, next_name, is_timed, keyed }
    }
}
