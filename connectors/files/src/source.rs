//! Reading files.

mod compression;
mod csv;
mod cursor;
mod files;
mod json;
mod line_files;
mod line_format;
mod lines;
mod place;
mod read_buffer;
mod split;
mod text;

pub use csv::{Csv, CsvReader};
pub use json::{Json, JsonLines};
pub use line_files::{LineFiles, LineReader};
pub use line_format::{Line, LineFormat};
pub use split::FileSplit;
pub use text::{Text, TextLines};
