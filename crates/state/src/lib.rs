//! Keyed state: tables that know what changed, freeze in microseconds and travel by key group.
//!
//! A [`Table`] belongs to one task and holds its share of the key groups. Entries lie in small
//! pages (`page.rs`) that are copied only if they are written while a snapshot still reads them.
//! Freezing therefore hands over pointers; `frozen.rs` turns them into self-describing state files
//! (`file.rs`) beside the workers.
//!
//! This crate knows nothing of barriers, tasks or stores.
#![deny(missing_docs)]

mod chain;
mod file;
mod frozen;
mod index;
mod page;
mod prefetch;
mod shard;
mod state;
mod table;

pub use state::{State, encoded_bytes};
pub use table::{Slot, Table};
