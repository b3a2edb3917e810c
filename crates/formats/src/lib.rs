//! Formats: what the bytes of a line, of a key or of a value mean.
//!
//! | format | as a [`Decoder`] | as an [`Encoder`] |
//! |---|---|---|
//! | [`Json`] | a JSON value becomes whatever serde makes of it | yes |
//! | [`CsvRow`] | the fields of one row, without a header | yes |
//! | [`Text`] | text without its line end | yes |
//! | [`Parsed`] | text, of which a function makes a record | |
//! | [`RawBytes`] | the bytes as they are | yes |
//!
//! This is the one place where payloads are decoded; connectors know where payloads begin and end, and what is before
//! and behind them. A format of one's own is a type with one of the two traits of
//! [`steadfast_core::format`](mod@steadfast_core::format).
//!
//! [`Decoder`]: steadfast_core::format::Decoder
//! [`Encoder`]: steadfast_core::format::Encoder
#![deny(missing_docs)]

mod csv;
mod json;
mod raw_bytes;
mod text;

pub use crate::csv::{CsvColumns, CsvRow};
pub use json::{Json, to_json};
pub use raw_bytes::RawBytes;
pub use text::{Parsed, Text};
