//! Sessions: records of a key that follow each other without a longer pause.
//!
//! Records come in any order that the disorder allows: a session begins with any of its records, and two that
//! turn out to be one are joined. It is complete when the watermark has passed the pause behind its last one.

use std::time::Duration;

use steadfast::prelude::*;
use steadfast::{Clock, Emitter, KeyedContext, KeyedStates, MapState, ProcessFunction};

use super::event::Bid;
use super::rows::BidderCount;

/// See the module.
pub struct Sessions {
    /// By the time of its first record: the time of its last one, and how many there are.
    open: MapState<i64, (i64, u64)>,
    pause: i64,
}

impl Sessions {
    /// Sessions that end with a pause of this length.
    pub fn new(states: &mut KeyedStates<u64>, pause: Duration) -> Self {
        Sessions { open: states.map("open"), pause: pause.as_millis() as i64 }
    }

    /// Nothing that comes any more belongs to a session whose last record was at `last`.
    fn over(&self, last: i64) -> Timestamp {
        Timestamp(last + self.pause - 1)
    }

    /// Emits and forgets the session that is over at `at`, if there is one still.
    fn emit(
        &self,
        context: &mut KeyedContext<'_, u64>,
        at: Timestamp,
        out: &mut Emitter<'_, BidderCount>,
    ) {
        let bidder = *context.key();
        let mut sessions = context.map(self.open);
        let is_over = |session: &(&i64, &(i64, u64))| self.over(session.1.0) == at;
        let found = sessions.iter().find(is_over).map(|(first, session)| (*first, *session));
        if let Some((first, (last, bid_count))) = found {
            sessions.remove(&first);
            out.push(BidderCount {
                bidder,
                bid_count,
                starttime: first,
                endtime: last + self.pause,
            });
        }
    }
}

impl ProcessFunction<u64, Bid> for Sessions {
    type Out = BidderCount;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u64>,
        bid: &Bid,
        _out: &mut Emitter<'_, BidderCount>,
    ) -> Result<()> {
        let (mut first, mut last, mut count) = (bid.date_time, bid.date_time, 1);
        let pause = self.pause;
        // What is so near that both are one session.
        let near: Vec<i64> = context
            .map(self.open)
            .iter()
            .filter(|(begin, (end, _))| last < *end + pause && **begin < last + pause)
            .map(|(begin, _)| *begin)
            .collect();
        for begin in near {
            if let Some((end, more)) = context.map(self.open).remove(&begin) {
                context.clear_timer(self.over(end));
                (first, last, count) = (first.min(begin), last.max(end), count + more);
            }
        }
        context.map(self.open).insert(first, (last, count));
        context.set_timer(self.over(last));
        Ok(())
    }

    fn on_timer(
        &mut self,
        context: &mut KeyedContext<'_, u64>,
        _clock: Clock,
        out: &mut Emitter<'_, BidderCount>,
    ) -> Result<()> {
        self.emit(context, context.time(), out);
        Ok(())
    }

    fn on_end(
        &mut self,
        context: &mut KeyedContext<'_, u64>,
        out: &mut Emitter<'_, BidderCount>,
    ) -> Result<()> {
        let at = context.time();
        context.clear_timer(at);
        self.emit(context, at, out);
        Ok(())
    }
}
