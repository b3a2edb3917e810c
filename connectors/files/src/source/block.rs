//! A block of lines, the encoding of which is looked at once. It knows nothing of what a line means.

use std::ops::Range;
use std::str;

use steadfast_core::format::Payload;

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
    pub(super) fn payload(&self, range: Range<usize>) -> Payload<'a> {
        match self.text {
            Some(text) => Payload::Text(&text[range]),
            None => Payload::Bytes(&self.bytes[range]),
        }
    }
}
