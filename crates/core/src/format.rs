//! The contract of a format: bytes become records, and records bytes.
//!
//! A format knows nothing of files, topics or positions: a connector hands it one payload after the other, such as a
//! line of a file, the key of a message, or its value. What the connector reads from keys and from values are two
//! formats, which need not be the same.
//!
//! A format is a value that is cloned for each reader and writer. What its clone remembers of one payload may make it
//! faster at the next, and must never change what it makes of it.

use std::str;

/// Makes records of payloads.
///
/// ```
/// use steadfast_core::format::{DecodeError, Decoder, Payload};
///
/// /// `name=amount`
/// #[derive(Clone)]
/// struct Assignment;
///
/// impl Decoder for Assignment {
///     type Record = (String, i64);
///
///     fn decode(&mut self, payload: Payload<'_>) -> Result<(String, i64), DecodeError> {
///         let text = payload.text()?;
///         let Some((name, amount)) = text.split_once('=') else {
///             return Err(DecodeError::new("there is no '='"));
///         };
///         let wrong = |error| DecodeError::new(format!("{error}")).at(name.len() + 1);
///         Ok((name.to_string(), amount.parse().map_err(wrong)?))
///     }
/// }
///
/// let error = Assignment.decode(Payload::Text("rent=x")).unwrap_err();
/// assert_eq!(error.to_string(), "invalid digit found in string, column 6");
/// ```
pub trait Decoder: Clone + Send + Sync + 'static {
    /// What a payload becomes.
    type Record: Send + 'static;

    /// The record in a payload.
    ///
    /// # Errors
    /// Why it is none, and where in the payload if that is known. The connector adds the place of the payload.
    fn decode(&mut self, payload: Payload<'_>) -> Result<Self::Record, DecodeError>;
}

/// Makes payloads of records.
///
/// ```
/// use steadfast_core::format::{EncodeError, Encoder};
///
/// #[derive(Clone)]
/// struct Decimal;
///
/// impl Encoder for Decimal {
///     type Record = u64;
///
///     fn encode(&mut self, number: &u64, payload: &mut Vec<u8>) -> Result<(), EncodeError> {
///         payload.extend_from_slice(number.to_string().as_bytes());
///         Ok(())
///     }
/// }
/// ```
pub trait Encoder: Clone + Send + Sync + 'static {
    /// What becomes a payload.
    type Record: Send + 'static;

    /// Appends the payload of a record. What is in `payload` already stays.
    ///
    /// # Errors
    /// Why the record has no payload. What was appended by then means nothing.
    fn encode(&mut self, record: &Self::Record, payload: &mut Vec<u8>) -> Result<(), EncodeError>;
}

/// Bytes to be decoded, and whether they are known to be text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// They are UTF-8: a connector that reads many payloads at once looks at all of them in one go.
    Text(&'a str),
    /// Nobody has looked.
    Bytes(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// The payload as text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    #[inline]
    pub fn text(self) -> Result<&'a str, DecodeError> {
        match self {
            Payload::Text(text) => Ok(text),
            Payload::Bytes(bytes) => looked_at(bytes),
        }
    }

    /// The payload as bytes.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Payload::Text(text) => text.as_bytes(),
            Payload::Bytes(bytes) => bytes,
        }
    }
}

#[cold]
fn looked_at(bytes: &[u8]) -> Result<&str, DecodeError> {
    str::from_utf8(bytes).map_err(|e| match compression(bytes) {
        Some(what) => DecodeError::new(what),
        None => DecodeError::new("invalid UTF-8").at(e.valid_up_to()),
    })
}

/// How compressed contents begin, and what to say of them.
const COMPRESSIONS: [(&[u8], &str); 3] = [
    (&[0x1f, 0x8b], "this looks like gzip: a file is decompressed if its name ends in .gz"),
    (
        &[0x28, 0xb5, 0x2f, 0xfd],
        "this looks like Zstandard: a file is decompressed if its name ends in .zst",
    ),
    (b"BZh", "this looks like bzip2, which is not read: decompress it first"),
];

/// What to say of bytes that are no text and begin as compressed contents do; none if they do not.
///
/// ```
/// use steadfast_core::format::compression;
///
/// assert!(compression(&[0x1f, 0x8b, 8, 0]).unwrap().contains("gzip"));
/// assert_eq!(compression(b"{}"), None);
/// ```
pub fn compression(bytes: &[u8]) -> Option<&'static str> {
    let found = COMPRESSIONS.iter().find(|(beginning, _)| bytes.starts_with(beginning));
    found.map(|(_, what)| *what)
}

/// Why a payload is no record. Shown as `reason, column 12`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", column(*.position))]
pub struct DecodeError {
    reason: String,
    position: Option<usize>,
}

impl DecodeError {
    /// For people: what is wrong, without the payload.
    pub fn new(reason: impl Into<String>) -> Self {
        DecodeError { reason: reason.into(), position: None }
    }

    /// Where in the payload: bytes before it.
    #[must_use]
    pub fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }

    /// The bytes of the payload before what is wrong, if that is known.
    pub fn position(&self) -> Option<usize> {
        self.position
    }
}

fn column(position: Option<usize>) -> String {
    position.map_or_else(String::new, |before| format!(", column {}", before + 1))
}

/// Why a record has no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(String);

impl EncodeError {
    /// For people: what is wrong.
    pub fn new(reason: impl Into<String>) -> Self {
        EncodeError(reason.into())
    }
}
