//! At the end, a reader sees every result exactly once.

use std::collections::BTreeMap;

use crate::database::Table;
use crate::oracle::Expected;

use super::counted;

/// What is wrong, if anything.
pub fn exactly_once(name: &str, expected: &Expected, seen: &Table) -> Option<String> {
    if let Expected::ByKey(rows) = expected {
        return by_key(name, rows, seen);
    }
    let rows = expected.rows()?;
    let counts = counted(seen);
    for (row, times) in &rows {
        let found = counts.get(row.as_str()).copied().unwrap_or(0);
        if found != *times {
            return Some(format!("{name}: row {row} is there {found} times, not {times}"));
        }
    }
    let foreign = counts.keys().find(|row| !rows.contains_key(**row))?;
    Some(format!("{name}: row {foreign} should not be there"))
}

fn by_key(name: &str, rows: &BTreeMap<String, String>, seen: &Table) -> Option<String> {
    if *rows == seen.by_key {
        return None;
    }
    let wrong = rows.iter().find(|(key, row)| seen.by_key.get(*key) != Some(row));
    Some(match wrong {
        Some((key, row)) => format!("{name}: key {key} has {:?}, not {row}", seen.by_key.get(key)),
        None => format!("{name}: there are keys that should not be there"),
    })
}
