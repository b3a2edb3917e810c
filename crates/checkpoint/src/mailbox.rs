//! A mailbox: the input of a machine that others write to without waiting.
//!
//! It is unbounded, because each sender waits for an answer before it sends much more: a task sends
//! one snapshot for each cut, and at most two cuts are under way. Output parts, of which there may
//! be many, are bounded by their bytes; see [`Mailbox::weight`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_utils::sync::Unparker;

/// What a mailbox holds can weigh something.
pub trait Weigh {
    /// How many bytes it keeps in memory.
    fn weight(&self) -> usize {
        0
    }
}

impl Weigh for steadfast_core::message::Barrier {}

/// One end of a mailbox; all clones are the same mailbox.
pub struct Mailbox<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    letters: Mutex<VecDeque<T>>,
    weight: AtomicUsize,
    wake: Option<Unparker>,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Mailbox { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Weigh> Mailbox<T> {
    /// An empty mailbox; `wake` wakes the thread of its reader.
    pub fn new(wake: Option<Unparker>) -> Self {
        let (letters, weight) = (Mutex::default(), AtomicUsize::new(0));
        Mailbox { inner: Arc::new(Inner { letters, weight, wake }) }
    }

    fn letters(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.inner.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a letter in.
    pub fn send(&self, letter: T) {
        self.inner.weight.fetch_add(letter.weight(), Ordering::Relaxed);
        self.letters().push_back(letter);
        if let Some(wake) = &self.inner.wake {
            wake.unpark();
        }
    }

    /// Takes the oldest letter out.
    pub fn take(&self) -> Option<T> {
        let letter = self.letters().pop_front()?;
        self.inner.weight.fetch_sub(letter.weight(), Ordering::Relaxed);
        Some(letter)
    }

    /// How many bytes its letters keep in memory.
    pub fn weight(&self) -> usize {
        self.inner.weight.load(Ordering::Relaxed)
    }
}
