//! CSV: one record in each row, behind a header line or without one.

mod extent;
mod reader;
mod recorder;
mod rows;

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Waker;

use serde::de::DeserializeOwned;
use steadfast_core::disk::Disk;
use steadfast_core::source::{FinishedSplit, Planned, Resumed, Source};
use steadfast_core::{Cause, Error, Result};
use steadfast_formats::CsvColumns;

pub use self::reader::CsvReader;
use self::rows::Dialect;
use super::cursor::Cursor;
use super::files::Files;
use super::finished_file::FinishedFile;
use super::planner::Planner;
use super::split::{FileSplit, Replaced};

const LONGEST_ROW: usize = 16 * 1024 * 1024;

/// Reads records of type `T` from CSV files, each of which begins with a header line, unless its columns are named by
/// [`without_header`](Csv::without_header).
///
/// Fields are matched with the fields of `T` by the names of the columns. Quoted fields may hold
/// delimiters, doubled quotes and line ends; therefore each file is read by one task. Files that
/// end in `.gz` or `.zst` are decompressed, and resuming in the middle of one decompresses it from
/// its beginning. Blank lines are passed over.
///
/// Bad input are rows whose number of fields is not that of the columns, fields that do not fit `T`,
/// rows that are too long, and a quote that is open at the end of the file. A last row without a
/// line end is a record if it fits; what is added to that row later is bad input.
///
/// ```
/// # use serde::Deserialize;
/// use steadfast_files::Csv;
///
/// #[derive(Deserialize)]
/// struct Payment {
///     account: String,
///     cents: i64,
/// }
/// let payments = Csv::<Payment>::new(["monday.csv", "tuesday.csv.gz"]).delimiter(b';');
/// ```
pub struct Csv<T> {
    files: Files,
    dialect: Dialect,
    /// Those of files without a header.
    columns: Option<CsvColumns>,
    replaced: Replaced,
    records: PhantomData<fn() -> T>,
}

impl<T> Csv<T> {
    /// Reads `paths`, each file once. Relative ones are taken from the working folder of now.
    pub fn new<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        let dialect = Dialect { delimiter: b',', longest: LONGEST_ROW };
        let (files, replaced) = (Files::new(paths), Replaced::Refuse);
        Csv { files, dialect, columns: None, replaced, records: PhantomData }
    }

    /// Reads from another disk, such as a simulated one.
    #[must_use]
    pub fn on_disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.files.disk = disk;
        self
    }

    /// What to do with a file that is not the one that was read under its name: one that was replaced,
    /// shortened, or changed before the position up to which it was read.
    #[must_use]
    pub fn replaced_files(mut self, replaced: Replaced) -> Self {
        self.replaced = replaced;
        self
    }

    /// The files have no header: each row is a record, and these are the names of its fields.
    ///
    /// ```
    /// # #[derive(serde::Deserialize)]
    /// # struct Payment {
    /// #     account: String,
    /// #     cents: i64,
    /// # }
    /// use steadfast_files::Csv;
    ///
    /// let payments = Csv::<Payment>::new(["monday.csv"]).without_header(["account", "cents"]);
    /// ```
    #[must_use]
    pub fn without_header<N: AsRef<[u8]>>(mut self, columns: impl IntoIterator<Item = N>) -> Self {
        self.columns = Some(CsvColumns::new(columns));
        self
    }

    /// What stands between fields; a comma if not set.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.dialect.delimiter = delimiter;
        self
    }

    /// Rows longer than this are bad input, which bounds what a quote that is never closed can do
    /// to the memory; 16 MiB if not set.
    #[must_use]
    pub fn longest_row(mut self, bytes: usize) -> Self {
        self.dialect.longest = bytes;
        self
    }
}

impl<T: DeserializeOwned + Send + 'static> Source for Csv<T> {
    type Item = T;
    type Split = FileSplit;
    type Reader = CsvReader<T>;

    fn plan(&self, resumed: Resumed<FileSplit>, readers: usize) -> Result<Planned<FileSplit>> {
        if matches!(self.dialect.delimiter, b'"' | b'\r' | b'\n') {
            let what = "a quote or a line end cannot stand between fields";
            return Err(Error::because(Cause::OPTION, what));
        }
        let (files, replaced) = (&self.files, self.replaced);
        Planner { files, readers, split_bytes: None, divides: false, replaced }.plan(resumed)
    }

    fn open(&self, split: FileSplit, _waker: &Waker) -> Result<CsvReader<T>> {
        CsvReader::open(Cursor::new(split, &self.files), self.dialect, self.columns.clone())
    }

    fn remember(&self, finished: &FileSplit) -> Option<FinishedSplit> {
        FinishedFile::of(finished).map(|file| file.encode())
    }

    fn total(&self) -> Option<u64> {
        Some(self.files.total_bytes())
    }

    fn describe(&self) -> String {
        self.files.describe()
    }

    fn describe_split(&self, split: &FileSplit) -> String {
        split.to_string()
    }
}
