//! An edge of a plan: the channels through which one stage's tasks reach those of the next.
//!
//! Each attempt to run the plan opens an edge once and takes its ends: the senders when the tasks of
//! the stage before it are made, the receivers for the stage behind it. It knows nothing of what the
//! channels carry or of who takes them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use steadfast_core::{Error, Result};

use super::channel::{Receiver, Sender, channel};

/// Carries `T` from stage to stage; clones are the same edge.
pub struct Edge<T> {
    number: usize,
    all_to_all: bool,
    ends: Arc<Mutex<Ends<T>>>,
}

/// The ends of the channels by parallel index, until tasks take them.
struct Ends<T> {
    senders: Vec<Option<Vec<Sender<T>>>>,
    receivers: Vec<Option<Vec<Receiver<T>>>>,
}

impl<T> Clone for Edge<T> {
    fn clone(&self) -> Self {
        Edge { number: self.number, all_to_all: self.all_to_all, ends: Arc::clone(&self.ends) }
    }
}

impl<T> Edge<T> {
    /// An edge of this number. With `all_to_all`, every task of one stage reaches every task of the next; otherwise
    /// only the one of its own index.
    pub(crate) fn new(number: usize, all_to_all: bool) -> Self {
        let ends = Ends { senders: Vec::new(), receivers: Vec::new() };
        Edge { number, all_to_all, ends: Arc::new(Mutex::new(ends)) }
    }

    /// What sets it apart from the others of its plan.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    fn ends(&self) -> MutexGuard<'_, Ends<T>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the channels for stages of so many tasks, each for up to `capacity` batches.
    pub(crate) fn open(&self, tasks: u16, capacity: usize) {
        let tasks = usize::from(tasks);
        let mut receivers: Vec<Vec<_>> = (0..tasks).map(|_| Vec::new()).collect();
        let senders = (0..tasks).map(|from| {
            let to = if self.all_to_all { 0..tasks } else { from..from + 1 };
            let senders = to.map(|to| {
                let (sender, receiver) = channel(capacity);
                receivers[to].push(receiver);
                sender
            });
            Some(senders.collect())
        });
        let senders = senders.collect();
        *self.ends() = Ends { senders, receivers: receivers.into_iter().map(Some).collect() };
    }

    /// Takes the senders of a task, which `waker` wakes.
    ///
    /// # Errors
    /// `Internal` if they have been taken, or the edge was not opened.
    pub fn senders(&self, index: u16, waker: &Waker) -> Result<Vec<Sender<T>>> {
        let senders =
            taken(self.ends().senders.get_mut(usize::from(index)).and_then(Option::take))?;
        senders.iter().for_each(|sender| sender.wakes(waker));
        Ok(senders)
    }

    /// Takes the receivers of a task, which `waker` wakes.
    ///
    /// # Errors
    /// As [`Edge::senders`].
    pub(crate) fn receivers(&self, index: u16, waker: &Waker) -> Result<Vec<Receiver<T>>> {
        let receivers =
            taken(self.ends().receivers.get_mut(usize::from(index)).and_then(Option::take))?;
        receivers.iter().for_each(|receiver| receiver.wakes(waker));
        Ok(receivers)
    }
}

fn taken<E>(ends: Option<E>) -> Result<E> {
    ends.ok_or_else(|| Error::internal("an edge is not wired as it was planned"))
}
