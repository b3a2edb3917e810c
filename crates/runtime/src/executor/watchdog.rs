//! The watchdog: looks at machines that have slept for long, and counts what should have woken them.
//!
//! A machine that finds work though nobody has woken it shows a defect of the engine, which without the
//! watchdog would be a job that hangs. It hides nothing: each find is counted and told.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use steadfast_core::Result;
use steadfast_core::machine::{Now, Progress};

use super::scheduled::Scheduled;

/// See the module.
pub struct Watchdog {
    after: Duration,
    found: AtomicU64,
    last: Mutex<Option<String>>,
}

impl Default for Watchdog {
    fn default() -> Self {
        Watchdog::new(Duration::from_secs(10))
    }
}

impl Watchdog {
    /// Looks at machines that have slept for so long.
    pub(crate) fn new(after: Duration) -> Self {
        Watchdog { after, found: AtomicU64::new(0), last: Mutex::default() }
    }

    pub(super) fn after(&self) -> Duration {
        self.after
    }

    /// How often a machine was found that somebody should have woken.
    pub fn found(&self) -> u64 {
        self.found.load(Ordering::Relaxed)
    }

    /// Which machine that was, the last time.
    pub fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Steps a machine whose turn has not come.
    pub(super) fn look(&self, scheduled: &mut Scheduled, now: Now) -> Result<Progress> {
        let progress = scheduled.step(now)?;
        // What has rung meanwhile may be what has brought the work.
        if matches!(progress, Progress::Worked | Progress::Done) && !scheduled.alarm().has_rung() {
            self.found.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                name: "missed_wakeup",
                task = scheduled.name(),
                "a part of the engine slept on: a defect, please report it"
            );
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(scheduled.name().to_string());
        }
        Ok(progress)
    }
}
