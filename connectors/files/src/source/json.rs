//! The JSON parser: the only place that knows which one it is.
//!
//! Measured on payments of 120 bytes, into a struct that owns its strings: `from_slice` takes 385 ns
//! a line; `from_str` on text whose encoding is checked once for a block takes 299 ns, check
//! included. A parser with SIMD instructions takes 295 to 308 ns and overflows its stack on deeply
//! nested input, which would let one bad line kill the process. Hence this one.

use std::ops::Range;
use std::str;

use serde::de::{DeserializeOwned, Error as _};

/// A block of lines whose encoding has been looked at.
pub(super) struct Block<'a> {
    bytes: &'a [u8],
    /// The same as text, unless some line in it is not UTF-8.
    text: Option<&'a str>,
}

impl<'a> Block<'a> {
    /// Looks at the encoding of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Block { bytes, text: str::from_utf8(bytes).ok() }
    }

    /// Parses the line at `range`, which may have a carriage return at its end but no line end.
    ///
    /// # Errors
    /// If the line is not UTF-8, not JSON, or not a `T`.
    #[inline]
    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        range: Range<usize>,
    ) -> Result<T, serde_json::Error> {
        match self.text {
            Some(text) => serde_json::from_str(&text[range]),
            None => parse_unchecked(&self.bytes[range]),
        }
    }
}

/// Parses a line of a block in which some line is not UTF-8.
#[cold]
fn parse_unchecked<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
    match str::from_utf8(line) {
        Ok(text) => serde_json::from_str(text),
        Err(error) => {
            let column = error.valid_up_to() + 1;
            Err(serde_json::Error::custom(format!("invalid UTF-8, column {column}")))
        }
    }
}

/// Why a line does not parse. The parser counts lines from the beginning of what it was given,
/// which is one line: only its column says something.
#[cold]
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    match text.strip_suffix(&format!(" at line {line} column {column}")) {
        Some(what) => format!("{what}, column {column}"),
        None => text,
    }
}

/// Whether a line holds nothing at all.
#[cold]
pub(super) fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}
