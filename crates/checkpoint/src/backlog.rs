//! Output that is staged and that its target does not hold yet, of all epochs.
//!
//! A target that is away costs time, not a store that grows without end: over the limit, whoever reads a
//! source waits. But only while an epoch that has ended is among them, because nothing else makes room
//! again: an epoch alone may be as large as it likes. Operators are not held, or no barrier could pass.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use steadfast_core::id::CheckpointId;
use steadfast_core::wakers::Wakers;

/// See the module.
#[derive(Debug)]
pub struct Backlog {
    limit: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    bytes: BTreeMap<CheckpointId, u64>,
    /// The newest epoch of which a task has come to the end.
    ended: CheckpointId,
    waiting: Wakers,
}

impl Backlog {
    /// Nothing is staged; sources wait when it is more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Backlog { limit: limit as u64, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many bytes more are staged for a checkpoint.
    pub(crate) fn staged(&self, checkpoint: CheckpointId, bytes: usize) {
        *self.inner().bytes.entry(checkpoint).or_default() += bytes as u64;
    }

    /// A task has come to the end of the epoch of a checkpoint.
    pub(crate) fn ended(&self, checkpoint: CheckpointId) {
        let inner = &mut *self.inner();
        inner.ended = inner.ended.max(checkpoint);
    }

    /// The targets hold the output of a checkpoint.
    pub(crate) fn applied(&self, checkpoint: CheckpointId) {
        let inner = &mut *self.inner();
        inner.bytes.retain(|staged, _| *staged > checkpoint);
        inner.waiting.wake_all();
    }

    /// Whether a source may be read. If not, `waker` is woken when targets have taken something.
    pub fn has_room(&self, waker: &Waker) -> bool {
        let inner = &mut *self.inner();
        let oldest = inner.bytes.first_key_value();
        let waits_for_targets = oldest.is_some_and(|(oldest, _)| *oldest <= inner.ended);
        if !waits_for_targets || inner.bytes.values().sum::<u64>() <= self.limit {
            return true;
        }
        inner.waiting.add(waker);
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
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
    fn sources_wait_for_targets_and_never_for_the_epoch_that_they_feed() {
        let (backlog, woken) = (Backlog::new(10), Arc::new(Counting::default()));
        let waker = Waker::from(Arc::clone(&woken));
        backlog.staged(CheckpointId(2), 1000);
        assert!(backlog.has_room(&waker), "an epoch alone has no bound: only its end makes room");
        backlog.ended(CheckpointId(2));
        assert!(!backlog.has_room(&waker) && !backlog.has_room(&waker));
        backlog.staged(CheckpointId(3), 11);
        backlog.applied(CheckpointId(2));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(backlog.has_room(&waker), "what is left is of an open epoch");
        backlog.ended(CheckpointId(3));
        assert!(!backlog.has_room(&waker));
        backlog.applied(CheckpointId(3));
        assert!(backlog.has_room(&waker));
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn as_much_as_the_limit_holds_nobody_back() {
        let backlog = Backlog::new(10);
        backlog.staged(CheckpointId(2), 4);
        backlog.ended(CheckpointId(2));
        backlog.staged(CheckpointId(3), 6);
        assert!(backlog.has_room(Waker::noop()));
        backlog.staged(CheckpointId(3), 1);
        assert!(!backlog.has_room(Waker::noop()), "the open epoch counts as well");
    }
}
