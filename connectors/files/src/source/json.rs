//! JSON in a line. This is the only place that knows which one it is.
//!
//! Measured on payments of 120 bytes, into a struct that owns its strings: `from_slice` takes 385 ns
//! a line; `from_str` on text whose encoding is checked once for a block takes 299 ns, check
//! included. A parser with SIMD instructions takes 295 to 308 ns and overflows its stack on deeply
//! nested input, which would let one bad line kill the process. Hence this one.

use std::marker::PhantomData;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::line_files::LineFiles;
use super::line_format::{Line, LineFormat};

/// Each line is a JSON value that becomes a `T`.
pub struct Json<T>(PhantomData<fn() -> T>);

/// Reads records of type `T` from JSON Lines files: see [`LineFiles`].
///
/// ```
/// # use serde::Deserialize;
/// use steadfast_files::JsonLines;
///
/// #[derive(Deserialize)]
/// struct Click {
///     user: String,
/// }
/// let clicks = JsonLines::<Click>::new(["monday.jsonl", "tuesday.jsonl.gz"]);
/// ```
pub type JsonLines<T> = LineFiles<Json<T>>;

impl<T: DeserializeOwned + Send + 'static> JsonLines<T> {
    /// Reads `paths`. Relative ones are taken from the working folder of now.
    pub fn new<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        LineFiles::in_format(paths, Json(PhantomData))
    }
}

impl<T: DeserializeOwned + Send + 'static> LineFormat for Json<T> {
    type Record = T;

    #[inline]
    fn parse(&self, line: Line<'_>) -> Result<T, String> {
        let text = line.text()?;
        serde_json::from_str(text).map_err(|error| reason(&error))
    }
}

/// Why a line does not parse. The parser counts lines from the beginning of what it was given,
/// which is one line: only its column says something.
#[cold]
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    match text.strip_suffix(&format!(" at line {line} column {column}")) {
        Some(what) => format!("{what}, column {column}"),
        None => text,
    }
}
