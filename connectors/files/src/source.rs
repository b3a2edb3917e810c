//! Reading files.

mod compression;
mod csv;
mod cursor;
mod files;
mod json;
mod json_lines;
mod lines;
mod place;
mod read_buffer;
mod split;

pub use csv::{Csv, CsvReader};
pub use json_lines::{JsonLines, JsonLinesReader};
pub use split::FileSplit;
