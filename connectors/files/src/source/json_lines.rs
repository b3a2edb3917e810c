//! Files in which each line is JSON.

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use steadfast_formats::Json;

use super::line_files::LineFiles;

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
        LineFiles::in_format(paths, Json::new())
    }
}
