//! Time as the engine knows it: points in event time, and a clock that is handed in.
//!
//! It reads no clock itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: **milliseconds** since 1970-01-01T00:00:00Z. A time in another unit is made one by
/// [`from_secs`](Timestamp::from_secs), or divided.
///
/// ```
/// use steadfast_core::time::Timestamp;
///
/// assert_eq!(Timestamp::from_secs(1_700_000_000), Timestamp::from_millis(1_700_000_000_000));
/// assert_eq!(Timestamp::from_secs(-1), Timestamp(-1_000));
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Before every event.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// What stands for the event time of a record that has none.
    pub const UNTIMED: Timestamp = Timestamp::MIN;
    /// After every event.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// The least and the greatest time that a record may have: a hundred million years from now, so that what is
    /// computed with it does not overflow.
    const BOUND: i64 = 1 << 61;

    /// So many milliseconds since 1970-01-01T00:00:00Z, or before if there are fewer than none.
    #[must_use]
    #[inline]
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// So many seconds since 1970-01-01T00:00:00Z, or before if there are fewer than none. What is beyond all times
    /// is the first or last of them.
    #[must_use]
    #[inline]
    pub const fn from_secs(secs: i64) -> Timestamp {
        Timestamp(secs.saturating_mul(1_000))
    }

    /// The same as the event time of a record: what is beyond all that is reckoned with is taken for the
    /// border of it.
    #[must_use]
    #[inline]
    pub fn of_record(self) -> Timestamp {
        Timestamp(self.0.clamp(-Timestamp::BOUND, Timestamp::BOUND))
    }

    /// This point moved back by `by`.
    #[must_use]
    #[inline]
    pub fn minus(self, by: Duration) -> Timestamp {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_sub(by))
    }

    /// This point moved on by `by`.
    #[must_use]
    #[inline]
    pub fn plus(self, by: Duration) -> Timestamp {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_add(by))
    }
}

/// What an operator may know of time while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Event time: no record older than this will come, unless it is late.
    pub watermark: Timestamp,
    /// Processing time: the engine's clock.
    pub now: Timestamp,
}

/// Where time comes from: the system in production, the seed in a simulation.
pub trait Clock: Send + Sync {
    /// Time that never goes back, since some fixed moment of this process.
    fn monotonic(&self) -> Duration;
    /// The time of day, for people and for records.
    fn wall(&self) -> Timestamp;
}
