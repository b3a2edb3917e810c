//! A job whose state belongs to no key: it shows at the end what its tasks have.

use steadfast::{
    BroadcastState, Emit, Emitter, OperatorChain, Shared, SplitState, Stream, UnkeyedContext,
    UnkeyedFunction,
};
use steadfast_core::{Result, UserError};

use crate::input::Event;
use crate::oracle::row_of;
use crate::table::WriteMode;

use super::Environment;

/// Counts the events of each key in every task, and keeps the events themselves in one.
pub(super) fn ends(events: &Shared<Event>, around: &Environment) {
    let copies = events.stream().broadcast().named("copies").process_with(|states| {
        let (task, tasks) = (u32::from(states.task()), u32::from(states.tasks()));
        Copies { counts: states.broadcast("counts"), task, tasks }
    });
    let kept = events.stream().rebalance().named("kept");
    let kept =
        kept.process_with(|states| Kept { odd: states.split("odd"), even: states.split("even") });
    ended(kept.union(copies), around);
}

fn ended(rows: Stream<impl OperatorChain<Out = Row>>, around: &Environment) {
    rows.key_by_ref(|row| &row.0)
        .named("end")
        .fold(Emit::Final, || 0_u64, |count, row| *count += row.1)
        .sink("ends", around.sink(WriteMode::Append));
}

type Row = (u64, u64);

struct Kept {
    odd: SplitState<u64>,
    even: SplitState<u64>,
}

impl UnkeyedFunction<Event> for Kept {
    type Out = Row;

    fn on_record(
        &mut self,
        context: &mut UnkeyedContext<'_>,
        event: Event,
        _out: &mut Emitter<'_, Row>,
    ) -> Result<(), UserError> {
        let of = if event.seq.is_multiple_of(2) { self.even } else { self.odd };
        let mut events = context.split(of);
        events.push(event.seq);
        // The first is looked at again, and goes behind the others.
        if event.amount % 3 == 0
            && let Some(first) = events.pop_first()
        {
            events.push(first);
        }
        Ok(())
    }

    fn on_end(
        &mut self,
        context: &mut UnkeyedContext<'_>,
        out: &mut Emitter<'_, Row>,
    ) -> Result<(), UserError> {
        out.extend(context.split(self.odd).iter().map(|seq| (*seq, 1)));
        out.extend(context.split(self.even).iter().map(|seq| (*seq, 1)));
        Ok(())
    }
}

/// Each task has the counts of all keys, and shows its share of them.
struct Copies {
    counts: BroadcastState<u32, u64>,
    task: u32,
    tasks: u32,
}

impl UnkeyedFunction<Event> for Copies {
    type Out = Row;

    fn on_record(
        &mut self,
        context: &mut UnkeyedContext<'_>,
        event: Event,
        _out: &mut Emitter<'_, Row>,
    ) -> Result<(), UserError> {
        let mut counts = context.broadcast(self.counts);
        let count = counts.get(&event.key).copied().unwrap_or(0);
        counts.insert(event.key, count + 1);
        Ok(())
    }

    fn on_end(
        &mut self,
        context: &mut UnkeyedContext<'_>,
        out: &mut Emitter<'_, Row>,
    ) -> Result<(), UserError> {
        let counts = context.broadcast(self.counts);
        let share = counts.iter().filter(|(key, _)| **key % self.tasks == self.task);
        out.extend(share.map(|(key, count)| (row_of(*key), *count)));
        Ok(())
    }
}
