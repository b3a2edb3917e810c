//! The names of objects in a job's store.
//!
//! ```text
//! log/0000000042                              a claim or a checkpoint
//! data/0000000042-0000000040-3-totals.state   what checkpoint 42 (of generation 40) added; object 3 of the generation
//! ```
//!
//! A data object's name carries the generation and a number that its writer gives to no other object, so
//! two processes never want the same name, and no name is used twice.

use steadfast_core::id::{CheckpointId, Generation};

/// The folder of the commit log.
pub const LOG: &str = "log/";
/// The folder of everything that checkpoints refer to.
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
pub fn data(checkpoint: CheckpointId, generation: Generation, sequence: u64, what: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let what: String = what.chars().map(plain).collect();
    format!("{DATA}{:010}-{:010}-{sequence}-{what}", checkpoint.0, generation.0)
}

/// The generation that wrote a data object, if `name` is one.
pub fn data_generation(name: &str) -> Option<Generation> {
    name.strip_prefix(DATA)?.split('-').nth(1)?.parse().ok().map(Generation)
}
