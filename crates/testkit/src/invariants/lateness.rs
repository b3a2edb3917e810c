//! Of a job that meets late events: each event is in windows, or it is late, and never both.
//!
//! Which of the two depends on what was read when; so this says nothing of single rows.

use std::collections::BTreeSet;

use steadfast_protocol::manifest::{Consistency, Manifest};

use super::all_must_show;
use crate::input::Summary;
use crate::observer::Seen;
use crate::oracle::{Expected, Oracle, WINDOWS};
use crate::shown::Shown;

/// What is wrong with the two tables after the job has finished, if anything.
pub fn at_end(
    oracle: &Oracle,
    seen: &mut Seen,
    timed: &Shown<'_>,
    late: &Shown<'_>,
    manifest: Option<&Manifest>,
) -> Option<String> {
    let Some(Expected::Late(events)) = oracle.sinks.get("late") else { return None };
    if seen.damaged || seen.is_inflated(seen.era) || events.is_empty() {
        return None;
    }
    let rows = timed.by_key.values();
    let rows = rows.filter_map(|(_, row)| serde_json::from_str::<Summary>(row).ok());
    let in_time: BTreeSet<String> =
        rows.flat_map(|row| row.seen).map(|event| event.to_string()).collect();
    // Whoever was there may have shown a window whose events others had read.
    let all_show = all_must_show(seen, "late");
    let wrong = events.iter().find_map(|event| {
        let ways = (in_time.contains(event), late.appended.contains_key(event.as_str()));
        match ways {
            (true, true) => Some(format!("event {event} is late, and in a window")),
            (false, false) if all_show => {
                Some(format!("event {event} is in no window, and not late"))
            }
            _ => None,
        }
    });
    let counted =
        manifest.and_then(|manifest| manifest.counters.get(WINDOWS)?.get("late").copied());
    let (counted, rows) = (counted.unwrap_or(0), late.appended.len() as u64);
    let is_exact = !seen.has_level(seen.era, Consistency::AtMostOnce);
    seen.count("oracle: late events held against windows");
    if rows > 0 {
        seen.count("time: an event that came too late");
    }
    wrong.or_else(|| {
        let is_wrong = is_exact && counted != rows;
        is_wrong.then(|| format!("{rows} events are late, and {counted} were counted"))
    })
}
