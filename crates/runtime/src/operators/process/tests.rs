//! When a timer is due, and that it still is after a restart.

use std::time::Duration;

use steadfast_core::key::KeySpace;
use steadfast_core::key_of::Borrowed;

use super::super::driven::Driven;
use super::super::keyed_state::ValueState;
use super::*;

/// A key, and the time of the timer that it asks for; a negative one is taken back.
type Record = (u32, i64);

/// Says which timers are due, and which are waiting at the end.
struct Alarms;

impl ProcessFunction<u32, Record> for Alarms {
    type Out = (&'static str, i64);

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        record: &Record,
        _out: &mut Emitter<'_, Self::Out>,
    ) -> Result<(), UserError> {
        match record.1 {
            at @ 0.. => context.set_timer(Timestamp(at)),
            at => context.clear_timer(Timestamp(-at)),
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        _clock: Clock,
        out: &mut Emitter<'_, Self::Out>,
    ) -> Result<(), UserError> {
        out.push(("due", context.time().0));
        Ok(())
    }

    fn on_end(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        out: &mut Emitter<'_, Self::Out>,
    ) -> Result<(), UserError> {
        out.push(("waiting", context.time().0));
        Ok(())
    }
}

type Subject = Process<Record, Borrowed<u32, fn(&Record) -> &u32>, Alarms>;

fn alarms() -> Driven<Record, Subject> {
    let make = || {
        let states = KeyedStates::new("p", KeySpace { groups: 8, tasks: 1 }, 0);
        let key = Arc::new(Borrowed::new((|record| &record.0) as fn(&Record) -> &u32));
        Process::new(states, key, Alarms)
    };
    Driven::new(make, |record| KeyHash::of(&record.0))
}

fn due(at: i64) -> ((&'static str, i64), i64) {
    (("due", at), at)
}

#[test]
fn a_timer_is_due_when_no_record_of_its_time_can_come_any_more() {
    let mut alarms = alarms();
    assert_eq!(alarms.batch([((1, 10), 0), ((1, 11), 0), ((2, 10), 0)]), []);
    assert_eq!(alarms.watermark(10), [], "a record of that time may still come");
    assert_eq!(alarms.watermark(11), [due(10), due(10)]);
    assert_eq!(alarms.watermark(12), [due(11)]);
    assert_eq!(alarms.end(), []);
}

#[test]
fn a_timer_that_was_taken_back_is_never_due() {
    let mut alarms = alarms();
    alarms.batch([((1, 10), 0), ((2, 10), 0), ((1, 20), 0)]);
    alarms.batch([((1, -10), 1), ((3, -10), 1)]);
    assert_eq!(alarms.watermark(15), [due(10)]);
    assert_eq!(alarms.end(), [(("waiting", 20), 20)]);
}

#[test]
fn timers_that_waited_at_a_restart_are_due_in_the_order_of_their_times() {
    let mut alarms = alarms();
    alarms.batch([((1, 30), 0), ((2, 10), 0), ((1, 20), 0)]);
    alarms.barrier();
    alarms.batch([((3, 5), 0)]);
    alarms.restart();
    assert_eq!(alarms.watermark(21), [due(10), due(20)], "what came after the barrier is gone");
    assert_eq!(alarms.end(), [(("waiting", 30), 30)]);
    assert_eq!(alarms.watermark(31), [due(30)]);
}

type Expiring<F> = Process<Record, Borrowed<u32, fn(&Record) -> &u32>, F>;

/// A process with a value for each key that counts for twenty milliseconds.
fn with_expiring_value<F>(function: fn(ValueState<u32>) -> F) -> Driven<Record, Expiring<F>>
where
    F: ProcessFunction<u32, Record> + 'static,
{
    let make = move || {
        let mut states = KeyedStates::new("p", KeySpace { groups: 8, tasks: 1 }, 0);
        let value = states.expiring(Duration::from_millis(20), Clock::Event).value("v");
        let key = Arc::new(Borrowed::new((|record| &record.0) as fn(&Record) -> &u32));
        Process::new(states, key, function(value))
    };
    Driven::new(make, |record| KeyHash::of(&record.0))
}

/// Writes at record 60; at record 100 asks for a timer at 70, which is past.
struct Past(ValueState<u32>);

impl ProcessFunction<u32, Record> for Past {
    type Out = bool;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        record: &Record,
        _out: &mut Emitter<'_, bool>,
    ) -> Result<(), UserError> {
        match record.1 {
            60 => context.set(self.0, 7),
            _ => context.set_timer(Timestamp(70)),
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        _clock: Clock,
        out: &mut Emitter<'_, bool>,
    ) -> Result<(), UserError> {
        out.push(context.get(self.0).is_some());
        Ok(())
    }
}

/// It used to see what had not been swept yet.
#[test]
fn what_a_timer_for_the_past_sees_of_state_that_expires_does_not_depend_on_batches() {
    for batches_of in [1, 5, 40] {
        let mut past = with_expiring_value(Past);
        past.batch((0..40).map(|key| ((key, 60), 60)));
        past.watermark(90);
        let records: Vec<_> = (0..40).map(|key| ((key, 100), 100)).collect();
        let seen = records.chunks(batches_of).flat_map(|batch| past.batch(batch.to_vec()));
        let seen = seen.filter(|(sees, _)| *sees).count();
        assert_eq!(seen, 0, "in batches of {batches_of}");
    }
}

/// At 95 it asks for a timer at 70, which is past.
struct Chain(ValueState<u32>);

impl ProcessFunction<u32, Record> for Chain {
    type Out = bool;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        record: &Record,
        _out: &mut Emitter<'_, bool>,
    ) -> Result<(), UserError> {
        if record.1 == 60 {
            context.set(self.0, 7);
            context.set_timer(Timestamp(95));
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        _clock: Clock,
        out: &mut Emitter<'_, bool>,
    ) -> Result<(), UserError> {
        match context.time().0 {
            95 => context.set_timer(Timestamp(70)),
            _ => out.push(context.get(self.0).is_some()),
        }
        Ok(())
    }
}

/// It used to see what had not been swept yet: the more records had come, the less.
#[test]
fn what_a_timer_sees_that_a_timer_has_set_for_the_past_does_not_depend_on_sweeping() {
    for others in [0, 1, 1000] {
        let mut chain = with_expiring_value(Chain);
        chain.batch((0..40).map(|key| ((key, 60), 60)));
        chain.watermark(90);
        chain.batch((0..others).map(|key| ((1000 + key, 99), 99)));
        let seen = chain.watermark(100).into_iter().filter(|(sees, _)| *sees).count();
        assert_eq!(seen, 0, "after {others} others");
    }
}
