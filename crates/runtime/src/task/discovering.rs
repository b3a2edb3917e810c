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
    /// The time when it was last asked.
    last: Timestamp,
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
        let (next, last) = (NextLook::WhenWoken, Timestamp::MIN);
        Ok(discovery.map(|discovery| Discovering { discovery, woken, next, last }))
    }

    /// New splits, if it is time to look.
    pub(super) fn look(&mut self, now: Timestamp) -> Result<Vec<S>> {
        // Of a clock that was set back nobody knows when the time will come.
        let is_time = matches!(self.next, NextLook::At(at) if at <= now || now < self.last);
        self.last = now;
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

#[cfg(test)]
mod tests {
    use steadfast_core::source::Discovered;

    use super::*;

    /// Finds how often it was asked.
    struct Counting(u64);

    impl SplitDiscovery<u64> for Counting {
        fn poll(&mut self, now: Timestamp) -> Result<Discovered<u64>> {
            self.0 += 1;
            Ok(Discovered { splits: vec![self.0], next: NextLook::At(Timestamp(now.0 + 1_000)) })
        }
    }

    #[test]
    fn a_clock_that_is_set_back_delays_no_look() {
        let is_due = AtomicBool::new(true);
        let woken = Arc::new(Woken { is_due, task: Waker::noop().clone() });
        let (next, last) = (NextLook::WhenWoken, Timestamp::MIN);
        let mut discovering = Discovering { discovery: Box::new(Counting(0)), woken, next, last };
        let mut look = |now| discovering.look(Timestamp(now)).unwrap();
        assert_eq!(look(3_600_000), [1]);
        assert!(look(3_600_999).is_empty());
        assert_eq!(look(3_601_000), [2]);
        assert_eq!(look(1_000), [3]);
        assert!(look(1_999).is_empty());
        assert_eq!(look(2_000), [4]);
    }
}
