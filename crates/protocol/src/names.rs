//! The names of objects in a job's store.
//!
//! ```text
//! log/0000000042                              a claim or a cut
//! data/0000000042-0000000040-3-totals.state   what cut 42 (of epoch 40) added; object 3 of the epoch
//! ```
//!
//! A data object's name carries the epoch and a number that its writer gives to no other object, so
//! two processes never want the same name, and no name is used twice.

use steadfast_core::id::{CheckpointId, Epoch};

/// The folder of the commit log.
pub const LOG: &str = "log/";
/// The folder of everything that cuts refer to.
pub const DATA: &str = "data/";

/// The name of a log entry.
pub fn log_entry(number: u64) -> String {
    format!("{LOG}{number:010}")
}

/// The number of a log entry, if `name` is one.
pub fn log_number(name: &str) -> Option<u64> {
    name.strip_prefix(LOG)?.parse().ok()
}

/// The name of a data object. `what` is for people only; what could not stand in a file name is
/// replaced.
pub fn data(checkpoint: CheckpointId, epoch: Epoch, sequence: u64, what: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let what: String = what.chars().map(plain).collect();
    format!("{DATA}{:010}-{:010}-{sequence}-{what}", checkpoint.0, epoch.0)
}

/// The epoch that wrote a data object, if `name` is one.
pub fn data_epoch(name: &str) -> Option<Epoch> {
    name.strip_prefix(DATA)?.split('-').nth(1)?.parse().ok().map(Epoch)
}
