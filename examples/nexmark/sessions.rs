//! Sessions: records of a key that follow each other without a longer pause.
//!
//! Records come in any order that the disorder allows: a session begins with any of its records, and two that
//! turn out to be one are joined. It is complete when the watermark has passed the pause behind its last one.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast::prelude::*;
use steadfast::{Clock, Emitter, KeyedContext, KeyedStates, ProcessFunction, ValueState};

use super::rows::BidderCount;

/// See the module.
pub struct Sessions {
    /// Most often there is one.
    open: ValueState<Vec<Session>>,
    pause: i64,
}

/// A session that may go on.
#[derive(Clone, Serialize, Deserialize)]
struct Session {
    first: i64,
    last: i64,
    count: u64,
}

impl Session {
    /// Whether a record of this time belongs to it.
    fn is_near(&self, at: i64, pause: i64) -> bool {
        at < self.last + pause && self.first < at + pause
    }

    fn join(&mut self, other: &Session) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count += other.count;
    }
}

impl Sessions {
    /// Sessions that end with a pause of this length.
    pub fn new(states: &mut KeyedStates<u64>, pause: Duration) -> Self {
        Sessions { open: states.value("open"), pause: pause.as_millis() as i64 }
    }

    /// Nothing that comes any more belongs to a session whose last record was at `last`.
    fn over(&self, last: i64) -> Timestamp {
        Timestamp(last + self.pause - 1)
    }

    /// Emits and forgets the sessions that are over at `at`, and says when the next one will be.
    fn emit(
        &self,
        context: &mut KeyedContext<'_, u64>,
        at: Timestamp,
        out: &mut Emitter<'_, BidderCount>,
    ) -> Option<Timestamp> {
        let bidder = *context.key();
        let sessions = context.value(self.open);
        sessions.retain(|session| {
            let is_open = self.over(session.last) > at;
            if !is_open {
                out.push(BidderCount {
                    bidder,
                    bid_count: session.count,
                    starttime: session.first,
                    endtime: session.last + self.pause,
                });
            }
            is_open
        });
        let next = sessions.iter().map(|session| self.over(session.last)).min();
        if next.is_none() {
            context.clear(self.open);
        }
        next
    }
}

impl ProcessFunction<u64, u64> for Sessions {
    type Out = BidderCount;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u64>,
        _bidder: &u64,
        _out: &mut Emitter<'_, BidderCount>,
    ) -> Result<(), UserError> {
        let (at, pause) = (context.time().0, self.pause);
        let mut session = Session { first: at, last: at, count: 1 };
        let sessions = context.value(self.open);
        if let [only] = &mut sessions[..]
            && only.is_near(at, pause)
        {
            only.join(&session);
            return Ok(());
        }
        let before = sessions.len();
        // Two that are both near turn out to be one.
        sessions.retain(|other| {
            let is_near = other.is_near(at, pause);
            if is_near {
                session.join(other);
            }
            !is_near
        });
        let is_new = sessions.len() == before;
        sessions.push(session);
        // A session that goes on keeps its timer, which finds out that it is not over yet: one call for each
        // pause is cheaper than a timer that is moved by each record.
        if is_new {
            context.set_timer(self.over(at));
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        context: &mut KeyedContext<'_, u64>,
        _clock: Clock,
        out: &mut Emitter<'_, BidderCount>,
    ) -> Result<(), UserError> {
        let at = context.time();
        if let Some(next) = self.emit(context, at, out) {
            context.set_timer(next);
        }
        Ok(())
    }

    fn on_end(
        &mut self,
        context: &mut KeyedContext<'_, u64>,
        out: &mut Emitter<'_, BidderCount>,
    ) -> Result<(), UserError> {
        let at = context.time();
        context.clear_timer(at);
        self.emit(context, Timestamp(i64::MAX), out);
        Ok(())
    }
}
