//! At the end, no result is missing; some may be there more than once.

use std::collections::BTreeMap;

use crate::database::Table;
use crate::oracle::Expected;

use super::counted;

/// What is wrong, if anything.
pub fn at_least_once(name: &str, expected: &Expected, seen: &Table) -> Option<String> {
    if let Expected::Counts(counts) = expected {
        return at_least_counted(name, counts, seen);
    }
    let rows = expected.rows()?;
    let counts = counted(seen);
    let missing =
        rows.iter().find(|(row, n)| counts.get(row.as_str()).copied().unwrap_or(0) < **n)?;
    Some(format!("{name}: row {} is missing", missing.0))
}

/// A count that includes repetitions is greater than it should be, never less.
fn at_least_counted(name: &str, counts: &BTreeMap<u64, u64>, seen: &Table) -> Option<String> {
    let found = |key: u64| {
        let rows = seen.appended.iter().filter_map(|row| serde_json::from_str(row).ok());
        rows.filter(|row: &(u64, u64)| row.0 == key).map(|row| row.1).max().unwrap_or(0)
    };
    let (key, count) = counts.iter().find(|(key, count)| found(**key) < **count)?;
    Some(format!("{name}: {key} was counted {} times, not at least {count}", found(*key)))
}
