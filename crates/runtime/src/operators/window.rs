//! Windows: which of them a record belongs to.
//!
//! It knows nothing of keys, state or watermarks.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast_core::time::Timestamp;

/// A span of time: from `start`, up to but without `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Its first millisecond.
    pub start: Timestamp,
    /// The millisecond after its last.
    pub end: Timestamp,
}

impl Window {
    /// Whether a time is in it.
    #[inline]
    pub fn contains(&self, at: Timestamp) -> bool {
        (self.start..self.end).contains(&at)
    }
}

/// Divides time into windows.
#[derive(Clone)]
pub struct Windows {
    kind: Kind,
    /// Whether the engine's clock tells the time of records, and not the records.
    by_clock: bool,
    /// Whether some duration had a part of a millisecond, which windows cannot have.
    is_cut: bool,
}

#[derive(Clone)]
enum Kind {
    /// A window of `size` begins every `slide`, counted from `offset`; in milliseconds.
    Regular { size: i64, slide: i64, offset: i64 },
    /// Tells the one window that a time is in.
    Given(String, Arc<dyn Fn(Timestamp) -> Window + Send + Sync>),
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn is_cut(duration: Duration) -> bool {
    !duration.subsec_nanos().is_multiple_of(1_000_000)
}

impl Windows {
    /// Windows of `size`, in whole milliseconds, one behind the other. The first begins with 1970.
    pub fn tumbling(size: Duration) -> Self {
        Windows::sliding(size, size)
    }

    /// Windows of `size`, one of which begins every `slide`: a record is in as many as overlap.
    pub fn sliding(size: Duration, slide: Duration) -> Self {
        let kind = Kind::Regular { size: millis(size), slide: millis(slide), offset: 0 };
        Windows { kind, by_clock: false, is_cut: is_cut(size) || is_cut(slide) }
    }

    /// Windows that `window` tells: the one that a time is in. Every time that is in a window must yield
    /// the same window. Checkpoints know these windows by `name`: give others another one.
    pub fn given(
        name: impl Into<String>,
        window: impl Fn(Timestamp) -> Window + Send + Sync + 'static,
    ) -> Self {
        let kind = Kind::Given(name.into(), Arc::new(window));
        Windows { kind, by_clock: false, is_cut: false }
    }

    /// The same, all moved on by `offset`.
    #[must_use]
    pub fn offset(mut self, by: Duration) -> Self {
        self.is_cut |= is_cut(by);
        if let Kind::Regular { offset, slide, .. } = &mut self.kind {
            *offset = millis(by).rem_euclid((*slide).max(1));
        }
        self
    }

    /// The same over processing time: a record belongs to the time at which it is processed. Which that
    /// is changes from run to run.
    #[must_use]
    pub fn by_processing_time(mut self) -> Self {
        self.by_clock = true;
        self
    }

    /// Whether the engine's clock tells the time of records.
    pub fn is_by_clock(&self) -> bool {
        self.by_clock
    }

    /// What sets these windows apart from others, as it stands in checkpoints.
    pub fn describe(&self) -> String {
        let clock = if self.by_clock { " of processing time" } else { "" };
        match &self.kind {
            Kind::Regular { size, slide, offset } => {
                format!("windows of {size} ms every {slide} ms from {offset} ms{clock}")
            }
            Kind::Given(name, _) => format!("windows called '{name}'{clock}"),
        }
    }

    /// Why there cannot be such windows.
    pub fn problem(&self) -> Option<&'static str> {
        match self.kind {
            _ if self.is_cut => {
                Some("windows and what they are moved by last whole milliseconds, as times do")
            }
            Kind::Regular { size, slide, .. } if size < 1 || slide < 1 => Some(
                "a window lasts at least a millisecond, and so does what lies between two: write \
                     Windows::tumbling(Duration::from_secs(60)), for instance",
            ),
            Kind::Regular { size, slide, .. } if slide > size => {
                Some("between windows that begin further apart than they last, records are lost")
            }
            Kind::Regular { size, slide, .. } if size / slide > MOST_OVERLAPPING => {
                Some("no record may be in more than 10,000 windows")
            }
            _ => None,
        }
    }

    /// A span of time around `at` in which every time is in the same windows.
    pub fn span(&self, at: Timestamp) -> Window {
        match &self.kind {
            Kind::Given(_, window) => window(at),
            // At the ends of time, where windows may be cut, nothing is said of other times.
            Kind::Regular { size, slide, offset } => between_edges(at.0, *size, *slide, *offset)
                .unwrap_or(Window { start: at, end: at.plus(Duration::from_millis(1)) }),
        }
    }

    /// The windows that `at` is in, the latest first.
    #[inline]
    pub fn of(&self, at: Timestamp) -> impl Iterator<Item = Window> {
        let (mut start, slide, size, given) = match &self.kind {
            Kind::Regular { size, slide, offset } => {
                let into = match at.0.checked_sub(*offset) {
                    Some(since) => since.rem_euclid(*slide),
                    // Only at the ends of time, where a window may be cut.
                    None => at.0.rem_euclid(*slide),
                };
                (at.0.saturating_sub(into), *slide, *size, None)
            }
            Kind::Given(_, window) => (0, 0, 0, Some(window(at))),
        };
        let regular = std::iter::from_fn(move || {
            let end = start.saturating_add(size);
            let is_in = size > 0 && end > at.0;
            let window = Window { start: Timestamp(start), end: Timestamp(end) };
            let is_last = start.checked_sub(slide).is_none();
            start = start.saturating_sub(slide);
            if is_last {
                start = i64::MIN;
            }
            is_in.then_some(window)
        });
        let most = (size / slide.max(1) + 1) as usize;
        regular.take(most).chain(given)
    }
}

/// From the last time up to `at` at which a window begins or ends, to the first one after it.
fn between_edges(at: i64, size: i64, slide: i64, offset: i64) -> Option<Window> {
    let since_begin = at.checked_sub(offset)?.rem_euclid(slide);
    let since_end = at.checked_sub(offset)?.checked_sub(size)?.rem_euclid(slide);
    let start = at.checked_sub(since_begin.min(since_end))?;
    let end = at.checked_add(slide - since_begin.max(since_end))?;
    Some(Window { start: Timestamp(start), end: Timestamp(end) })
}

/// More than this would be a mistake.
const MOST_OVERLAPPING: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(windows: &Windows, at: i64) -> Vec<(i64, i64)> {
        windows.of(Timestamp(at)).map(|window| (window.start.0, window.end.0)).collect()
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn tumbling_windows_lie_one_behind_the_other() {
        let windows = Windows::tumbling(ms(10));
        assert_eq!(of(&windows, 0), [(0, 10)]);
        assert_eq!(of(&windows, 9), [(0, 10)]);
        assert_eq!(of(&windows, 10), [(10, 20)]);
        assert_eq!(of(&windows, -1), [(-10, 0)]);
        assert_eq!(of(&windows.offset(ms(3)), 2), [(-7, 3)]);
    }

    #[test]
    fn a_record_is_in_all_sliding_windows_that_overlap() {
        let windows = Windows::sliding(ms(10), ms(4));
        for at in -50..50 {
            let expected: Vec<_> = (-100..100)
                .rev()
                .filter(|start| start % 4 == 0 && (*start..start + 10).contains(&at))
                .map(|start| (start, start + 10))
                .collect();
            assert_eq!(of(&windows, at), expected, "{at}");
        }
    }

    #[test]
    fn all_times_of_a_span_are_in_the_same_windows() {
        let given = |at: Timestamp| Window {
            start: Timestamp(at.0.div_euclid(7) * 7),
            end: Timestamp(at.0.div_euclid(7) * 7 + 7),
        };
        for windows in [
            Windows::tumbling(ms(10)),
            Windows::tumbling(ms(10)).offset(ms(3)),
            Windows::sliding(ms(10), ms(2)),
            Windows::sliding(ms(10), ms(4)),
            Windows::sliding(ms(11), ms(4)).offset(ms(1)),
            Windows::given("given", given),
        ] {
            let mut end = windows.span(Timestamp(-50)).start;
            for at in -50..50 {
                let span = windows.span(Timestamp(at));
                assert!(span.contains(Timestamp(at)), "{at}");
                for other in span.start.0..span.end.0 {
                    assert_eq!(of(&windows, other), of(&windows, at));
                    assert_eq!(windows.span(Timestamp(other)), span);
                }
                assert!(span.start == end || span.start.0 < at, "{at}: there is a gap");
                end = span.end;
            }
        }
        let windows = Windows::sliding(ms(10), ms(4));
        for at in [i64::MIN, i64::MIN + 1, i64::MAX - 1] {
            let span = windows.span(Timestamp(at));
            let all = span.start.0..span.end.0;
            assert!(all.clone().count() < 20 && all.clone().contains(&at), "{at}");
            all.for_each(|other| assert_eq!(of(&windows, other), of(&windows, at)));
        }
    }

    #[test]
    fn the_ends_of_time_are_in_windows_too() {
        for windows in [Windows::tumbling(ms(10)), Windows::sliding(ms(10), ms(4))] {
            for at in [i64::MIN, i64::MIN + 1, i64::MAX - 1] {
                let found = of(&windows, at);
                assert!(found.iter().all(|(start, end)| (*start..*end).contains(&at)), "{at}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let cut = Duration::from_micros(1500);
        assert!(Windows::tumbling(cut).problem().is_some_and(|why| why.contains("whole")));
        assert!(Windows::sliding(ms(10), cut).problem().is_some_and(|why| why.contains("whole")));
        assert!(Windows::tumbling(ms(10)).offset(cut).problem().is_some());
        assert!(Windows::tumbling(ms(0)).problem().is_some());
        assert!(Windows::sliding(ms(10), ms(20)).problem().is_some());
        assert!(Windows::sliding(Duration::from_secs(3600), ms(1)).problem().is_some());
        assert!(Windows::sliding(ms(10), ms(10)).problem().is_none());
    }
}
