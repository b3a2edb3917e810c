//! Files of lines of text that a function turns into records.

use std::path::PathBuf;

use steadfast_formats::Parsed;

use super::line_files::LineFiles;

/// Reads files of lines, of which a function makes records: see [`LineFiles`].
///
/// ```
/// use steadfast_files::TextLines;
///
/// let numbers = TextLines::new(["numbers.txt"], |line: &str| {
///     line.trim().parse::<u64>().map_err(|error| error.to_string())
/// });
/// ```
pub type TextLines<F> = LineFiles<Parsed<F>>;

impl<T: Send + 'static, F> TextLines<F>
where
    F: Fn(&str) -> Result<T, String> + Send + Sync + 'static,
{
    /// Reads `paths`; `parse` makes a record of a line without its line end, or says why it is none.
    pub fn new<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>, parse: F) -> Self {
        LineFiles::in_format(paths, Parsed::new(parse))
    }
}
