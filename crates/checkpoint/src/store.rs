//! Stores: where the objects of a job lie.

mod file;
mod memory;

pub use file::FileStore;
pub use memory::MemoryStore;

#[cfg(test)]
mod tests;
