//! Numbers as people read them: counts, sizes, durations.

use std::time::{Duration, UNIX_EPOCH};

use steadfast_core::time::Timestamp;

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `3250000` as `3.3 MB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1000.0;
    let mut unit = 0;
    // What would be printed as 1000.0 belongs to the next unit.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A duration in one or two units, such as `450 ms`, `3.2 s`, `2 min 5 s`, `3 h 10 min`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.as_micros() < 1000 => format!("{} us", time.as_micros()),
        0 if time.as_millis() < 10 => format!("{:.1} ms", time.as_secs_f64() * 1000.0),
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A point in time for people; one before 1970 is shown as 1970.
pub fn moment(at: Timestamp) -> String {
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or(0));
    humantime::format_rfc3339_seconds(at).to_string()
}

/// How many of `total` are `part`, in whole per cent; none if there is no total. Only all of it is
/// 100.
pub fn percent(part: u64, total: u64) -> Option<u64> {
    match total {
        0 => None,
        _ if part >= total => Some(100),
        _ => Some((u128::from(part) * 100 / u128::from(total)) as u64),
    }
}

/// Milliseconds with three decimals at most.
pub fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 999, 1000, 999_950, 3_250_000].map(bytes),
            ["0 B", "999 B", "1.0 kB", "1.0 MB", "3.2 MB"]
        );
    }

    #[test]
    fn durations_are_readable() {
        let shown = [150, 2_500, 450_000, 3_200_000, 125_000_000, 11_400_000_000, 180_000_000_000]
            .map(|us| duration(Duration::from_micros(us)));
        assert_eq!(
            shown,
            ["150 us", "2.5 ms", "450 ms", "3.2 s", "2 min 5 s", "3 h 10 min", "2 d 2 h"]
        );
    }

    #[test]
    fn a_part_is_never_all() {
        assert_eq!(percent(999, 1000), Some(99));
        assert_eq!(percent(1000, 1000), Some(100));
        assert_eq!(percent(1, 0), None);
    }
}
