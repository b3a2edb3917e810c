//! How fast a run reads, and how far it is.
//!
//! It reads no clock and no counters: it is told what was seen when.

use std::collections::VecDeque;
use std::time::Duration;

use super::units;

/// The time over which a rate is taken.
const WINDOW: Duration = Duration::from_secs(5);

/// What one look has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// When it was, by the clock of the process.
    pub at: Duration,
    /// The records that this run has read.
    pub records: u64,
    /// How much of the input all runs together have read, in the unit of the sources.
    pub advanced: u64,
}

/// What is known from the looks so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Speed {
    pub records_per_second: u64,
    /// How much of the input has been read, by all runs; none if it has no known end.
    pub percent: Option<u64>,
    /// How long the rest takes at this rate; none if there is none, or nobody can tell.
    pub left: Option<Duration>,
}

/// The latest looks, the oldest first.
#[derive(Debug)]
pub(super) struct Rates(VecDeque<Seen>);

impl Rates {
    /// Of a run that is about to begin: what has been read by then is no part of its rate.
    pub(super) fn beginning(seen: Seen) -> Self {
        Rates([seen].into())
    }

    /// Takes in one more look, at an input that is `total` long, or 0 if that is not known.
    pub(super) fn look(&mut self, now: Seen, total: u64) -> Speed {
        self.0.push_back(now);
        // The first look that stays is the latest one that is as old as the window, or older.
        let is_old = |seen: &Seen| now.at.saturating_sub(seen.at) >= WINDOW;
        while self.0.get(1).is_some_and(is_old) {
            self.0.pop_front();
        }
        let first = self.0.front().copied().unwrap_or(now);
        let seconds = now.at.saturating_sub(first.at).as_secs_f64();
        let rate = |from: u64, to: u64| match seconds {
            0.0 => 0.0,
            seconds => to.saturating_sub(from) as f64 / seconds,
        };
        let percent = units::percent(now.advanced, total);
        let speed = rate(first.advanced, now.advanced);
        let rest = total.saturating_sub(now.advanced);
        let left = (speed > 0.0 && rest > 0)
            .then(|| Duration::try_from_secs_f64(rest as f64 / speed).unwrap_or(Duration::MAX));
        let records_per_second = rate(first.records, now.records) as u64;
        Speed { records_per_second, percent, left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(seconds: u64, records: u64, advanced: u64) -> Seen {
        Seen { at: Duration::from_secs(seconds), records, advanced }
    }

    #[test]
    fn what_was_read_before_the_run_is_part_of_the_way_and_not_of_the_rate() {
        let mut resumed = Rates::beginning(seen(7, 0, 900));
        let speed = resumed.look(seen(8, 25, 950), 1000);
        let left = Some(Duration::from_secs(1));
        assert_eq!(speed, Speed { records_per_second: 25, percent: Some(95), left });
        let speed = resumed.look(seen(9, 50, 1000), 1000);
        assert_eq!(speed, Speed { records_per_second: 25, percent: Some(100), left: None });
        // Nothing is known of the time that is left while nothing moves.
        let mut waiting = Rates::beginning(seen(7, 0, 900));
        let speed = waiting.look(seen(9, 0, 900), 1000);
        assert_eq!(speed, Speed { records_per_second: 0, percent: Some(90), left: None });
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let mut rates = Rates::beginning(seen(0, 0, 0));
        for second in 1..=10 {
            rates.look(seen(second, second * 1000, 0), 0);
        }
        assert_eq!(rates.look(seen(11, 10_000, 0), 0).records_per_second, 4000 / 5);
        // However rarely somebody looks.
        let speed = rates.look(seen(31, 50_000, 0), 0);
        assert_eq!(speed, Speed { records_per_second: 2000, percent: None, left: None });
    }

    #[test]
    fn two_looks_at_one_moment_are_no_rate() {
        let mut rates = Rates::beginning(seen(1, 0, 0));
        assert_eq!(rates.look(seen(1, 100, 100), 200).records_per_second, 0);
    }
}
