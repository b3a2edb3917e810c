//! A line of the combined log format:
//!
//! ```text
//! 203.0.113.9 - - [10/Oct/2025:13:55:36 +0200] "GET /index.html HTTP/1.1" 200 2326 "-" "curl/8.5"
//! ```

use serde::{Deserialize, Serialize};
use steadfast::prelude::*;

/// What is used of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// When it happened.
    pub at: Timestamp,
    /// What was asked for.
    pub url: String,
}

/// Makes a hit of a line.
///
/// # Errors
/// What is missing.
pub fn parse(line: &str) -> std::result::Result<Hit, String> {
    let (_, rest) = line.split_once('[').ok_or("there is no time in brackets")?;
    let (time, rest) = rest.split_once("] \"").ok_or("there is no request behind the time")?;
    let request = &rest[..end_of_quoted(rest).ok_or("the request does not end")?];
    let url = request.split(' ').nth(1).ok_or("the request names no URL")?;
    let at = jiff::Timestamp::strptime("%d/%b/%Y:%H:%M:%S %z", time)
        .map_err(|error| format!("the time '{time}' cannot be read: {error}"))?;
    Ok(Hit { at: Timestamp(at.as_millisecond()), url: url.to_string() })
}

/// Where the quote is that ends a quoted text; within it, quotes have a backslash before them.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_hit() {
        let line = r#"203.0.113.9 - bob [10/Oct/2025:13:55:36 +0200] "GET /a?b=\"c\" HTTP/1.1" 200 7 "-" "x""#;
        let hit = parse(line).unwrap();
        assert_eq!(hit, Hit { at: Timestamp(1_760_097_336_000), url: r#"/a?b=\"c\""#.to_string() });
    }

    #[test]
    fn what_is_no_line_is_told() {
        for line in ["", "[10/Oct/2025:13:55:36 +0200]", r#"[yesterday] "GET / HTTP/1.1""#] {
            assert!(parse(line).is_err(), "{line}");
        }
        let request = r#"- - - [10/Oct/2025:13:55:36 +0200] "-" 408 0"#;
        assert_eq!(parse(request).unwrap_err(), "the request names no URL");
    }
}
