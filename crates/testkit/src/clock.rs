//! A clock that stands still until somebody moves it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use steadfast_core::machine::Now;
use steadfast_core::time::{Clock, Timestamp};

/// See the module.
#[derive(Debug, Default)]
pub struct SimulatedClock {
    nanos: AtomicU64,
}

impl SimulatedClock {
    /// Moves the clock on by `by`.
    pub fn advance(&self, by: Duration) {
        self.nanos.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Moves the clock on to `at`, if it is not there yet.
    pub fn advance_to(&self, at: Duration) {
        self.nanos.fetch_max(at.as_nanos() as u64, Ordering::Relaxed);
    }

    /// The time of a step.
    pub fn now(&self) -> Now {
        Now { monotonic: self.monotonic(), wall: self.wall() }
    }
}

impl Clock for SimulatedClock {
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + self.monotonic().as_millis() as i64)
    }
}
