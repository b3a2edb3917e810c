//! Drills: the real binaries, killed, held back and let down for real.
//!
//! The kills live in `tests/kill.rs`; the pauses in [`pauses`], the faults in [`faults`] and the rotated
//! logs in [`follow`], since the whole of them is too long for a test. All compare what a job leaves behind
//! with what an independent loop over the same input computes, or with what was written.

pub mod campaign;
mod durability;
pub mod faults;
pub mod follow;
pub mod job;
pub mod ledger;
pub mod options;
pub mod pauses;
pub mod payments;
mod process;
mod recording;
mod shim;
mod stage;
pub mod verdict;
