//! A mailbox: the input of a machine that others write to without waiting.
//!
//! It is unbounded, because each sender waits for an answer before it sends much more: a task sends
//! one snapshot for each checkpoint, and at most two checkpoints are under way. Output parts, of which there may
//! be many, are bounded by their bytes; see [`Mailbox::size_bytes`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_utils::sync::Unparker;

/// What a mailbox holds can weigh something.
pub trait Size {
    /// How many bytes it keeps in memory.
    fn size_bytes(&self) -> usize {
        0
    }
}

impl Size for steadfast_core::message::Barrier {}

/// One end of a mailbox; all clones are the same mailbox.
pub struct Mailbox<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    messages: Mutex<VecDeque<T>>,
    size_bytes: AtomicUsize,
    wake: Option<Unparker>,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Mailbox { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Size> Mailbox<T> {
    /// An empty mailbox; `wake` wakes the thread of its reader.
    pub fn new(wake: Option<Unparker>) -> Self {
        let (messages, size_bytes) = (Mutex::default(), AtomicUsize::new(0));
        Mailbox { inner: Arc::new(Inner { messages, size_bytes, wake }) }
    }

    fn messages(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.inner.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message in.
    pub fn send(&self, message: T) {
        self.inner.size_bytes.fetch_add(message.size_bytes(), Ordering::Relaxed);
        self.messages().push_back(message);
        if let Some(wake) = &self.inner.wake {
            wake.unpark();
        }
    }

    /// Takes the oldest message out.
    pub fn take(&self) -> Option<T> {
        let message = self.messages().pop_front()?;
        self.inner.size_bytes.fetch_sub(message.size_bytes(), Ordering::Relaxed);
        Some(message)
    }

    /// How many bytes its messages keep in memory.
    pub fn size_bytes(&self) -> usize {
        self.inner.size_bytes.load(Ordering::Relaxed)
    }
}
