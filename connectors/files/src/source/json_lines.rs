//! JSON Lines: one JSON value in each line.

use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use steadfast_core::source::{BadRecord, Intake, Polled, Source, SplitReader, SplitStatus};
use steadfast_core::time::Timestamp;
use steadfast_core::{Error, Result};

use super::compression::{Compression, Contents};
use super::lines::{Line, Lines};
use super::split::{FileSplit, Planner};

const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// Reads records of type `T` from JSON Lines files.
///
/// Files that end in `.gz` or `.zst` are decompressed; those are read by one task each, and
/// resuming in the middle of one decompresses it from its beginning. Plain files are divided into
/// byte ranges that are read in parallel. Blank lines are passed over. A last line without a line
/// end is a record if it parses, and bad input otherwise.
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
pub struct JsonLines<T> {
    paths: Vec<PathBuf>,
    split_bytes: Option<u64>,
    longest_line: usize,
    records: PhantomData<fn() -> T>,
}

impl<T> JsonLines<T> {
    /// Reads `paths`. Relative ones are taken from the working folder of now.
    pub fn new<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let paths = paths.into_iter().map(|path| absolute(path.into())).collect();
        JsonLines { paths, split_bytes: None, longest_line: LONGEST_LINE, records: PhantomData }
    }

    /// Divides plain files into parts of this size instead of choosing one.
    #[must_use]
    pub fn split_bytes(mut self, bytes: u64) -> Self {
        self.split_bytes = Some(bytes);
        self
    }

    /// Lines longer than this are bad input; 16 MiB if not set.
    #[must_use]
    pub fn longest_line(mut self, bytes: usize) -> Self {
        self.longest_line = bytes;
        self
    }
}

/// Turns what the operating system says into what a user can act on.
fn broken(path: &Path, position: u64, error: io::Error) -> Error {
    let place = format!("{}, byte {position}", path.display());
    let damaged = matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
    );
    if damaged || !Compression::of(path).is_plain() && error.kind() == io::ErrorKind::Other {
        return Error::damaged("the compressed file is damaged or cut off")
            .caused_by(error)
            .at(place);
    }
    Error::unavailable("cannot read the file").caused_by(error).at(place)
}

impl<T: DeserializeOwned + Send + 'static> Source for JsonLines<T> {
    type Item = T;
    type Split = FileSplit;
    type Reader = JsonLinesReader<T>;

    fn splits(
        &self,
        resumed: Vec<FileSplit>,
        readers: usize,
    ) -> Result<Vec<SplitStatus<FileSplit>>> {
        let (paths, split_bytes) = (&self.paths[..], self.split_bytes);
        Planner { paths, readers, split_bytes, divides: true }.plan(resumed)
    }

    fn open(&self, split: FileSplit) -> Result<JsonLinesReader<T>> {
        JsonLinesReader::open(split, self.longest_line)
    }

    fn total(&self) -> Option<u64> {
        let lengths = self.paths.iter().map(|path| std::fs::metadata(path).map_or(0, |m| m.len()));
        Some(lengths.sum())
    }

    fn describe(&self) -> String {
        match &self.paths[..] {
            [] => "no file".to_string(),
            [one] => one.display().to_string(),
            [first, rest @ ..] => format!("{} and {} more files", first.display(), rest.len()),
        }
    }
}

/// Reads one split of JSON Lines.
pub struct JsonLinesReader<T> {
    split: FileSplit,
    lines: Lines,
    /// Counting lines costs a read of the file; it is done for the first bad one only.
    has_counted_lines: bool,
    /// The part begins in the middle of a line that nobody has reported.
    fragment: Option<BadRecord>,
    records: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JsonLinesReader<T> {
    fn open(mut split: FileSplit, longest: usize) -> Result<Self> {
        // A part that begins anywhere but at the start of the file owns the lines that begin in it:
        // whatever comes before the first line end belongs to the part before. Looking at the byte
        // before the part tells whether a line begins right at its start.
        let is_fresh = split.next == split.start && split.start > 0;
        let from = if is_fresh { split.start - 1 } else { split.next };
        let broken = |error| broken(&split.path, from, error);
        let mut lines =
            Lines::new(Contents::open(&split.path, from).map_err(broken)?, from, longest);
        let mut fragment = None;
        if is_fresh {
            let skipped = lines.next().map_err(broken)?;
            if let (Line::Whole { range, .. }, true) = (skipped, split.continues_half_line) {
                fragment = Some(BadRecord {
                    raw: lines.bytes(range)[1..].to_vec(),
                    place: split.path.display().to_string(),
                    offset: split.start,
                    line: None,
                    reason: "the rest of a line whose beginning was read before it was complete"
                        .to_string(),
                });
            }
            split.next = lines.position();
        }
        Ok(JsonLinesReader {
            split,
            lines,
            has_counted_lines: false,
            fragment,
            records: PhantomData,
        })
    }

    /// Parses one line. A line is bad if it is not UTF-8, not JSON, or not a `T`.
    #[inline]
    fn parse(line: &[u8]) -> Result<Option<T>, String> {
        // Checking UTF-8 once for the line is faster than once for each string in it.
        let text = std::str::from_utf8(line).map_err(|e| format!("invalid UTF-8: {e}"))?;
        match serde_json::from_str(text) {
            Ok(record) => Ok(Some(record)),
            Err(_) if text.trim_ascii().is_empty() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    #[cold]
    fn bad(&mut self, raw: Vec<u8>, offset: u64, ended: bool, mut reason: String) -> BadRecord {
        if !ended {
            reason.push_str(" (the last line, which has no line end: perhaps half a line)");
        }
        let count = !std::mem::replace(&mut self.has_counted_lines, true);
        let line = count.then(|| line_number(&self.split.path, offset).ok()).flatten();
        BadRecord { raw, place: self.split.path.display().to_string(), offset, line, reason }
    }
}

/// The number of the line that begins at `offset`, from 1.
fn line_number(path: &Path, offset: u64) -> io::Result<u64> {
    let mut contents = io::Read::take(Contents::open(path, 0)?, offset);
    let mut buffer = vec![0; 64 * 1024];
    let mut lines = 1;
    loop {
        match io::Read::read(&mut contents, &mut buffer)? {
            0 => return Ok(lines),
            n => lines += memchr::memchr_iter(b'\n', &buffer[..n]).count() as u64,
        }
    }
}

impl<T: DeserializeOwned + Send> SplitReader for JsonLinesReader<T> {
    type Item = T;
    type Split = FileSplit;

    fn poll(
        &mut self,
        limit: usize,
        _now: Timestamp,
        intake: &mut impl Intake<T>,
    ) -> Result<Polled> {
        if let Some(fragment) = self.fragment.take() {
            intake.reject(fragment)?;
        }
        let mut polled = Polled::More;
        for _ in 0..limit {
            let offset = self.lines.position();
            if self.split.end.is_some_and(|end| offset >= end) {
                polled = Polled::End;
                break;
            }
            let line = self.lines.next().map_err(|e| broken(&self.split.path, offset, e))?;
            match line {
                Line::Whole { range, ended } => {
                    match Self::parse(self.lines.bytes(range.clone())) {
                        Ok(Some(record)) => intake.push(record)?,
                        Ok(None) => {}
                        Err(reason) => {
                            let raw = self.lines.bytes(range).to_vec();
                            let bad = self.bad(raw, offset, ended, reason);
                            intake.reject(bad)?;
                        }
                    }
                }
                Line::TooLong { range } => {
                    let raw = self.lines.bytes(range).to_vec();
                    let bad = self.bad(raw, offset, true, "the line is too long".to_string());
                    intake.reject(bad)?;
                }
                Line::End => {
                    // Now it is known where the contents end.
                    self.split.end = Some(offset);
                    polled = Polled::End;
                    break;
                }
            }
        }
        self.split.next = self.lines.position();
        intake.advance(self.lines.taken());
        Ok(polled)
    }

    fn split(&self) -> FileSplit {
        self.split.clone()
    }
}
