//! Files as sources and sinks.
//!
//! - [`JsonLines`] reads JSON Lines, plain or compressed (`.gz`, `.zst`), many files and byte ranges
//!   of large ones in parallel, and resumes at any line.
//! - [`TextLines`] reads lines in the same way, of which a function makes records; [`LineFiles`] in any format.
//! - [`Csv`] reads CSV with a header line in the same way, each file in one piece.
//! - [`JsonLinesSink`] writes JSON Lines into a folder, one part for each checkpoint; a part is
//!   there whole or not at all.
//! - [`DeadLetterSink`] does the same for input that is not a record, and for records that an operator has refused.
//! - [`StdoutSink`] prints JSON Lines, at least once.
//!
//! Sources read on the worker that asks: local files come from the page cache, which is faster than
//! handing them over from another thread. This crate knows nothing of the engine that runs it.
#![deny(missing_docs)]

mod sink;
mod source;

pub use sink::{DeadLetter, DeadLetterSink, JsonLinesSink, StdoutSink};
pub use source::{
    Csv, CsvReader, FileSplit, Fingerprint, Identity, JsonLines, LineFiles, LineReader, Replaced,
    TextLines,
};
