//! A user's function on every record of a stream that is not divided by key, with state of no key.

use std::marker::PhantomData;

use steadfast_core::message::Batch;
use steadfast_core::operator::{Emission, Operator};
use steadfast_core::state::StateTable;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_core::{Error, Result, UserError};

use super::process::Emitter;
use super::unkeyed_state::{UnkeyedContext, UnkeyedStates};

/// A function on records with state that belongs to no key.
///
/// Which records meet in a task depends on how many tasks there are, and on how they are scheduled: what must
/// not depend on that needs a key.
pub trait UnkeyedFunction<T>: Send {
    /// What it emits.
    type Out: Send;

    /// The state is there; called once for each task, before everything else.
    ///
    /// # Errors
    /// Whatever the function fails with; the job ends with it.
    fn open(&mut self) -> Result<(), UserError> {
        Ok(())
    }

    /// A record has come.
    ///
    /// # Errors
    /// Whatever the function fails with; the job ends with it.
    fn on_record(
        &mut self,
        context: &mut UnkeyedContext<'_>,
        record: T,
        out: &mut Emitter<'_, Self::Out>,
    ) -> Result<(), UserError>;

    /// The input has ended: what is emitted now has the time of the watermark, which is where all tasks of the
    /// sources have come to; it is late only behind a union with a stream that has come further. What stays in
    /// the state waits for more input. What is emitted here is held in memory until it has been passed on.
    ///
    /// # Errors
    /// Whatever the function fails with; the job ends with it.
    fn on_end(
        &mut self,
        _context: &mut UnkeyedContext<'_>,
        _out: &mut Emitter<'_, Self::Out>,
    ) -> Result<(), UserError> {
        Ok(())
    }

    /// The job stops or has ended; called once for each task, after everything else. Not after a crash.
    fn close(&mut self) {}
}

/// A closure as such a function.
pub struct ForEachUnkeyed<F, O>(F, PhantomData<fn() -> O>);

impl<F, O> ForEachUnkeyed<F, O> {
    /// Calls `function` for every record.
    pub fn new(function: F) -> Self {
        ForEachUnkeyed(function, PhantomData)
    }
}

impl<T, O, F> UnkeyedFunction<T> for ForEachUnkeyed<F, O>
where
    O: Send,
    F: FnMut(&mut UnkeyedContext<'_>, T, &mut Emitter<'_, O>) -> Result<(), UserError> + Send,
{
    type Out = O;

    fn on_record(
        &mut self,
        context: &mut UnkeyedContext<'_>,
        record: T,
        out: &mut Emitter<'_, O>,
    ) -> Result<(), UserError> {
        (self.0)(context, record, out)
    }
}

/// See the module.
pub struct UnkeyedProcess<F> {
    states: UnkeyedStates,
    function: F,
    /// Records that came behind the watermark. They are processed like others.
    late: u64,
    is_timed: bool,
}

impl<F> UnkeyedProcess<F> {
    /// A process with the declared `states`, of records that have event times or have none.
    pub fn new(states: UnkeyedStates, function: F, is_timed: bool) -> Self {
        UnkeyedProcess { states, function, late: 0, is_timed }
    }
}

impl<T: Send + 'static, F: UnkeyedFunction<T>> Operator<T> for UnkeyedProcess<F> {
    type Out = F::Out;

    fn open(&mut self, _at: Moment) -> Result<()> {
        self.states.open();
        self.function.open().map_err(Error::of_user_code)
    }

    fn on_batch(
        &mut self,
        moment: Moment,
        batch: &mut Batch<T>,
        out: &mut Batch<F::Out>,
    ) -> Result<()> {
        for (item, at) in batch.drain() {
            self.late += u64::from(at != Timestamp::UNTIMED && at < moment.watermark);
            let mut context = UnkeyedContext::new(&mut self.states, at, moment);
            let called = self.function.on_record(&mut context, item, &mut Emitter::new(out, at));
            called.map_err(Error::of_user_code)?;
        }
        Ok(())
    }

    fn on_end(&mut self, moment: Moment, out: &mut Batch<F::Out>) -> Result<Emission> {
        // Where nothing has come there is no watermark, and yet a time.
        let at = if self.is_timed { moment.watermark.of_record() } else { Timestamp::UNTIMED };
        let mut context = UnkeyedContext::new(&mut self.states, at, moment);
        let called = self.function.on_end(&mut context, &mut Emitter::new(out, at));
        called.map_err(Error::of_user_code)?;
        Ok(Emission::Complete)
    }

    fn close(&mut self) {
        self.function.close();
    }

    fn tables(&mut self, visit: &mut dyn FnMut(&mut dyn StateTable)) {
        self.states.tables(visit);
    }

    fn counters(&self, visit: &mut dyn FnMut(&str, &'static str, u64)) {
        visit(self.states.operator(), "late", self.late);
    }
}

#[cfg(test)]
mod tests;
