//! A budget of bytes: what may be kept in memory on its way to somewhere else.
//!
//! It refuses nothing: what is there is there. Whoever makes more asks first whether there is room,
//! and is woken when there is again. It knows nothing of what the bytes are.

use std::sync::{Arc, PoisonError};
use std::task::Waker;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::wakers::Wakers;

#[cfg(all(test, loom))]
mod interleavings;

/// See the module.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    waiting: Mutex<Wakers>,
}

/// Bytes that are kept; dropped, they are not kept any more.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Self {
        Budget { limit, used: AtomicUsize::new(0), waiting: Mutex::default() }
    }

    /// Notes that `bytes` more are kept.
    #[must_use]
    pub fn reserve(self: &Arc<Self>, bytes: usize) -> Reservation {
        self.used.fetch_add(bytes, Ordering::AcqRel);
        Reservation { budget: Arc::clone(self), bytes }
    }

    /// How many bytes are kept.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    /// Whether more may be made. If not, `waker` is woken as soon as that has changed.
    pub fn has_room(&self, waker: &Waker) -> bool {
        if self.used() <= self.limit {
            return true;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.add(waker);
        drop(waiting);
        // What was given back before the waker was there has woken nobody.
        self.used() <= self.limit
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let before = self.budget.used.fetch_sub(self.bytes, Ordering::AcqRel);
        let (limit, after) = (self.budget.limit, before - self.bytes);
        if before > limit && after <= limit {
            let mut waiting = self.budget.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.wake_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_waits_is_woken_once_when_there_is_room_again() {
        let (budget, woken) = (Arc::new(Budget::new(10)), Arc::new(Counting::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let first = budget.reserve(10);
        assert!(budget.has_room(&waker), "what fills it exactly may be there");
        let (second, third) = (budget.reserve(5), budget.reserve(5));
        assert!(!budget.has_room(&waker) && !budget.has_room(&waker));
        drop(second);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0, "5 too many are still kept");
        drop(third);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        drop(first);
        assert_eq!((woken.0.load(Ordering::Relaxed), budget.used()), (1, 0));
    }
}
