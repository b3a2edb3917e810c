//! Stores: where the objects of a job lie.

mod file;
mod memory;
mod patient;

pub use file::FileStore;
pub use memory::MemoryStore;
pub use patient::{Patience, PatientStore};

#[cfg(test)]
mod tests;
