//! At every moment, no result is there more than once; some may be missing.

use crate::database::Table;
use crate::oracle::Expected;

use super::never_too_much;

/// What is wrong, if anything.
pub fn at_most_once(name: &str, expected: &Expected, seen: &Table) -> Option<String> {
    never_too_much(name, expected, seen)
}
