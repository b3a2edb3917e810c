//! An alarm: how whoever has something for a machine tells what drives it.
//!
//! A machine that has said that it is idle or blocked is stepped again when its alarm has rung, or when
//! the time has come that it named, and not before: under threads as in a simulation. So a
//! missing wake-up shows in both.

use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};

use steadfast_core::sync::atomic::{AtomicBool, Ordering};

#[cfg(all(test, loom))]
mod interleavings;

/// See the module. It may ring before anything drives its machine.
#[derive(Default)]
pub(crate) struct Alarm {
    rung: AtomicBool,
    /// Of the thread that drives the machine, if a thread does.
    thread: OnceLock<Waker>,
}

impl Alarm {
    /// Rings it.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Whether it has rung since it was last cleared.
    pub(super) fn has_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// Before the machine looks at what there is: what comes from now on rings again.
    pub(super) fn clear(&self) {
        self.rung.swap(false, Ordering::AcqRel);
    }

    /// From now on `thread` drives the machine.
    pub(super) fn wakes(&self, thread: &Waker) {
        // A machine is driven by one thread for ever.
        let _ = self.thread.set(thread.clone());
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Whoever has rung it before has woken the thread, or is about to.
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Some(thread) = self.thread.get()
        {
            thread.wake_by_ref();
        }
    }
}
