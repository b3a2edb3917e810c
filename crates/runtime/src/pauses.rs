//! For how long the tasks stood still, in a size that does not grow with the number of checkpoints.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

/// An hour: what is longer counts as that.
const LONGEST_US: u64 = 3_600_000_000;

/// See the module. Durations are kept to one per cent.
#[derive(Clone)]
pub struct Pauses(Option<Histogram<u64>>);

impl Default for Pauses {
    fn default() -> Self {
        // The bounds are within what it takes.
        Pauses(Histogram::new_with_max(LONGEST_US, 2).ok())
    }
}

impl Pauses {
    /// Notes one.
    pub fn add(&mut self, pause: Duration) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(pause.as_micros() as u64);
        }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// The one in the middle, and the longest.
    pub fn median_and_longest(&self) -> Option<(Duration, Duration)> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        let of = Duration::from_micros;
        Some((of(histogram.value_at_quantile(0.5)), of(histogram.max())))
    }
}

impl fmt::Debug for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pauses").field("count", &self.count()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_pauses_take_no_more_room_than_one_and_keep_their_middle() {
        let mut pauses = Pauses::default();
        assert_eq!(pauses.median_and_longest(), None);
        (0..=1_000_000).for_each(|us| pauses.add(Duration::from_micros(us)));
        let (median, longest) = pauses.median_and_longest().unwrap();
        assert!((0.495..0.505).contains(&median.as_secs_f64()), "{median:?}");
        assert!((0.99..1.01).contains(&longest.as_secs_f64()), "{longest:?}");
        pauses.add(Duration::MAX);
        assert_eq!(pauses.count(), 1_000_002);
    }
}
