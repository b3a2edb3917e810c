//! Reading files.

mod block;
mod compression;
mod csv;
mod cursor;
mod files;
mod finished_file;
mod follow;
mod identity;
mod json_lines;
mod known;
mod line_files;
mod line_reader;
mod lines;
mod pattern;
mod place;
mod planner;
mod read_buffer;
mod recognise;
mod rotated_names;
mod seek;
mod split;
mod stored_path;
mod text_lines;

pub use csv::{Csv, CsvReader};
pub use identity::{Fingerprint, Identity};
pub use json_lines::JsonLines;
pub use line_files::LineFiles;
pub use line_reader::LineReader;
pub use split::{FileSplit, Replaced};
pub use text_lines::TextLines;
