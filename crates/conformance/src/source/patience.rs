//! How long a suite polls readers before it says that they will never end.
//!
//! It knows nothing of what they read.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use steadfast_core::source::Polled;

use crate::rule::Rule;

/// A reader that says *more* so often without a record never ends.
const EMPTY_POLLS: usize = 100_000;
/// Nor does one that hands over more than this: a fixture has a few dozen records.
const MOST_RECORDS: usize = 100_000;
/// A reader that waits for longer than this has forgotten to wake whoever polls it.
const WAKES_WITHIN: Duration = Duration::from_secs(5);

const ENDS: Rule = Rule("a reader moves on with each record, and comes to the end of its split");
const WAKES: Rule = Rule("a reader that is idle wakes its task when there is more, or its end");

/// What is known of the polls of a few readers.
#[derive(Default)]
pub(super) struct Patience {
    wakes: Arc<Wakes>,
    records: usize,
    empty: usize,
    idle: usize,
}

impl Patience {
    /// What readers are opened with.
    pub(super) fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.wakes))
    }

    /// Notes that one of so many `readers` has answered, after so many `records`. Waits if all of them do.
    ///
    /// # Panics
    /// If they will never end, with the rule.
    #[track_caller]
    pub(super) fn polled(&mut self, answer: &Polled, records: usize, readers: usize) {
        self.records += records;
        ENDS.holds(self.records <= MOST_RECORDS, &("so many records and no end", self.records));
        if records > 0 {
            (self.empty, self.idle) = (0, 0);
            return;
        }
        self.empty += 1;
        ENDS.holds(self.empty < EMPTY_POLLS, &"a reader that only polls");
        match answer {
            Polled::Idle(None) => self.idle += 1,
            _ => self.idle = 0,
        }
        if self.idle >= readers {
            WAKES.holds(self.wakes.wait(), &"Idle(None), and nobody was woken");
            self.idle = 0;
        }
    }
}

/// Whether a reader has woken somebody since the last wait.
#[derive(Default)]
struct Wakes {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wakes {
    fn wait(&self) -> bool {
        let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(woken, WAKES_WITHIN, |woken| !*woken);
        let (mut woken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *woken)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}
