//! Cutting contents into rows, each with its fields and its bytes.

use std::io;
use std::ops::Range;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use steadfast_core::disk::FileStatus;

use super::super::cursor::Opened;
use super::super::files::InputFile;
use super::super::identity::Fingerprint;
use super::super::read_buffer::KEPT_BYTES;
use super::extent::Extent;
use super::recorder::{Recorder, blank_prefix};

/// What kind of CSV it is.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// Longer rows are bad input.
    pub(super) longest: usize,
}

/// Rows from some position on.
pub(super) struct Rows {
    file: InputFile,
    length: u64,
    dialect: Dialect,
    reader: Reader<Recorder>,
    /// The position at which the reader began.
    base: u64,
    /// The position of the next row, line end of the last one or blank lines included.
    position: u64,
    fields: ByteRecord,
    /// Bytes taken from the file before it was opened again.
    taken: u64,
    /// Whether the last row went to the end of the contents.
    is_done: bool,
    /// The fingerprint of the first bytes, if it was known before the file was opened again.
    head: Option<Fingerprint>,
}

/// A row without its line end.
pub(super) struct Row {
    pub(super) range: Range<u64>,
    /// Its bytes; of one that is too long the first.
    pub(super) raw: Vec<u8>,
    pub(super) flaw: Option<Flaw>,
}

/// Why a row is not worth parsing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    TooLong,
    OpenQuote,
}

/// What comes next.
pub(super) enum Next {
    /// A row whose fields are [`Rows::fields`].
    Fields { ended: bool },
    /// A row whose fields mean nothing.
    Flawed { row: Row, ended: bool },
    /// There are no more.
    End,
}

impl Rows {
    /// The rows of `file` from `position` on, which is 0 or the end of a row.
    pub(super) fn open(
        file: &InputFile,
        position: u64,
        length: u64,
        dialect: Dialect,
    ) -> io::Result<Self> {
        Ok(Rows::of(Opened::at(file, position, length)?, file, length, dialect))
    }

    /// The same, of contents that are open already.
    pub(super) fn of(opened: Opened, file: &InputFile, length: u64, dialect: Dialect) -> Self {
        let position = opened.position;
        // The parser takes away a byte order mark where it begins, but only one at the beginning of
        // the file is one. So it is shown the line end before, which it passes over.
        let base = position.saturating_sub(1);
        let recorder = Recorder::new(opened, dialect.longest);
        let reader = ReaderBuilder::new()
            .delimiter(dialect.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(recorder);
        let (file, fields) = (file.clone(), ByteRecord::new());
        let (taken, is_done, head) = (0, false, None);
        Rows { file, length, dialect, reader, base, position, fields, taken, is_done, head }
    }

    /// The last bytes before the position.
    pub(super) fn passed(&self) -> &[u8] {
        self.reader.get_ref().passed(self.position)
    }

    /// The fingerprint of the first bytes of the contents, if they have been read.
    pub(super) fn head(&self) -> Option<Fingerprint> {
        self.head.or(self.reader.get_ref().head())
    }

    /// What was known of the file when it was opened.
    pub(super) fn status(&self) -> FileStatus {
        self.reader.get_ref().status()
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn fields(&self) -> &ByteRecord {
        &self.fields
    }

    /// Bytes taken from the file itself since the last call.
    pub(super) fn taken(&mut self) -> u64 {
        std::mem::take(&mut self.taken) + self.reader.get_ref().taken()
    }

    /// The next row. It is passed over: [`Rows::position`] is behind it then.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        if self.is_done {
            return Ok(Next::End);
        }
        self.reader.get_mut().pass(self.position);
        match self.reader.read_byte_record(&mut self.fields) {
            Ok(true) => {}
            Ok(false) => {
                self.position = self.base + self.reader.position().byte();
                return Ok(Next::End);
            }
            Err(_) if self.reader.get_ref().is_full() => return self.skip_long(),
            Err(error) => {
                return Err(match error.into_kind() {
                    ErrorKind::Io(error) => error,
                    other => io::Error::new(io::ErrorKind::InvalidData, format!("{other:?}")),
                });
            }
        }
        let before = self.position;
        self.position = self.base + self.reader.position().byte();
        // Only a row that no line end ended makes the parser ask for what comes behind it.
        let ended = !self.reader.get_ref().at_end();
        if ended && self.position - before <= self.dialect.longest as u64 {
            return Ok(Next::Fields { ended });
        }
        let mut row = self.row(ended);
        let mut extent = Extent::new(self.dialect.delimiter);
        if row.raw.len() > self.dialect.longest {
            row.raw.truncate(KEPT_BYTES);
            row.flaw = Some(Flaw::TooLong);
        } else if !ended && extent.end_in(&row.raw).is_none() && extent.is_in_quotes() {
            row.flaw = Some(Flaw::OpenQuote);
        }
        Ok(if row.flaw.is_some() { Next::Flawed { row, ended } } else { Next::Fields { ended } })
    }

    /// The row that was just passed, with its bytes.
    pub(super) fn row(&self, ended: bool) -> Row {
        let recorder = self.reader.get_ref();
        let kept = recorder.kept();
        let from = recorder.position();
        let whole = &kept[..kept.len().min((self.position - from) as usize)];
        let blank = blank_prefix(whole);
        let raw = &whole[blank..whole.len() - usize::from(ended && blank < whole.len())];
        let start = from + blank as u64;
        Row { range: start..start + raw.len() as u64, raw: raw.to_vec(), flaw: None }
    }

    /// Keeps the first bytes of a row that is too long and goes on behind it.
    fn skip_long(&mut self) -> io::Result<Next> {
        let recorder = self.reader.get_mut();
        let kept = recorder.kept();
        let blank = blank_prefix(kept);
        let start = recorder.position() + blank as u64;
        let mut raw = kept[blank..].to_vec();
        let mut extent = Extent::new(self.dialect.delimiter);
        let mut end = start;
        let mut ended = false;
        let mut chunk = raw.clone();
        while !chunk.is_empty() && !ended {
            let found = extent.end_in(&chunk);
            ended = found.is_some();
            end += found.unwrap_or(chunk.len()) as u64;
            chunk.resize(KEPT_BYTES, 0);
            let read = if ended { 0 } else { recorder.read_past(&mut chunk)? };
            chunk.truncate(read);
        }
        let row_end = end - u64::from(ended);
        raw.truncate(KEPT_BYTES.min((row_end - start) as usize));
        let row = Row { range: start..row_end, raw, flaw: Some(Flaw::TooLong) };
        // Decompressing the same bytes again is not progress.
        let (taken, head) = (self.taken(), self.head());
        *self = Rows::open(&self.file.clone(), end, self.length, self.dialect)?;
        (self.taken, self.is_done, self.head) = (taken, !ended, head);
        self.reader.get_ref().taken();
        Ok(Next::Flawed { row, ended })
    }
}
