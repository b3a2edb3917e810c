//! Jobs that work with event time: what they show must not depend on how they are run.

use std::time::Duration;

use steadfast::time::Timestamp;
use steadfast::{
    Clock, Emitter, Job, KeyedContext, OperatorChain, Passed, ProcessFunction, Sided, Stream,
    ValueState, Windows,
};
use steadfast_core::{Result, UserError};

use crate::input::{Event, LATENESS, STEP, Summary, WINDOW};
use crate::oracle::{PAUSES, WINDOWS, id};
use crate::table::WriteMode;

use super::Environment;
use super::replay::Replay;

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis as u64)
}

/// Events in event time, declared to be so far out of order.
pub(super) fn source(
    job: &Job,
    name: &str,
    replay: Replay,
    disorder: i64,
) -> Stream<impl OperatorChain<Out = Event>> {
    let observer = replay.observer.clone();
    job.source(name, replay)
        .event_time(millis(disorder), |event| Timestamp(event.happened))
        .inspect(move |_| observer.count("time: an event with a time"))
}

fn late(around: &Environment) -> impl FnOnce(Stream<Passed<Event>>) + 'static {
    let sink = around.sink(WriteMode::Append);
    move |late| late.map(|event| event.seq).sink("late", sink)
}

/// Counts events by key and window.
pub(super) fn windows(events: Stream<impl OperatorChain<Out = Event>>, around: &Environment) {
    events
        .key_by(|event| event.key)
        .named(WINDOWS)
        .window(Windows::tumbling(millis(WINDOW)))
        .late(late(around))
        .count()
        .map(|row| (id(row.key, row.window.start.0), row.value))
        .sink("timed", around.sink(WriteMode::Append));
}

/// Gathers events by key and overlapping windows, and those that are too late for all of them.
pub(super) fn late_windows(events: Stream<impl OperatorChain<Out = Event>>, around: &Environment) {
    events
        .key_by(|event| event.key)
        .named(WINDOWS)
        .window(Windows::sliding(millis(WINDOW), millis(STEP)))
        .allowed_lateness(millis(LATENESS))
        .late(late(around))
        .fold(Summary::default, |summary, event| summary.add(event))
        .map(|row| (id(row.key, row.window.start.0), row.value))
        .sink("timed", around.sink(WriteMode::Upsert));
}

/// Finds the events after which their key is silent for a while.
pub(super) fn pauses(events: Stream<impl OperatorChain<Out = Event>>, around: &Environment) {
    events
        .key_by_ref(|event| &event.key)
        .named("in order")
        .in_time_order(|event| event.seq)
        .side(late(around))
        .key_by_ref(|event| &event.key)
        .named(PAUSES)
        .process_with(|states| Pauses { last: states.value("last"), open: states.value("open") })
        .map(|row| match row {
            Sided::Main(at) => at,
            Sided::Side(wrong) => wrong,
        })
        .sink("timed", around.sink(WriteMode::Append));
}

/// See [`pauses`]. What comes out of order makes a row that is never due.
struct Pauses {
    last: ValueState<i64>,
    open: ValueState<bool>,
}

type Row = (u64, u64);

impl ProcessFunction<u32, Event> for Pauses {
    type Out = Sided<Row, Row>;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        event: &Event,
        out: &mut Emitter<'_, Sided<Row, Row>>,
    ) -> Result<(), UserError> {
        let at = event.happened;
        let last = context.get(self.last).copied();
        if last.is_some_and(|last| at < last) || context.time() != Timestamp(at) {
            out.push(Sided::Side((id(event.key, at), 0)));
        }
        if let Some(last) = last.filter(|last| at <= last + WINDOW) {
            context.clear_timer(Timestamp(last + WINDOW));
        }
        let (newest, open) = context.both(self.last, self.open);
        (*newest, *open) = (at, true);
        context.set_timer(Timestamp(at + WINDOW));
        Ok(())
    }

    fn on_timer(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        _clock: Clock,
        out: &mut Emitter<'_, Sided<Row, Row>>,
    ) -> Result<(), UserError> {
        out.push(Sided::Main((id(*context.key(), context.time().0 - WINDOW), 1)));
        Ok(())
    }

    fn on_end(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        out: &mut Emitter<'_, Sided<Row, Row>>,
    ) -> Result<(), UserError> {
        let at = context.time();
        context.clear_timer(at);
        out.push(Sided::Main((id(*context.key(), at.0 - WINDOW), 1)));
        Ok(())
    }
}
