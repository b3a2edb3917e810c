//! What must hold: one invariant in each file. Each gets what the oracle expects of a table and
//! what a reader sees, and says what is wrong.

mod at_least_once;
mod at_most_once;
mod exactly_once;
mod never_too_much;

pub use at_least_once::at_least_once;
pub use at_most_once::at_most_once;
pub use exactly_once::exactly_once;
pub use never_too_much::never_too_much;

use std::collections::BTreeMap;

use crate::database::Table;

/// How often each row is there.
fn counted(table: &Table) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for row in &table.appended {
        *counts.entry(row.as_str()).or_default() += 1;
    }
    counts
}
