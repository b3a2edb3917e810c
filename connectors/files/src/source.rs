//! Reading files.

mod compression;
mod json_lines;
mod lines;
mod split;

pub use json_lines::JsonLines;
pub use split::FileSplit;
