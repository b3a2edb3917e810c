//! Reading one CSV file: rows become records or bad input.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use steadfast_core::Result;
use steadfast_core::source::{PollLimit, Polled, SourceOutput, SplitReader};
use steadfast_core::time::Timestamp;
use steadfast_formats::CsvColumns;

use super::super::cursor::Cursor;
use super::super::place::Place;
use super::super::split::FileSplit;
use super::rows::{Dialect, Flaw, Next, Row, Rows};

/// Reads one CSV file.
pub struct CsvReader<T> {
    cursor: Cursor,
    rows: Rows,
    header: Header,
    /// The rest of a row whose beginning was read before it was complete, and whether it has its
    /// end now.
    rest: Option<(Row, bool)>,
    records: PhantomData<fn() -> T>,
}

struct Header {
    columns: CsvColumns,
    /// Whether a line end follows it. One that has none may be half, and rows cannot follow it.
    ended: bool,
}

impl Header {
    /// The first row of `rows`; an empty one if there is none.
    fn read(rows: &mut Rows, place: &Place) -> Result<Self> {
        let next = rows.next().map_err(|error| place.broken(0, error))?;
        let ended = match next {
            Next::Fields { ended } => ended,
            Next::End | Next::Flawed { ended: false, .. } => false,
            Next::Flawed { ended: true, .. } => {
                return Err(place.unusable("the header is too long"));
            }
        };
        Ok(Header { columns: CsvColumns::of_header(rows.fields()), ended })
    }
}

impl<T: DeserializeOwned> CsvReader<T> {
    /// Rows of `columns`, or of those that the header names.
    pub(super) fn open(
        mut cursor: Cursor,
        dialect: Dialect,
        columns: Option<CsvColumns>,
    ) -> Result<Self> {
        let resumed = if cursor.split.next > 0 { Some(cursor.open()?) } else { None };
        let opened = Rows::open(&cursor.place.file, 0, cursor.split.length, dialect);
        let mut rows = opened.map_err(|error| cursor.place.broken(cursor.split.next, error))?;
        if resumed.is_none() && !cursor.is_planned(&rows.status())? {
            return CsvReader::open(cursor, dialect, columns);
        }
        let Cursor { split, place, .. } = &cursor;
        let broken = |error| place.broken(split.next, error);
        let header = match columns {
            Some(columns) => Header { columns, ended: true },
            None => Header::read(&mut rows, place)?,
        };
        // One that has no end yet, or no names, is not the one that rows follow.
        if header.ended && !rows.fields().is_empty() {
            let fits = header.columns.check::<T>();
            fits.map_err(|misfit| place.unusable(&misfit.to_string()))?;
        }
        let mut rest = None;
        if split.next > 0 && split.continues_half_line {
            // Only the rows from the beginning tell where one ends that was read half: what was
            // added may stand within quotes.
            rest = rest_of_row(&mut rows, split.next).map_err(broken)?;
        } else if let Some(contents) = resumed {
            rows = Rows::of(contents, &place.file, split.length, dialect);
        }
        cursor.split.identity.note(&rows.status());
        Ok(CsvReader { cursor, rows, header, rest, records: PhantomData })
    }

    /// Hands over the next row; nothing if there is none.
    fn hand_over(&mut self, output: &mut impl SourceOutput<T>) -> Result<Option<()>> {
        let position = self.rows.position();
        let next = self.rows.next().map_err(|error| self.cursor.place.broken(position, error))?;
        let ended = match next {
            Next::End => return Ok(None),
            Next::Fields { ended } => {
                match self.header.columns.decode(self.rows.fields()) {
                    Ok(record) => output.push(record)?,
                    Err(error) => {
                        self.reject(&self.rows.row(ended), ended, error.to_string(), output)?;
                    }
                }
                ended
            }
            Next::Flawed { row, ended } => {
                let reason = match row.flaw {
                    Some(Flaw::OpenQuote) => "a quote is never closed",
                    _ => "the row is too long: perhaps a quote is never closed",
                };
                self.reject(&row, ended, reason.to_string(), output)?;
                ended
            }
        };
        self.cursor.has_read(ended);
        Ok(Some(()))
    }

    #[cold]
    fn reject(
        &self,
        row: &Row,
        ended: bool,
        mut reason: String,
        output: &mut impl SourceOutput<T>,
    ) -> Result<()> {
        if !ended {
            reason.push_str(" (the last row, without a line end: perhaps only half of one)");
        }
        output.reject(self.cursor.place.bad(&row.raw, row.range.start, reason))
    }
}

/// The rest of the row that goes on at `position`, where `rows` begin before it.
fn rest_of_row(rows: &mut Rows, position: u64) -> std::io::Result<Option<(Row, bool)>> {
    loop {
        let (mut row, ended) = match rows.next()? {
            Next::End => return Ok(None),
            _ if rows.position() <= position => continue,
            Next::Fields { ended } => (rows.row(ended), ended),
            Next::Flawed { row, ended } => (row, ended),
        };
        let read = position.saturating_sub(row.range.start);
        row.raw.drain(..row.raw.len().min(read as usize));
        row.range.start = row.range.start.max(position).min(row.range.end);
        return Ok(Some((row, ended)));
    }
}

impl<T: DeserializeOwned + Send> SplitReader for CsvReader<T> {
    type Item = T;
    type Split = FileSplit;

    fn poll(
        &mut self,
        limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<T>,
    ) -> Result<Polled> {
        if let Some((rest, ended)) = self.rest.take() {
            self.cursor.reject_rest(&rest.raw, rest.range.start, ended, output)?;
        }
        let mut polled = Polled::More;
        let began = self.rows.position();
        for _ in 0..limit.records {
            if self.rows.position() - began >= limit.bytes as u64 {
                break;
            }
            if self.hand_over(output)?.is_none() {
                self.cursor.end(self.rows.position())?;
                polled = Polled::End;
                break;
            }
        }
        output.weigh((self.rows.position() - began) as usize);
        let amount = self.cursor.advance(self.rows.position(), self.rows.taken());
        if !self.header.ended {
            // It may be half, and what it is completed to will be another header.
            let split = &mut self.cursor.split;
            (split.next, split.end) = (0, split.end.map(|_| 0));
        }
        output.advance(amount);
        Ok(polled)
    }

    fn split(&self) -> FileSplit {
        let head = self.rows.head().or(self.cursor.split.identity.head);
        self.cursor.split((self.rows.position(), self.rows.passed()), head)
    }
}
