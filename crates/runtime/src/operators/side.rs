//! What leaves an operator through its side: records of another kind than its results.

use serde::{Deserialize, Serialize};

/// A result, or what leaves through the side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sided<A, B> {
    /// A result.
    Main(A),
    /// What leaves through the side.
    Side(B),
}
