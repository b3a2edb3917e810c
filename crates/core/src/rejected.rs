//! A record that a function has refused, on its way to the dead letters.

use serde::{Deserialize, Serialize};

/// A record with the reason for which an operator has refused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected<T> {
    /// The record as it came to the operator.
    pub record: T,
    /// The operator that has refused it.
    pub operator: String,
    /// What its function returned, with the causes, in one line.
    pub reason: String,
}
