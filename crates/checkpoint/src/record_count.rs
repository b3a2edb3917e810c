//! How many records all sources have read, and whom to wake when that reaches a number.
//!
//! Sources count by the batch; the coordinator says at which number it wants to be woken. Nobody has to
//! look.

use std::task::Waker;

use steadfast_core::sync::atomic::{AtomicU64, Ordering};

#[cfg(all(test, loom))]
mod interleavings;

/// See the module.
#[derive(Debug)]
pub struct RecordCount {
    read: AtomicU64,
    wake_at: AtomicU64,
    waker: Waker,
}

/// No number of records is as large as this.
const NEVER: u64 = u64::MAX;

impl RecordCount {
    /// Nothing has been read, and nobody wants to be woken; once somebody does, it is by `waker`.
    pub fn new(waker: Waker) -> Self {
        RecordCount { read: AtomicU64::new(0), wake_at: AtomicU64::new(NEVER), waker }
    }

    /// Notes that so many more have been read. Says how many there were before.
    pub fn add(&self, records: u64) -> u64 {
        // Either this sees the number at which to wake, or whoever has set that sees what was added here.
        let before = self.read.fetch_add(records, Ordering::SeqCst);
        let wake_at = self.wake_at.load(Ordering::SeqCst);
        if before.saturating_add(records) >= wake_at {
            // Once is enough.
            let _ =
                self.wake_at.compare_exchange(wake_at, NEVER, Ordering::SeqCst, Ordering::SeqCst);
            self.waker.wake_by_ref();
        }
        before
    }

    /// How many have been read.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::SeqCst)
    }

    /// Asks to be woken when so many have been read; none: not at all. True if they have been already.
    pub(crate) fn wake_at(&self, records: Option<u64>) -> bool {
        self.wake_at.store(records.unwrap_or(NEVER), Ordering::SeqCst);
        // Adding nothing gives this a place among all that is added: what comes after it sees the number
        // at which to wake, what came before it is in what it reads.
        let read = self.read.fetch_add(0, Ordering::SeqCst);
        records.is_some_and(|records| read >= records)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicU64);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn it_wakes_once_when_the_number_is_reached() {
        let woken = Arc::new(Counting::default());
        let count = RecordCount::new(Waker::from(Arc::clone(&woken)));
        count.add(100);
        assert!(!count.wake_at(Some(150)));
        count.add(49);
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        count.add(1);
        count.add(1);
        assert_eq!((woken.0.load(Ordering::SeqCst), count.read()), (1, 151));
        assert!(count.wake_at(Some(151)), "it need not wait");
        assert!(!count.wake_at(None));
    }

    /// Whoever asks while others count is woken, or is told that it need not wait.
    #[test]
    fn nobody_is_missed_who_asks_while_others_count() {
        for _ in 0..2_000 {
            let woken = Arc::new(Counting::default());
            let count = RecordCount::new(Waker::from(Arc::clone(&woken)));
            let is_there = std::thread::scope(|scope| {
                scope.spawn(|| count.add(1));
                count.wake_at(Some(1))
            });
            assert!(is_there || woken.0.load(Ordering::SeqCst) == 1);
        }
    }
}
