//! The splits of a source that no task has begun, in the order in which tasks take them.
//!
//! Where records have event times, each split is looked into before the start, and those come first whose
//! records are the earliest: so that tasks are never far apart in time, and what is still to come holds
//! the watermark back. Splits may be added while the job runs. It knows nothing of barriers.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use steadfast_core::Result;
use steadfast_core::source::{
    BadRecord, PollLimit, Polled, Replay, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast_core::time::Timestamp;
use steadfast_core::wakers::Wakers;

use crate::event_time::{EventTime, Slowest};
use crate::user_code::{OperatorLabel, caught};

/// A split that nobody has begun.
pub(super) struct Waiting<S> {
    /// Its number among all splits of the source.
    pub(super) number: usize,
    pub(super) split: S,
    /// The least time of its first records; the greatest of all times if it holds none.
    pub(super) first: Timestamp,
}

impl<S> Waiting<S> {
    fn slowest(&self) -> Slowest {
        Slowest { at: self.first, split: self.number }
    }
}

/// See the module.
pub(super) struct SplitQueue<S>(Mutex<Inner<S>>);

struct Inner<S> {
    waiting: VecDeque<Waiting<S>>,
    /// Those that wait and those that are read.
    unfinished: usize,
    /// The number of the next one that is found.
    next_number: usize,
    /// Whether no more will be found.
    is_complete: bool,
    tasks: Wakers,
}

impl<S> SplitQueue<S> {
    /// The splits are taken in the order of their first times; of those that are equal, in the given one.
    /// `all` is how many splits have a number already.
    pub(super) fn new(mut waiting: Vec<Waiting<S>>, all: usize) -> Self {
        waiting.sort_by_key(|waiting| (waiting.first, waiting.number));
        let unfinished = waiting.len();
        SplitQueue(Mutex::new(Inner {
            waiting: waiting.into(),
            unfinished,
            next_number: all,
            is_complete: true,
            tasks: Wakers::default(),
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next one for a task that has `active` of them; none if it has its share of them all. To whom
    /// `begins` tells that it is begun knows it before the queue is without it.
    pub(super) fn take(
        &self,
        (active, tasks): (usize, u16),
        begins: impl FnOnce(Slowest),
    ) -> Option<Waiting<S>> {
        let mut inner = self.inner();
        let share = inner.unfinished.div_ceil(usize::from(tasks));
        let waiting = if active < share { inner.waiting.pop_front() } else { None };
        waiting.inspect(|waiting| begins(waiting.slowest()))
    }

    /// The next one, with its first time.
    pub(super) fn least(&self) -> Option<Slowest> {
        self.inner().waiting.front().map(Waiting::slowest)
    }

    /// Splits were found: tasks that wait are woken. Nothing is known of their first times.
    pub(super) fn add(&self, found: Vec<S>, is_timed: bool) {
        if found.is_empty() {
            return;
        }
        let first = if is_timed { Timestamp::MIN } else { Timestamp::UNTIMED };
        let mut inner = self.inner();
        for split in found {
            let number = inner.next_number;
            inner.next_number += 1;
            inner.unfinished += 1;
            inner.waiting.push_back(Waiting { number, split, first });
        }
        inner.tasks.wake_all();
    }

    /// A split that was taken is at its end.
    pub(super) fn finished_one(&self) {
        self.inner().unfinished -= 1;
    }

    /// More may be found.
    pub(super) fn leave_open(&self) {
        self.inner().is_complete = false;
    }

    /// Whether more may be found.
    pub(super) fn is_open(&self) -> bool {
        !self.inner().is_complete
    }

    /// No more will be found.
    pub(super) fn complete(&self) {
        let mut inner = self.inner();
        inner.is_complete = true;
        inner.tasks.wake_all();
    }

    /// Whether there will never be one to take. If not, `task` is woken when that has changed, or when there
    /// is one.
    pub(super) fn is_over(&self, task: &Waker) -> bool {
        let mut inner = self.inner();
        let is_over = inner.is_complete && inner.waiting.is_empty();
        if !is_over {
            inner.tasks.add(task);
        }
        is_over
    }
}

/// So many records of a split are looked at, to see where it begins.
const LOOKED_AT: usize = 16;
/// After so many polls without a record it is not known where a split begins.
const MOST_POLLS: usize = 64;

/// The least time of the first records of `split`. A reader is opened for it and dropped again, so it is only for
/// sources that can be read again.
pub(super) fn first_time<S: Source>(
    (source, label): (&S, &OperatorLabel),
    event_time: &impl EventTime<S::Item>,
    split: S::Split,
    now: Timestamp,
) -> Timestamp {
    // Whoever reads it meets the error again.
    let Ok(mut reader) = source.look(split) else { return Timestamp::MIN };
    let mut look = Look { event_time, label, least: Timestamp::MAX, seen: 0 };
    for _ in 0..MOST_POLLS {
        let limit = PollLimit { records: LOOKED_AT - look.seen, bytes: usize::MAX };
        let Ok(polled) = reader.poll(limit, now, &mut look) else { return Timestamp::MIN };
        match polled {
            Polled::End => return look.least,
            _ if look.seen >= LOOKED_AT => return look.least,
            // What comes to a source without end later may be older, and what is there may be wrong.
            Polled::Idle(_) => return Timestamp::MIN,
            Polled::More => {}
        }
    }
    Timestamp::MIN
}

/// Sees the times of records and forgets the rest: what is looked at is read again by a task.
struct Look<'a, E> {
    event_time: &'a E,
    label: &'a OperatorLabel,
    least: Timestamp,
    seen: usize,
}

impl<T, E: EventTime<T>> SourceOutput<T> for Look<'_, E> {
    fn push(&mut self, item: T) -> Result<()> {
        self.least = self.least.min(self.label.calls(|| self.event_time.at(&item)));
        self.seen += 1;
        Ok(())
    }

    fn reject(&mut self, _bad: BadRecord) -> Result<()> {
        Ok(())
    }

    fn advance(&mut self, _amount: u64) {}

    fn looks_ahead(&self) -> bool {
        true
    }
}

/// Those of `splits` that are not finished, in a queue; timed ones are looked into.
pub(super) fn queue<S: Source, E: EventTime<S::Item>>(
    (source, label): (&S, &OperatorLabel),
    event_time: &E,
    splits: &[SplitStatus<S::Split>],
    now: Timestamp,
) -> Result<SplitQueue<S::Split>> {
    let open = splits.iter().enumerate().filter(|(_, status)| !status.finished);
    let waiting = open.map(|(number, status)| {
        let split = status.split.clone();
        let look = || Ok(first_time((source, label), event_time, split.clone(), now));
        let first = match (E::IS_TIMED, source.replay() == Replay::FromPosition) {
            (false, _) => Timestamp::UNTIMED,
            (true, true) => caught(look)?,
            // What is looked at would be gone.
            (true, false) => Timestamp::MIN,
        };
        Ok(Waiting { number, split, first })
    });
    Ok(SplitQueue::new(waiting.collect::<Result<_>>()?, splits.len()))
}
