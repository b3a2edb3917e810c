//! Writing files.

mod dead_letters;
mod folder;
mod json_lines;
mod staged;
mod stdout;

pub use dead_letters::{DeadLetter, DeadLetterSink};
pub use json_lines::JsonLinesSink;
pub use stdout::StdoutSink;
