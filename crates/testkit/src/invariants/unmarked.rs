//! A target without a marker: nothing is lost, no row is there that is not due, and a row is there
//! more than once only for a reason.
//!
//! There are three reasons: somebody has taken the job over, and shows the output of the checkpoint
//! at which he begins again; a call was not answered, and is made again; or an event was read again,
//! by a process that may do so or after damage. So a process that nobody has disturbed shows a row
//! of its own once and one of another once, and what it shows of one process is in order.

use steadfast_protocol::manifest::Consistency;

use super::{era, is_due};
use crate::observer::{Observer, Seen};
use crate::oracle::{Expected, Oracle};
use crate::shown::{Shown, ShownRow};

/// A row is about to be shown by the process `shown_by`.
pub fn shows(
    oracle: &Oracle,
    observer: &Observer,
    name: &str,
    table: &Shown<'_>,
    row: &ShownRow<'_>,
    shown_by: u16,
) {
    let seen = &mut *observer.seen();
    if let Some(what) = problem(oracle, seen, name, table, row, shown_by) {
        let ShownRow { by, text, .. } = row;
        let what = format!("{name}: row {text} of process {by}, shown by {shown_by}, {what}");
        seen.violations.push(what);
    }
    if row.by != shown_by {
        seen.count("unmarked: shown again by recovery");
    }
}

fn problem(
    oracle: &Oracle,
    seen: &mut Seen,
    name: &str,
    table: &Shown<'_>,
    row: &ShownRow<'_>,
    shown_by: u16,
) -> Option<&'static str> {
    let own = era(seen, row.by);
    if !is_due(oracle, name, row.text, seen.is_inflated(own)) {
        return Some("is not due");
    }
    if seen.claim_of(shown_by).is_none() {
        return Some("comes from a process that has claimed nothing");
    }
    if row.by != shown_by && seen.level(row.by) != Consistency::ExactlyOnce {
        return Some("was not to be shown again");
    }
    let repeats = |by: u16| seen.level(by) == Consistency::AtLeastOnce;
    let mut others = table.appended.get(row.id).into_iter().flatten().map(|(by, _)| *by);
    let is_computed_again = !seen.damaged
        && !repeats(row.by)
        && others.any(|by| by != row.by && !repeats(by) && era(seen, by) == own);
    if is_computed_again {
        return Some("was computed again after it was committed");
    }
    let (group, position) = row.place?;
    let last = seen.shown.insert((shown_by, row.by, group), position);
    let is_disturbed = seen.processes[usize::from(shown_by)].disturbed;
    let is_late = !is_disturbed && last.is_some_and(|last| last >= position);
    is_late.then_some("is there already, or out of order")
}

/// What is missing after the job has finished, if anything. `must_read` says of an event whether its
/// row must be there.
pub fn at_end(
    oracle: &Oracle,
    seen: &Seen,
    name: &str,
    table: &Shown<'_>,
    must_read: impl Fn((usize, usize)) -> bool,
) -> Option<String> {
    let Some(Expected::PerEvent { events, .. }) = oracle.sinks.get(name) else { return None };
    // What was shown before a reset stays, and must be there again; unless the store was put back to
    // where nobody had reset it.
    let is_there = |row: &str| {
        let counts = |by: u16| seen.restorations > 0 || era(seen, by) == seen.era;
        table.appended.get(row).is_some_and(|rows| rows.iter().any(|(by, _)| counts(*by)))
    };
    let (row, at) = events.iter().find(|(row, at)| must_read(**at) && !is_there(row))?;
    Some(format!(
        "{name}: row {row} was never shown, last read by {:?}",
        seen.last_reader(at.0, at.1)
    ))
}
