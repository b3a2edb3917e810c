//! Windows of the days of a time zone: some of them last 23 hours, and some 25.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp as Instant, Zoned};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};
use steadfast_runtime::operators::{Window, Windows};

/// The days of the time zone of this name, by the rules that are built in: the same on every machine.
///
/// ```
/// use steadfast::time_zone::days_in;
///
/// let days = days_in("Europe/Berlin")?;
/// # Ok::<(), steadfast::Error>(())
/// ```
///
/// # Errors
/// `Configuration` if there is no such time zone.
pub fn days_in(zone: &str) -> Result<Windows> {
    let found = TimeZoneDatabase::bundled().get(zone).map_err(|error| {
        Error::configuration(format!("there is no time zone '{zone}'"))
            .caused_by(error)
            .hint("write it as in Europe/Berlin or America/New_York")
    })?;
    let name = format!("days in {zone}");
    Ok(Windows::given(name, move |at| day_of(at, &found).unwrap_or_else(|| day_of_utc(at))))
}

/// The day that `at` is in; none at the ends of time. Where clocks fall back across midnight, a date comes twice:
/// its second part belongs to the day that has begun.
fn day_of(at: Timestamp, zone: &TimeZone) -> Option<Window> {
    let date = Instant::from_millisecond(at.0).ok()?.to_zoned(zone.clone()).date();
    let start = |days: i64| {
        let day = date.checked_add(Span::new().days(days)).ok()?.to_zoned(zone.clone()).ok()?;
        let start: Zoned = day.start_of_day().ok()?;
        Some(Timestamp(start.timestamp().as_millisecond()))
    };
    let day = |days| Some(Window { start: start(days)?, end: start(days + 1)? });
    let days = [0, 1, -1].into_iter().filter_map(day);
    days.into_iter().find(|day| day.start <= at && at < day.end)
}

fn day_of_utc(at: Timestamp) -> Window {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let start = at.0.saturating_sub(at.0.rem_euclid(DAY));
    Window { start: Timestamp(start), end: Timestamp(start.saturating_add(DAY)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(at: &str) -> (String, i64) {
        let at: Instant = at.parse().unwrap();
        let windows = days_in("Europe/Berlin").unwrap();
        let window = windows.of(Timestamp(at.as_millisecond())).next().unwrap();
        let start = Instant::from_millisecond(window.start.0).unwrap();
        (start.to_string(), (window.end.0 - window.start.0) / 3_600_000)
    }

    #[test]
    fn days_are_as_long_as_their_zone_says() {
        assert_eq!(hours("2025-01-15T12:00:00Z"), ("2025-01-14T23:00:00Z".to_string(), 24));
        assert_eq!(hours("2025-03-30T12:00:00Z"), ("2025-03-29T23:00:00Z".to_string(), 23));
        assert_eq!(hours("2025-10-26T00:30:00Z"), ("2025-10-25T22:00:00Z".to_string(), 25));
    }

    /// Finding 10 of the attack of 2026-11-22: clocks fell back from 00:01 to 23:01 there.
    #[test]
    fn every_time_is_in_its_day_also_where_clocks_fall_back_across_midnight() {
        let windows = days_in("America/St_Johns").unwrap();
        let around: Instant = "2010-11-07T02:31:00Z".parse().unwrap();
        let mut before: Option<Window> = None;
        for minute in -3 * 24 * 60..3 * 24 * 60 {
            let at = Timestamp(around.as_millisecond() + minute * 60_000);
            let day = windows.of(at).next().unwrap();
            assert!(day.start <= at && at < day.end, "{at:?} in {day:?}");
            let goes_on = before.is_none_or(|before| before == day || before.end == day.start);
            assert!(goes_on, "{day:?} behind {before:?}");
            before = Some(day);
        }
    }

    #[test]
    fn a_zone_that_does_not_exist_is_refused_and_the_ends_of_time_are_in_a_window() {
        assert!(days_in("Europe/Nowhere").is_err());
        let windows = days_in("Europe/Berlin").unwrap();
        for at in [Timestamp(i64::MIN + 1), Timestamp(i64::MAX - 1)] {
            let window = windows.of(at).next().unwrap();
            assert!(window.start <= at && at < window.end);
        }
    }
}
