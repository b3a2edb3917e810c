//! Reading files.

mod compression;
mod csv;
mod cursor;
mod files;
mod finished_file;
mod follow;
mod identity;
mod json;
mod known;
mod line_files;
mod line_format;
mod line_reader;
mod lines;
mod pattern;
mod place;
mod read_buffer;
mod recognise;
mod split;
mod stored_path;
mod text;

pub use csv::{Csv, CsvReader};
pub use identity::{Fingerprint, Identity};
pub use json::{Json, JsonLines};
pub use line_files::LineFiles;
pub use line_format::{Line, LineFormat};
pub use line_reader::LineReader;
pub use split::{FileSplit, Replaced};
pub use text::{Text, TextLines};
