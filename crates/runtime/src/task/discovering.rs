//! Looking for splits while the job runs: when it is due, and who wakes whom.
//!
//! One task of a source does it, between two polls. It knows nothing of what becomes of what is found.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use steadfast_core::Result;
use steadfast_core::source::{NextLook, Source, SplitDiscovery};
use steadfast_core::time::Timestamp;

/// See the module.
pub(super) struct Discovering<S> {
    discovery: Box<dyn SplitDiscovery<S>>,
    woken: Arc<Woken>,
    next: NextLook,
}

/// Remembers that the discovery was woken, and wakes the task.
struct Woken {
    is_due: AtomicBool,
    task: Waker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_due.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl<S> Discovering<S> {
    /// The discovery of `source`, if it has one; it looks at the first step of the task that `waker` wakes.
    pub(super) fn of(source: &impl Source<Split = S>, waker: &Waker) -> Result<Option<Self>> {
        let woken = Arc::new(Woken { is_due: AtomicBool::new(true), task: waker.clone() });
        let discovery = source.discovery(&Waker::from(Arc::clone(&woken)))?;
        Ok(discovery.map(|discovery| Discovering { discovery, woken, next: NextLook::WhenWoken }))
    }

    /// New splits, if it is time to look.
    pub(super) fn look(&mut self, now: Timestamp) -> Result<Vec<S>> {
        let is_time = matches!(self.next, NextLook::At(at) if at <= now);
        // Taken back before looking: what happens meanwhile is looked at next time.
        if self.is_over() || !(self.woken.is_due.swap(false, Ordering::AcqRel) || is_time) {
            return Ok(Vec::new());
        }
        let found = self.discovery.poll(now)?;
        self.next = found.next;
        Ok(found.splits)
    }

    /// When it is to look even if nobody wakes it.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        match self.next {
            NextLook::At(at) => Some(at),
            NextLook::WhenWoken | NextLook::Never => None,
        }
    }

    /// Whether there will never be more.
    pub(super) fn is_over(&self) -> bool {
        self.next == NextLook::Never
    }
}
