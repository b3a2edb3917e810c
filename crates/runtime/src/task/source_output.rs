//! What a task gives a reader to put its records into: the operators behind the source.
//!
//! It notes the times of records as they pass. It knows nothing of splits or barriers.

use steadfast_core::Result;
use steadfast_core::source::{BadRecord, SourceOutput};
use steadfast_core::time::Timestamp;

use super::bad_input::BadInputs;
use crate::collector::Collector;
use crate::event_time::{EventTime, Front};
use crate::user_code::OperatorLabel;

/// Takes what a reader hands over in one poll.
pub(super) struct TaskSourceOutput<'a, E, C> {
    /// Says that it is the function of the event time that runs.
    pub(super) timing: &'a OperatorLabel,
    pub(super) event_time: &'a E,
    pub(super) front: &'a mut Front,
    /// The time of the latest record of the split.
    pub(super) latest: &'a mut Timestamp,
    pub(super) next: &'a mut C,
    pub(super) bad: &'a mut BadInputs,
    pub(super) polled: PolledAmounts,
}

/// How much one poll has brought.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PolledAmounts {
    pub(super) records: u64,
    /// In the unit of the source.
    pub(super) advanced: u64,
    /// In bytes.
    pub(super) weight: usize,
}

impl<T, E: EventTime<T>, C: Collector<T>> SourceOutput<T> for TaskSourceOutput<'_, E, C> {
    #[inline]
    fn push(&mut self, item: T) -> Result<()> {
        self.polled.records += 1;
        let at = self.timing.calls(|| self.event_time.at(&item));
        if E::IS_TIMED {
            self.front.observe(self.latest, at);
        }
        self.next.push(item, at)
    }

    fn reject(&mut self, bad: BadRecord) -> Result<()> {
        if self.polled.records > 0 {
            self.bad.has_good();
        }
        self.bad.reject(bad)
    }

    fn advance(&mut self, amount: u64) {
        self.polled.advanced += amount;
    }

    fn weigh(&mut self, bytes: usize) {
        self.polled.weight += bytes;
    }
}
