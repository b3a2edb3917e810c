//! At every moment, also in the middle of a run, a reader sees no appended row more often than it
//! is due.

use crate::database::Table;
use crate::oracle::Expected;

use super::counted;

/// What is wrong, if anything.
pub fn never_too_much(name: &str, expected: &Expected, seen: &Table) -> Option<String> {
    let rows = expected.rows()?;
    let counts = counted(seen);
    let (row, found) =
        counts.iter().find(|(row, n)| **n > rows.get(**row).copied().unwrap_or(0))?;
    Some(format!("{name}: row {row} is already there {found} times"))
}
