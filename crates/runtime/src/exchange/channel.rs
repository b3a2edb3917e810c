//! A bounded queue between two tasks. A full queue is the backpressure.
//!
//! Only batches fill it: watermarks and barriers come in between, and of watermarks that follow one another
//! the last is enough. Nobody waits here: a sender that finds no room keeps its message and says that it is blocked.
//! Each side wakes the machine at the other. Emptied batches go back to the sender, which fills them
//! again: memory that one thread takes and another gives back costs both of them a lock. It knows
//! nothing of what the messages mean.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::Waker;

use crossbeam_utils::CachePadded;
use steadfast_core::message::{Batch, Message};
use steadfast_core::sync::atomic::{AtomicUsize, Ordering};
use steadfast_core::sync::{Mutex, MutexGuard};

#[cfg(all(test, loom))]
mod interleavings;

struct Queue<T> {
    messages: Mutex<VecDeque<Message<T>>>,
    /// Empty batches on their way back.
    spare: Mutex<Vec<Batch<T>>>,
    /// How many messages are in it, to be looked at without the lock.
    len: CachePadded<AtomicUsize>,
    /// How many of them are batches.
    batches: CachePadded<AtomicUsize>,
    capacity: usize,
    /// Wakes the machine that sends.
    sender: OnceLock<Waker>,
    /// Wakes the machine that receives.
    receiver: OnceLock<Waker>,
}

impl<T> Queue<T> {
    fn messages(&self) -> MutexGuard<'_, VecDeque<Message<T>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Batch<T>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_batch<T>(message: &Message<T>) -> bool {
    matches!(message, Message::Batch(_))
}

/// So many empty batches are kept for a sender; in a steady flow it takes each one back at once.
const MOST_SPARE: usize = 4;
/// A batch that has grown beyond this, such as all results at a barrier, is not kept.
const MOST_SPARE_BYTES: usize = 1024 * 1024;

/// The end that puts messages in.
pub struct Sender<T>(Arc<Queue<T>>);

/// The end that takes messages out.
pub(crate) struct Receiver<T>(Arc<Queue<T>>);

/// Puts a message behind those that wait; a watermark takes the place of one that it follows.
pub(crate) fn line_up<T>(messages: &mut VecDeque<Message<T>>, message: Message<T>) {
    match (messages.back_mut(), &message) {
        (Some(Message::Watermark(last)), Message::Watermark(at)) => *last = *at,
        _ => messages.push_back(message),
    }
}

/// A channel for up to `capacity` batches.
pub(crate) fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let messages = Mutex::new(VecDeque::with_capacity(capacity));
    let spare = Mutex::default();
    let len = CachePadded::new(AtomicUsize::new(0));
    let batches = CachePadded::new(AtomicUsize::new(0));
    let (sender, receiver) = (OnceLock::new(), OnceLock::new());
    let queue = Arc::new(Queue { messages, spare, len, batches, capacity, sender, receiver });
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

impl<T> Sender<T> {
    /// Says who is to be woken when there is room again.
    pub(crate) fn wakes(&self, waker: &Waker) {
        self.0.sender.get_or_init(|| waker.clone());
    }

    /// Whether there is room for `message`.
    pub(crate) fn has_room(&self, message: &Message<T>) -> bool {
        !is_batch(message) || self.0.batches.load(Ordering::Acquire) < self.0.capacity
    }

    /// An empty batch, with memory that has been used before if some came back.
    pub(crate) fn empty_batch(&self) -> Batch<T> {
        self.0.spare().pop().unwrap_or_default()
    }

    /// Puts a message in; the caller has asked [`Sender::has_room`], and nobody else sends here.
    pub(crate) fn send(&self, message: Message<T>) {
        let mut messages = self.0.messages();
        let was_empty = messages.is_empty();
        if is_batch(&message) {
            self.0.batches.fetch_add(1, Ordering::Release);
        }
        line_up(&mut messages, message);
        self.0.len.store(messages.len(), Ordering::Release);
        drop(messages);
        if was_empty && let Some(receiver) = self.0.receiver.get() {
            receiver.wake_by_ref();
        }
    }
}

impl<T> Receiver<T> {
    /// Says who is to be woken when a message has come.
    pub(crate) fn wakes(&self, waker: &Waker) {
        self.0.receiver.get_or_init(|| waker.clone());
    }

    /// Gives a batch back to the sender.
    pub(crate) fn give_back(&self, mut batch: Batch<T>) {
        if batch.items.capacity() * size_of::<T>() > MOST_SPARE_BYTES {
            return;
        }
        batch.clear();
        let mut spare = self.0.spare();
        if spare.len() < MOST_SPARE {
            spare.push(batch);
        }
    }

    /// Takes the oldest message out.
    pub(crate) fn take(&self) -> Option<Message<T>> {
        if self.0.len.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut messages = self.0.messages();
        let message = messages.pop_front();
        let was_full = message.as_ref().is_some_and(is_batch)
            && self.0.batches.fetch_sub(1, Ordering::Release) == self.0.capacity;
        self.0.len.store(messages.len(), Ordering::Release);
        drop(messages);
        if was_full && let Some(sender) = self.0.sender.get() {
            sender.wake_by_ref();
        }
        message
    }
}
