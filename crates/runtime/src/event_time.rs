//! How far event time has come in a source: a promise about order, derived from what has been read and
//! from the first records of what has not.
//!
//! Within a split no record is behind the latest one before it by more than the declared disorder. So the
//! watermark of a source is the least over its splits of *latest record − disorder*; a split that nobody
//! has begun is represented by the least of its first records. A record that is far ahead of all others
//! counts for nothing before more of them confirm it. It knows nothing of tasks, channels or threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use steadfast_core::time::Timestamp;
use steadfast_core::wakers::Wakers;

/// Tells the event time of records.
pub trait EventTime<T>: Send + Sync + 'static {
    /// Whether records have event times at all.
    const IS_TIMED: bool;
    /// The event time of a record.
    fn at(&self, item: &T) -> Timestamp;
}

/// Records have no event time.
pub struct Untimed;

impl<T> EventTime<T> for Untimed {
    const IS_TIMED: bool = false;

    #[inline]
    fn at(&self, _item: &T) -> Timestamp {
        Timestamp::UNTIMED
    }
}

/// The function tells a record's event time.
pub struct TimedBy<F>(pub F);

impl<T, F: Fn(&T) -> Timestamp + Send + Sync + 'static> EventTime<T> for TimedBy<F> {
    const IS_TIMED: bool = true;

    #[inline]
    fn at(&self, item: &T) -> Timestamp {
        // A record's own time never says that it has none.
        (self.0)(item).of_record()
    }
}

/// What is declared of the times in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOptions {
    /// How far a record may be behind the latest one before it in its split.
    pub disorder: Duration,
    /// A record that is further ahead than this of all others is doubted,
    pub jump: Duration,
    /// until so many such records have come in a row.
    pub confirmations: u32,
    /// For how long a split of a source without end may have nothing before it holds nobody back.
    pub idle_after: Option<Duration>,
    /// How far one split may be ahead of the least before it is left alone for a while.
    pub drift: Option<Duration>,
}

impl TimeOptions {
    /// Records may be `disorder` behind.
    pub fn new(disorder: Duration) -> Self {
        TimeOptions {
            disorder,
            jump: Duration::from_secs(24 * 60 * 60),
            confirmations: 10,
            idle_after: None,
            drift: None,
        }
    }
}

/// What the tasks of a source know of time together.
pub(crate) struct SourceTime {
    /// What was declared.
    pub options: TimeOptions,
    shared: Mutex<Shared>,
}

struct Shared {
    /// The latest time that is not doubted; none as long as there is none.
    reference: Option<Timestamp>,
    /// The least of the latest records of the splits that each task reads; none: it holds nobody back.
    fronts: Vec<Option<Timestamp>>,
    /// The split of each task that holds the watermark back.
    slowest: Vec<Option<Slowest>>,
    /// For people: the split that nobody had begun when a task looked last.
    untaken: Option<Slowest>,
    waiting: Wakers,
}

/// A split that holds the watermark back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slowest {
    /// The time of its latest record, or of the first that it is known to have.
    pub at: Timestamp,
    /// Its number.
    pub split: usize,
}

/// How far event time has come in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The latest time that is not doubted.
    pub latest: Timestamp,
    /// The split that holds the watermark back; none if nothing more is expected.
    pub slowest: Option<Slowest>,
}

impl SourceTime {
    /// The time of a source that `tasks` share; the latest time that is known is `reference`.
    pub(crate) fn new(options: TimeOptions, tasks: u16, reference: Option<Timestamp>) -> Arc<Self> {
        let fronts = vec![None; usize::from(tasks)];
        let slowest = vec![None; usize::from(tasks)];
        let (untaken, waiting) = (None, Wakers::default());
        let shared = Mutex::new(Shared { reference, fronts, slowest, untaken, waiting });
        Arc::new(SourceTime { options, shared })
    }

    /// How far event time has come. None before the first record.
    pub(crate) fn reached(&self) -> Option<Reached> {
        let shared = self.shared();
        let slowest = shared.slowest.iter().chain([&shared.untaken]).flatten().min().copied();
        shared.reference.map(|latest| Reached { latest, slowest })
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task's view of its source's time.
pub(crate) struct Front {
    time: Arc<SourceTime>,
    task: usize,
    reference: Option<Timestamp>,
    /// What is beyond it is doubted.
    limit: Timestamp,
    /// Records in a row that are doubted: the least of them, and how many.
    doubted: (Timestamp, u32),
}

impl Front {
    /// The view of task number `task`.
    pub(crate) fn new(time: Arc<SourceTime>, task: u16) -> Self {
        let (reference, limit, doubted) = (None, Timestamp::MIN, (Timestamp::MAX, 0));
        let mut front = Front { time, task: usize::from(task), reference, limit, doubted };
        front.synchronize(None, None);
        front
    }

    /// What was declared.
    pub(crate) fn options(&self) -> &TimeOptions {
        &self.time.options
    }

    /// Takes over what other tasks have found out, and tells them what this one has, and which of the splits that
    /// it reads holds the watermark back; `untaken` is the first that nobody has begun. Returns whether there is
    /// any split, of whatever task, that holds it back.
    pub(crate) fn synchronize(
        &mut self,
        slowest: Option<Slowest>,
        untaken: Option<Slowest>,
    ) -> bool {
        let mut shared = self.time.shared();
        shared.slowest[self.task] = slowest;
        shared.untaken = untaken;
        shared.reference = shared.reference.max(self.reference);
        self.reference = shared.reference;
        let is_held_back = untaken.is_some() || shared.slowest.iter().any(Option::is_some);
        drop(shared);
        self.set_limit();
        is_held_back
    }

    /// The task begins a split, which holds the watermark back from now on.
    pub(crate) fn begins(&self, split: Slowest) {
        let own = &mut self.time.shared().slowest[self.task];
        *own = Some(own.map_or(split, |slowest| slowest.min(split)));
    }

    fn set_limit(&mut self) {
        let limit = self.reference.map(|reference| reference.plus(self.time.options.jump));
        self.limit = limit.unwrap_or(Timestamp::MIN);
    }

    /// Notes a record of a split whose latest record is `latest`.
    #[inline]
    pub(crate) fn observe(&mut self, latest: &mut Timestamp, at: Timestamp) {
        if at > self.limit {
            self.doubt(latest, at);
            return;
        }
        self.doubted.1 = 0;
        if at > *latest {
            *latest = at;
            if Some(at) > self.reference {
                self.reference = Some(at);
                self.set_limit();
            }
        }
    }

    #[cold]
    fn doubt(&mut self, latest: &mut Timestamp, at: Timestamp) {
        let (least, count) = self.doubted;
        let least = if count == 0 { at } else { least.min(at) };
        self.doubted = (least, count + 1);
        if self.doubted.1 >= self.time.options.confirmations {
            self.doubted = (Timestamp::MAX, 0);
            self.reference = self.reference.max(Some(least));
            *latest = least.max(*latest);
            self.set_limit();
        }
    }

    /// The watermark, if the latest records of all splits that hold it back are `latest`. None if there is
    /// no such split.
    pub(crate) fn watermark(&self, latest: impl Iterator<Item = Timestamp>) -> Option<Timestamp> {
        let least = latest.min()?;
        let known = self.reference.unwrap_or(Timestamp::MIN);
        Some(least.min(known).minus(self.time.options.disorder))
    }

    /// The watermark once everything has been read.
    pub(crate) fn last_watermark(&self) -> Option<Timestamp> {
        self.reference.map(|reference| reference.minus(self.time.options.disorder))
    }

    /// Tells the other tasks how far this one is: the least of the latest records of what it reads; none: it
    /// holds nobody back.
    pub(crate) fn publish(&self, least: Option<Timestamp>) {
        if self.time.options.drift.is_some() {
            let mut shared = self.time.shared();
            if std::mem::replace(&mut shared.fronts[self.task], least) != least {
                shared.waiting.wake_all();
            }
        }
    }

    /// Whether a split whose latest record is `latest` is so far ahead that it waits for the others;
    /// `waker` is woken when they have come on.
    pub(crate) fn is_ahead(&self, latest: Timestamp, waker: &Waker) -> bool {
        let Some(drift) = self.time.options.drift else { return false };
        let mut shared = self.time.shared();
        let Some(least) = shared.fronts.iter().flatten().min() else { return false };
        let is_ahead = latest > least.plus(drift);
        if is_ahead {
            shared.waiting.add(waker);
        }
        is_ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(reference: Option<i64>) -> Front {
        let mut options = TimeOptions::new(Duration::from_millis(10));
        options.jump = Duration::from_millis(1000);
        options.confirmations = 3;
        Front::new(SourceTime::new(options, 1, reference.map(Timestamp)), 0)
    }

    fn after(front: &mut Front, latest: i64, times: &[i64]) -> (i64, Option<i64>) {
        let mut latest = Timestamp(latest);
        times.iter().for_each(|at| front.observe(&mut latest, Timestamp(*at)));
        (latest.0, front.watermark(std::iter::once(latest)).map(|at| at.0))
    }

    #[test]
    fn the_watermark_is_behind_the_latest_record_by_the_disorder() {
        assert_eq!(after(&mut front(Some(0)), 0, &[5, 30, 20]), (30, Some(20)));
    }

    #[test]
    fn a_record_from_the_far_future_moves_nothing() {
        let far = 4_000_000_000_000;
        assert_eq!(after(&mut front(Some(0)), 0, &[5, far, 30, far, far, 40]), (40, Some(30)));
        // Nor if it is the first of its split, which nobody has looked into.
        assert_eq!(after(&mut front(None), i64::MIN, &[far, 7, 8]).0, 7);
    }

    #[test]
    fn a_split_that_has_nothing_but_doubted_times_does_not_lead() {
        let far = Timestamp(4_000_000_000_000);
        let watermark = front(Some(0)).watermark(std::iter::once(far));
        assert_eq!(watermark, Some(Timestamp(-10)));
    }

    #[test]
    fn a_jump_counts_once_it_is_confirmed() {
        assert_eq!(after(&mut front(Some(0)), 0, &[5000, 5003, 5001]), (5000, Some(4990)));
        assert_eq!(after(&mut front(Some(0)), 0, &[5000, 5003, 5001, 5002]), (5002, Some(4992)));
    }

    #[test]
    fn what_one_task_has_found_out_others_know() {
        let time = SourceTime::new(TimeOptions::new(Duration::ZERO), 2, Some(Timestamp(0)));
        let (mut one, mut other) = (Front::new(Arc::clone(&time), 0), Front::new(time, 1));
        let mut latest = Timestamp(0);
        one.observe(&mut latest, Timestamp(80_000_000));
        one.synchronize(Some(Slowest { at: Timestamp(80_000_000), split: 1 }), None);
        other.synchronize(Some(Slowest { at: Timestamp(5), split: 0 }), None);
        let slowest = Some(Slowest { at: Timestamp(5), split: 0 });
        assert_eq!(other.time.reached(), Some(Reached { latest: Timestamp(80_000_000), slowest }));
        assert_eq!(other.reference, Some(Timestamp(80_000_000)));
    }
}
