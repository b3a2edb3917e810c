//! How long entries of a state count: when each was last written, and when it is over.
//!
//! What a record sees depends on its own time and on when the entry was written, and on nothing else; the
//! watermark only says when nobody can see an entry any more. It knows nothing of what the entries hold.

use std::time::Duration;

use steadfast_core::key::{Key, KeyHash, KeySpace};
use steadfast_core::state::StateTable;
use steadfast_core::time::{Moment, Timestamp};
use steadfast_state::{State, Table};

use super::super::timers::Clock;
use super::NO_EVENT_TIME;

/// For how long an entry counts after it was last written, and by which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeToLive {
    pub(super) keep: Duration,
    pub(super) clock: Clock,
}

/// The time of the record or timer at hand, and what the clocks show.
#[derive(Clone, Copy)]
pub(super) struct When {
    pub(super) at: Timestamp,
    pub(super) moment: Moment,
}

/// See the module.
pub(super) struct Lifetimes<E> {
    written: Table<E, Timestamp>,
    hash: fn(&E) -> KeyHash,
    time_to_live: TimeToLive,
}

impl<E: Key> Lifetimes<E> {
    pub(super) fn new(
        state: &str,
        (space, task): (KeySpace, u16),
        hash: fn(&E) -> KeyHash,
        time_to_live: TimeToLive,
    ) -> Self {
        let written = Table::with_hash(format!("{state}.written"), space, task, hash);
        Lifetimes { written, hash, time_to_live }
    }

    /// The time by which entries count: that of the record at hand. What comes late sees and leaves what a
    /// record at the watermark would.
    ///
    /// # Panics
    /// If that is event time, and the record has none.
    fn now(&self, When { at, moment }: When) -> Timestamp {
        match self.time_to_live.clock {
            Clock::Event => {
                assert!(at != Timestamp::UNTIMED, "{NO_EVENT_TIME}");
                at.max(moment.watermark)
            }
            Clock::Processing => moment.now,
        }
    }

    /// What was there before it had a time to live counts from now on.
    pub(super) fn adopt<V: State>(&mut self, table: &Table<E, V>, moment: Moment) {
        let when = When { at: moment.watermark, moment };
        let is_known = moment.watermark > Timestamp::MIN || self.time_to_live.clock != Clock::Event;
        if self.written.len() >= table.len() || !is_known {
            return;
        }
        for slot in (0..table.groups()).flat_map(|group| table.slots_in(group)) {
            let entry = table.entry(slot).0;
            let hash = (self.hash)(entry);
            if self.written.get(hash, entry).is_none() {
                self.write(hash, entry, when);
            }
        }
    }

    /// Notes that an entry was written.
    pub(super) fn write(&mut self, hash: KeyHash, entry: &E, when: When) {
        let now = self.now(when);
        let slot = self.written.slot(hash, entry, || now);
        if *self.written.entry(slot).1 < now {
            *self.written.value_mut(slot) = now;
        }
    }

    /// Whether an entry counts no more for the record at hand.
    pub(super) fn is_over(&self, hash: KeyHash, is_it: impl Fn(&E) -> bool, when: When) -> bool {
        let slot = self.written.find_where(hash, |entry, _| is_it(entry));
        let horizon = self.now(when).minus(self.time_to_live.keep);
        slot.is_some_and(|slot| *self.written.entry(slot).1 < horizon)
    }

    /// Forgets an entry that was removed.
    pub(super) fn forget(&mut self, hash: KeyHash, entry: &E) {
        self.written.remove(hash, entry);
    }

    /// Looks at some entries, and forgets and tells those that count for nobody any more.
    pub(super) fn sweep(&mut self, moment: Moment, budget: usize) -> Vec<E> {
        let now = match self.time_to_live.clock {
            Clock::Event => moment.watermark,
            Clock::Processing => moment.now,
        };
        let (horizon, mut over) = (now.minus(self.time_to_live.keep), Vec::new());
        self.written.sweep(budget, |entry, written| {
            let is_over = *written < horizon;
            if is_over {
                over.push(entry.clone());
            }
            is_over
        });
        over
    }

    pub(super) fn table(&mut self) -> &mut dyn StateTable {
        &mut self.written
    }
}
