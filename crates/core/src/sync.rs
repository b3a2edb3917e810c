//! Locks and atomics: those of the standard library, or, under `--cfg loom`, those with which every
//! interleaving of a few threads is gone through, and everything that the memory model allows them to
//! see (Norris and Demsky, *CDSChecker*, OOPSLA 2013; the crate `loom`).

#[cfg(loom)]
pub use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(loom))]
pub use std::sync::{Mutex, MutexGuard, atomic};

/// Where a thread sleeps until it is woken; a wake-up that came before ends the next sleep at once.
#[cfg(loom)]
#[derive(Default)]
pub struct Sleeper {
    has_come: Mutex<bool>,
    woken: loom::sync::Condvar,
}

#[cfg(loom)]
impl Sleeper {
    /// Sleeps until it is woken. Where nobody ever does, loom says so.
    pub fn sleep(&self) {
        let mut has_come = self.has_come.lock().unwrap();
        while !*has_come {
            has_come = self.woken.wait(has_come).unwrap();
        }
        *has_come = false;
    }
}

#[cfg(loom)]
impl std::task::Wake for Sleeper {
    fn wake(self: std::sync::Arc<Self>) {
        *self.has_come.lock().unwrap() = true;
        self.woken.notify_one();
    }
}
