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
    Ok(Windows::given(move |at| day_of(at, &found).unwrap_or_else(|| day_of_utc(at))))
}

/// The day that `at` is in; none at the ends of time.
fn day_of(at: Timestamp, zone: &TimeZone) -> Option<Window> {
    let at = Instant::from_millisecond(at.0).ok()?.to_zoned(zone.clone());
    let start = at.start_of_day().ok()?;
    let end = start.checked_add(Span::new().days(1)).and_then(|next| next.start_of_day()).ok()?;
    let millis = |at: Zoned| Timestamp(at.timestamp().as_millisecond());
    Some(Window { start: millis(start), end: millis(end) })
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
