//! The splits of a source that no task has begun, in the order in which tasks take them.
//!
//! Where records have event times, each split is looked into before the start, and those come first whose
//! records are the earliest: so that tasks are never far apart in time, and what is still to come holds
//! the watermark back. It knows nothing of barriers.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

use steadfast_core::Result;
use steadfast_core::source::{
    BadRecord, PollLimit, Polled, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast_core::time::Timestamp;

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

/// See the module.
pub(super) struct SplitQueue<S>(Mutex<VecDeque<Waiting<S>>>);

impl<S> SplitQueue<S> {
    /// The splits are taken in the order of their first times; of those that are equal, in the given one.
    pub(super) fn new(mut waiting: Vec<Waiting<S>>) -> Self {
        waiting.sort_by_key(|waiting| (waiting.first, waiting.number));
        SplitQueue(Mutex::new(waiting.into()))
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next one.
    pub(super) fn take(&self) -> Option<Waiting<S>> {
        self.waiting().pop_front()
    }

    /// The next one, with its first time.
    pub(super) fn least(&self) -> Option<Slowest> {
        let next = |waiting: &Waiting<S>| Slowest { at: waiting.first, split: waiting.number };
        self.waiting().front().map(next)
    }
}

/// So many records of a split are looked at, to see where it begins.
const LOOKED_AT: usize = 16;
/// After so many polls without a record it is not known where a split begins.
const MOST_POLLS: usize = 64;

/// The least time of the first records of `split`. A reader is opened for it and dropped again.
pub(super) fn first_time<S: Source>(
    (source, label): (&S, &OperatorLabel),
    event_time: &impl EventTime<S::Item>,
    split: S::Split,
    now: Timestamp,
) -> Result<Timestamp> {
    let mut reader = source.open(split, Waker::noop())?;
    let mut look = Look { event_time, label, least: Timestamp::MAX, seen: 0 };
    for _ in 0..MOST_POLLS {
        let limit = PollLimit { records: LOOKED_AT - look.seen, bytes: usize::MAX };
        match reader.poll(limit, now, &mut look)? {
            Polled::End => return Ok(look.least),
            _ if look.seen >= LOOKED_AT => return Ok(look.least),
            // What comes to a source without end later may be older, and what is there may be wrong.
            Polled::Idle(_) => return Ok(Timestamp::MIN),
            Polled::More => {}
        }
    }
    Ok(Timestamp::MIN)
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
        let look = || first_time((source, label), event_time, split.clone(), now);
        let first = match E::IS_TIMED {
            true => caught(look)?,
            false => Timestamp::UNTIMED,
        };
        Ok(Waiting { number, split, first })
    });
    Ok(SplitQueue::new(waiting.collect::<Result<_>>()?))
}
