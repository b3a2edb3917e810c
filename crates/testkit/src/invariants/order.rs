//! Rows of one key come in the order of the input, where the job keeps it.
//!
//! It holds for the rows of each process. It holds for all rows of a table too, as long as nobody
//! reads an event again whose row may be there, and nothing was put back.

use super::era;
use crate::observer::Observer;
use crate::shown::{Shown, ShownRow};

/// A row is about to be appended.
pub fn follows(observer: &Observer, name: &str, table: &Shown<'_>, row: &ShownRow<'_>) {
    let Some((group, position)) = row.place else { return };
    let seen = &mut *observer.seen();
    let is_late = |by| table.newest.get(&(by, group)).is_some_and(|newest| *newest >= position);
    let repeats = seen.is_inflated(era(seen, row.by)) || seen.damaged;
    if is_late(Some(row.by)) || !repeats && is_late(None) {
        let (by, text) = (row.by, row.text);
        seen.violations.push(format!("{name}: row {text} of process {by} is out of order"));
    }
}
