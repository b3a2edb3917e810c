//! The contract between what does the work and what drives it.
//!
//! A machine does a bounded piece of work in each step and never sleeps; time is handed in. The
//! same machines run under threads in production and under a seeded scheduler in simulations.

use std::time::Duration;

use crate::error::Result;
use crate::time::Timestamp;

/// Something that works step by step: a task, or a service beside the tasks.
pub trait Machine: Send {
    /// Its name, for errors and traces.
    fn name(&self) -> &str;

    /// Does a bounded piece of work.
    ///
    /// # Errors
    /// An error ends the attempt to run the job; the machine is not stepped again.
    fn step(&mut self, now: Now) -> Result<Progress>;
}

/// The time at which a step is taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Never goes back.
    pub monotonic: Duration,
    /// The time of day.
    pub wall: Timestamp,
}

impl Now {
    /// The monotonic time at which it will be `at` by the time of day.
    pub fn until(self, at: Timestamp) -> Duration {
        let wait = at.0.saturating_sub(self.wall.0).max(0) as u64;
        self.monotonic.saturating_add(Duration::from_millis(wait))
    }
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There may be more to do right now.
    Worked,
    /// Nothing to do before something arrives, or before the given time.
    Idle(Option<Duration>),
    /// There is work, but no room for its result.
    Blocked,
    /// Nothing will ever be left to do.
    Done,
}
