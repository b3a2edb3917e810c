//! A mailbox: the input of a machine that others write to without waiting.
//!
//! It is unbounded, because each sender waits for an answer before it sends much more: a task sends
//! one snapshot for each checkpoint, and at most two checkpoints are under way. Output chunks, of which
//! there may be many, are bounded by a [`Budget`](steadfast_core::budget::Budget).

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use steadfast_core::sync::{Mutex, MutexGuard};

#[cfg(all(test, loom))]
mod interleavings;

/// One end of a mailbox; all clones are the same mailbox.
pub struct Mailbox<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    messages: Mutex<VecDeque<T>>,
    reader: Waker,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Mailbox { inner: Arc::clone(&self.inner) }
    }
}

impl<T> Mailbox<T> {
    /// An empty mailbox; `reader` wakes the machine that reads it.
    pub fn new(reader: Waker) -> Self {
        Mailbox { inner: Arc::new(Inner { messages: Mutex::default(), reader }) }
    }

    fn messages(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.inner.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message in.
    pub fn send(&self, message: T) {
        self.messages().push_back(message);
        self.inner.reader.wake_by_ref();
    }

    /// Takes the oldest message out.
    pub fn take(&self) -> Option<T> {
        self.messages().pop_front()
    }
}
