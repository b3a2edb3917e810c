//! Stores: where the objects of a job lie.

mod file;
mod memory;
mod retrying;

pub use file::FileStore;
pub use memory::MemoryStore;
pub use retrying::{RetryPolicy, RetryingStore};

#[cfg(test)]
mod tests;
