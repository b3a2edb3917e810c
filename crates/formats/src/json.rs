//! JSON, by whatever serde makes of it.
//!
//! Payloads of one source mostly look alike: the same fields in the same order. So the text between the values of the
//! last payload is compared instead of parsed ([`shape`]), and of values the simple ones are read here ([`object`]),
//! which takes half the time. Whatever is not simple is given to `serde_json`, a value at a time or the whole payload:
//! it alone decides what is wrong, and the words for it. What was measured: `docs/decisions/0005-decoding.md`.

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::Formatter;
use steadfast_core::format::{DecodeError, Decoder, EncodeError, Encoder, Payload};

use self::object::Object;
use self::shape::Shape;

mod finite;
mod object;
mod scan;
mod shape;
mod value;

/// After so many payloads in a row that had to be decoded a second time, the attempt is not worth it.
const FAILED_ATTEMPTS: u32 = 8;
/// So many payloads are decoded without an attempt then.
const WITHOUT_ATTEMPT: u32 = 1_000;

/// A payload is a JSON value that becomes a `T`, and a `T` one that is written without line ends.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use steadfast_core::format::{Decoder, Encoder, Payload};
/// use steadfast_formats::Json;
///
/// #[derive(Serialize, Deserialize)]
/// struct Click {
///     user: String,
/// }
///
/// let mut clicks = Json::<Click>::new();
/// let click = clicks.decode(Payload::Text(r#"{"user": "ada"}"#)).unwrap();
/// let mut payload = Vec::new();
/// clicks.encode(&click, &mut payload).unwrap();
/// assert_eq!(payload, br#"{"user":"ada"}"#);
///
/// let error = clicks.decode(Payload::Text(r#"{"user": 7}"#)).err().unwrap();
/// assert_eq!(error.to_string(), "invalid type: integer `7`, expected a string, column 10");
/// ```
pub struct Json<T> {
    shape: Shape,
    /// Attempts that failed in a row.
    failed: u32,
    /// Payloads that are to be decoded without an attempt.
    skipped: u32,
    /// Whether numbers in values of any type keep all their digits: something in the program has asked
    /// `serde_json` for `arbitrary_precision`.
    keeps_digits: bool,
    records: PhantomData<fn() -> T>,
}

impl<T> Json<T> {
    /// The format.
    pub fn new() -> Self {
        let tenth: Result<serde_json::Number, _> = serde_json::from_str("1.10");
        let keeps_digits = tenth.is_ok_and(|number| number.to_string() == "1.10");
        let (shape, records) = (Shape::default(), PhantomData);
        Json { shape, failed: 0, skipped: 0, keeps_digits, records }
    }
}

impl<T> Default for Json<T> {
    fn default() -> Self {
        Json::new()
    }
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        Json::new()
    }
}

impl<T: DeserializeOwned + Send + 'static> Decoder for Json<T> {
    type Record = T;

    #[inline]
    fn decode(&mut self, payload: Payload<'_>) -> Result<T, DecodeError> {
        let text = payload.text()?;
        if self.skipped > 0 {
            self.skipped -= 1;
            return decode_whole(text);
        }
        let mut object = Object::new(text, &mut self.shape, self.keeps_digits);
        if let Ok(record) = T::deserialize(&mut object)
            && object.is_complete()
        {
            self.failed = 0;
            return Ok(record);
        }
        self.has_failed();
        decode_whole(text)
    }
}

impl<T> Json<T> {
    #[cold]
    fn has_failed(&mut self) {
        self.failed += 1;
        if self.failed == FAILED_ATTEMPTS {
            (self.failed, self.skipped) = (0, WITHOUT_ATTEMPT);
        }
    }
}

/// What `serde_json` makes of it. A byte order mark, which editors put before the first line of a file, says nothing.
#[cold]
fn decode_whole<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(bare).map_err(|error| {
        let error = reason(&error, bare);
        match error.position() {
            Some(position) => error.at(position + text.len() - bare.len()),
            None => error,
        }
    })
}

/// Its words, with the position as the bytes before it instead of as line and column.
fn reason(error: &serde_json::Error, text: &str) -> DecodeError {
    let words = error.to_string();
    let (line, column) = (error.line(), error.column());
    let Some(what) = words.strip_suffix(&format!(" at line {line} column {column}")) else {
        return DecodeError::new(words);
    };
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    DecodeError::new(what).at(before + column.saturating_sub(1))
}

impl<T: Serialize + Send + 'static> Encoder for Json<T> {
    type Record = T;

    #[inline]
    fn encode(&mut self, record: &T, payload: &mut Vec<u8>) -> Result<(), EncodeError> {
        to_json(record, payload)
    }
}

/// Appends `value` as JSON, without line ends. What JSON does not have is refused, and not written as `null`.
///
/// ```
/// use steadfast_formats::to_json;
///
/// #[derive(serde::Serialize)]
/// struct Price {
///     cents: Option<f64>,
/// }
///
/// let mut payload = Vec::new();
/// to_json(&Price { cents: None }, &mut payload).unwrap();
/// assert_eq!(payload, br#"{"cents":null}"#);
/// let error = to_json(&Price { cents: Some(f64::NAN) }, &mut payload).unwrap_err();
/// assert_eq!(error.to_string(), "field 'cents': NaN is a number that JSON cannot hold");
/// ```
///
/// # Errors
/// Why the value has no JSON: it holds a NaN or an infinity, has keys that are no texts, or its `Serialize` fails. What
/// was appended by then means nothing.
#[inline]
pub fn to_json<T: Serialize + ?Sized>(value: &T, payload: &mut Vec<u8>) -> Result<(), EncodeError> {
    let has_null = Cell::new(false);
    let mut serializer = serde_json::Serializer::with_formatter(payload, NotesNull(&has_null));
    value.serialize(&mut serializer).map_err(|error| EncodeError::new(error.to_string()))?;
    match has_null.get() {
        true => finite::check(value).map_err(|unfit| EncodeError::new(unfit.to_string())),
        false => Ok(()),
    }
}

/// Writes JSON without spaces, and notes whether there is a `null` in it.
struct NotesNull<'a>(&'a Cell<bool>);

impl Formatter for NotesNull<'_> {
    #[inline]
    fn write_null<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.set(true);
        writer.write_all(b"null")
    }
}
