//! What a line means: from its bytes to a record. It knows nothing of files or positions.

use std::ops::Range;
use std::str;

/// A format in which each line is a record.
pub trait LineFormat: Send + Sync + 'static {
    /// What a line becomes.
    type Record: Send + 'static;

    /// The record in a line, which may have a carriage return at its end but no line end.
    ///
    /// # Errors
    /// Why it is none, for people; with the column where there is one.
    fn parse(&self, line: Line<'_>) -> Result<Self::Record, String>;
}

/// A line, and whether it is known to be text.
#[derive(Clone, Copy, Debug)]
pub enum Line<'a> {
    /// It is UTF-8.
    Text(&'a str),
    /// Nobody has looked.
    Bytes(&'a [u8]),
}

impl<'a> Line<'a> {
    /// The line as text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    #[inline]
    pub fn text(self) -> Result<&'a str, String> {
        match self {
            Line::Text(text) => Ok(text),
            Line::Bytes(bytes) => looked_at(bytes),
        }
    }
}

#[cold]
fn looked_at(bytes: &[u8]) -> Result<&str, String> {
    let column = |error: str::Utf8Error| error.valid_up_to() + 1;
    str::from_utf8(bytes).map_err(|error| format!("invalid UTF-8, column {}", column(error)))
}

/// A block of lines, the encoding of which is looked at once.
pub(super) struct Block<'a> {
    bytes: &'a [u8],
    /// The same as text, unless some line in it is not UTF-8.
    text: Option<&'a str>,
}

impl<'a> Block<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Block { bytes, text: str::from_utf8(bytes).ok() }
    }

    /// The line at `range`.
    #[inline]
    pub(super) fn line(&self, range: Range<usize>) -> Line<'a> {
        match self.text {
            Some(text) => Line::Text(&text[range]),
            None => Line::Bytes(&self.bytes[range]),
        }
    }
}
