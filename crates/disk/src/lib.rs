//! The machine's disk, and the one way to write a file durably.
//!
//! Everything in Steadfast that must survive a power failure is written by [`write_durably`]. This
//! crate knows nothing of what the files mean.
#![deny(missing_docs)]

mod durable;
#[cfg(target_os = "linux")]
mod inotify;
mod system;

pub use durable::{Existing, TEMPORARY, Written, sync_above, write_durably};
pub use system::SystemDisk;
