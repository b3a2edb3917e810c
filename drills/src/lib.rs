//! Drills: the real binaries, killed and held back for real.
//!
//! The kills live in `tests/kill.rs`; the pauses in [`pauses`], since their whole is too long for a
//! test. Both compare what a job leaves behind with what an independent loop over the same input
//! computes.

pub mod ledger;
pub mod pauses;
pub mod payments;
