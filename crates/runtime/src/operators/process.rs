//! A user's function on every record, with state and timers for its key.

use std::borrow::Borrow;
use std::sync::Arc;

use steadfast_core::key::KeyHash;
use steadfast_core::key_of::KeyOf;
use steadfast_core::message::Batch;
use steadfast_core::operator::{Emission, Operator};
use steadfast_core::state::StateTable;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_core::{Error, Result, UserError};

use super::keyed_state::{KeyedContext, KeyedStates, Of};
use super::timers::Clock;

/// What a function emits.
pub struct Emitter<'a, O> {
    out: &'a mut Batch<O>,
    at: Timestamp,
}

impl<'a, O> Emitter<'a, O> {
    pub(super) fn new(out: &'a mut Batch<O>, at: Timestamp) -> Self {
        Emitter { out, at }
    }

    /// Emits a record with the event time of the record or timer at hand.
    pub fn push(&mut self, item: O) {
        self.out.push(item, self.at);
    }

    /// Emits a record with an event time of its own. One before the watermark is late.
    pub fn push_at(&mut self, item: O, at: Timestamp) {
        self.out.push(item, at.of_record());
    }
}

impl<O> Extend<O> for Emitter<'_, O> {
    fn extend<I: IntoIterator<Item = O>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

/// A function on records with state and timers for their keys.
///
/// Records of a key come in the order in which their split has them where all of them are in one split;
/// otherwise in any order that the declared disorder allows and, over parts of a file, beyond: what must not
/// depend on that has to wait for the watermark, by timers or behind
/// [`in_time_order`](super::InTimeOrder).
pub trait ProcessFunction<K, T>: Send {
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
        context: &mut KeyedContext<'_, K>,
        record: &T,
        out: &mut Emitter<'_, Self::Out>,
    ) -> Result<(), UserError>;

    /// A timer is due, by the clock that it was set by; its time is that of the context. Timers come in the
    /// order of their times.
    ///
    /// # Errors
    /// Whatever the function fails with; the job ends with it.
    fn on_timer(
        &mut self,
        _context: &mut KeyedContext<'_, K>,
        _clock: Clock,
        _out: &mut Emitter<'_, Self::Out>,
    ) -> Result<(), UserError> {
        Ok(())
    }

    /// The input has ended, and this timer in event time is still waiting; it goes on waiting, should more
    /// input come one day, unless it is cleared here. Timers come in the order of their times.
    ///
    /// # Errors
    /// Whatever the function fails with; the job ends with it.
    fn on_end(
        &mut self,
        _context: &mut KeyedContext<'_, K>,
        _out: &mut Emitter<'_, Self::Out>,
    ) -> Result<(), UserError> {
        Ok(())
    }

    /// The job stops or has ended; called once for each task, after everything else. Not after a crash.
    fn close(&mut self) {}
}

/// A closure as a function without timers.
pub struct ForEachRecord<F>(pub F);

impl<K, T, O, F> ProcessFunction<K, T> for ForEachRecord<(F, std::marker::PhantomData<fn() -> O>)>
where
    O: Send,
    F: FnMut(&mut KeyedContext<'_, K>, &T, &mut Emitter<'_, O>) -> Result<(), UserError> + Send,
{
    type Out = O;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, K>,
        record: &T,
        out: &mut Emitter<'_, O>,
    ) -> Result<(), UserError> {
        (self.0.0)(context, record, out)
    }
}

/// See the module.
pub struct Process<T, S: KeyOf<T>, F> {
    states: KeyedStates<S::Key>,
    key: Arc<S>,
    function: F,
    /// Records that came behind the watermark. They are processed like others.
    late: u64,
    /// The latest time for which a timer was called because the watermark has reached it.
    reached: Timestamp,
    /// The timers that are still to be told of the end of the input, the last first.
    ending: Option<Vec<(Timestamp, S::Key)>>,
}

impl<T, S: KeyOf<T>, F> Process<T, S, F> {
    /// A process with the declared `states`; `key` tells a record's key.
    pub fn new(states: KeyedStates<S::Key>, key: Arc<S>, function: F) -> Self {
        Process { states, key, function, late: 0, reached: Timestamp::MIN, ending: None }
    }
}

impl<T, S, F> Process<T, S, F>
where
    S: KeyOf<T>,
    F: ProcessFunction<S::Key, T>,
{
    /// Calls what is due by the clock. A timer that the watermark has just reached sees what a record of its
    /// time would; one that was set behind the watermark what a record that comes now would.
    fn fire(
        &mut self,
        clock: Clock,
        is_reached: bool,
        moment: Moment,
        out: &mut Batch<F::Out>,
    ) -> Result<Emission> {
        while let Some(due) = self.states.timers.take(clock, moment, super::AT_ONCE) {
            for timer in due {
                let key = (KeyHash::of(&timer.key), &timer.key);
                let of = match clock {
                    Clock::Event if is_reached => {
                        // One that a timer sets for the past comes behind it, and sees what that sees.
                        self.reached = self.reached.max(timer.at);
                        Of::due(key, self.reached, moment)
                    }
                    Clock::Event => Of::at(key, timer.at, moment),
                    Clock::Processing => Of::now(key, moment),
                };
                let mut context = KeyedContext::new(&mut self.states, of, timer.at, moment);
                let mut emitter = Emitter { out, at: timer.at };
                let called = self.function.on_timer(&mut context, clock, &mut emitter);
                called.map_err(Error::of_user_code)?;
            }
            if out.items.len() >= super::AT_ONCE {
                return Ok(Emission::More);
            }
        }
        Ok(Emission::Complete)
    }
}

impl<T, S, F> Operator<T> for Process<T, S, F>
where
    T: Send + 'static,
    S: KeyOf<T>,
    F: ProcessFunction<S::Key, T>,
{
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
        for (number, (item, hash)) in batch.items.iter().zip(&batch.hashes).enumerate() {
            let (key, at) = (self.key.key(item), batch.time(number));
            self.late += u64::from(at != Timestamp::UNTIMED && at < moment.watermark);
            let of = Of::at((*hash, key.borrow()), at, moment);
            let mut context = KeyedContext::new(&mut self.states, of, at, moment);
            let called = self.function.on_record(&mut context, item, &mut Emitter { out, at });
            called.map_err(Error::of_user_code)?;
        }
        self.states.check()?;
        self.states.sweep(moment, batch.items.len());
        batch.clear();
        // What was set for the past does not wait for the watermark to move on once more.
        while self.fire(Clock::Event, false, moment, out)? == Emission::More {}
        Ok(())
    }

    fn on_watermark(&mut self, at: Moment, out: &mut Batch<F::Out>) -> Result<Emission> {
        self.fire(Clock::Event, true, at, out)
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.states.timers.next_processing()
    }

    fn on_timer(&mut self, at: Moment, out: &mut Batch<F::Out>) -> Result<Emission> {
        if self.fire(Clock::Processing, false, at, out)? == Emission::More {
            return Ok(Emission::More);
        }
        // As at a record: what was set for the past comes at once.
        self.fire(Clock::Event, false, at, out)
    }

    fn on_end(&mut self, moment: Moment, out: &mut Batch<F::Out>) -> Result<Emission> {
        let ending = self.ending.get_or_insert_with(|| self.states.timers.waiting());
        while let Some((at, key)) = ending.pop() {
            let key = (KeyHash::of(&key), &key);
            // Another call may have cleared it.
            if !self.states.timers.is_waiting(at, key.0, key.1) {
                continue;
            }
            let of = Of::now(key, moment);
            let mut context = KeyedContext::new(&mut self.states, of, at, moment);
            let called = self.function.on_end(&mut context, &mut Emitter { out, at });
            called.map_err(Error::of_user_code)?;
            if out.items.len() >= super::AT_ONCE {
                return Ok(Emission::More);
            }
        }
        if self.fire(Clock::Event, false, moment, out)? == Emission::More {
            return Ok(Emission::More);
        }
        self.ending = None;
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
