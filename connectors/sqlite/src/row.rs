//! The bytes in which rows wait between the task that makes them and the transaction.
//!
//! ```text
//! part   = version:u8 (1), row*
//! row    = columns:varint, value*
//! value  = 0                        NULL
//!        | 1 zigzag:varint          INTEGER
//!        | 2 f64, little endian     REAL
//!        | 3 length:varint, UTF-8   TEXT
//!        | 4 length:varint, bytes   BLOB
//! varint = seven bits a byte, least significant first, the high bit set on all but the last
//! ```
//!
//! Parts are kept in checkpoints, so a program must read what an older one has written: a changed
//! format gets a new version. Whoever stores parts guards them with checksums; the reader only
//! makes sure that no bytes whatever can lead to a panic or to a row that nobody wrote.

use rusqlite::types::ValueRef;
use steadfast_core::{Cause, Error, Result};

const VERSION: u8 = 1;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// Takes the values of one row, in the order of the sink's columns.
///
/// It is handed to the closure given to [`Sqlite::row`](crate::Sqlite::row), which calls it once
/// for each column.
#[derive(Debug, Default)]
pub struct RowWriter {
    part: Vec<u8>,
    values: usize,
}

impl RowWriter {
    /// A value that is missing.
    pub fn null(&mut self) {
        self.tag(NULL);
    }

    /// A whole number.
    pub fn integer(&mut self, value: i64) {
        self.tag(INTEGER);
        self.varint((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
    }

    /// A floating-point number. SQLite stores NaN as NULL.
    pub fn real(&mut self, value: f64) {
        self.tag(REAL);
        self.part.extend_from_slice(&value.to_le_bytes());
    }

    /// A text.
    pub fn text(&mut self, value: &str) {
        self.tag(TEXT);
        self.bytes(value.as_bytes());
    }

    /// A value of any bytes.
    pub fn blob(&mut self, value: &[u8]) {
        self.tag(BLOB);
        self.bytes(value);
    }

    /// Adds one row; `fill` must give it as many values as there are columns.
    pub(crate) fn row(
        &mut self,
        columns: usize,
        fill: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let start = self.part.len();
        if start == 0 {
            self.part.push(VERSION);
        }
        self.varint(columns as u64);
        self.values = 0;
        let filled = fill(self);
        if filled.is_ok() && self.values == columns {
            return Ok(());
        }
        // Half a row would spoil the part for whoever goes on after this error.
        self.part.truncate(start);
        filled?;
        let what = format!("a row has {} values for {columns} columns", self.values);
        Err(Error::because(Cause::ROW_WIDTH, what)
            .hint("write one value per column in the closure given to row()"))
    }

    pub(crate) fn len(&self) -> usize {
        self.part.len()
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        // The next part will be about as large.
        let next = Vec::with_capacity(self.part.len());
        std::mem::replace(&mut self.part, next)
    }

    fn tag(&mut self, tag: u8) {
        self.values += 1;
        self.part.push(tag);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.part.extend_from_slice(bytes);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.part.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.part.push(value as u8);
    }
}

/// Reads the rows of one part; the values borrow from it.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    rest: &'a [u8],
    columns: usize,
}

impl<'a> Rows<'a> {
    /// `columns` is how many values each row must have. No bytes at all are a part without rows.
    pub(crate) fn new(part: &'a [u8], columns: usize) -> Result<Self> {
        match part.split_first() {
            None => Ok(Rows { rest: part, columns }),
            Some((&VERSION, rest)) => Ok(Rows { rest, columns }),
            Some((version, _)) => {
                Err(damaged(format!("it is in format {version}, which this program cannot read")))
            }
        }
    }

    /// Hands the values of the next row to `each` with their index; `false` at the end.
    pub(crate) fn next_row(
        &mut self,
        mut each: impl FnMut(usize, ValueRef<'a>) -> Result<()>,
    ) -> Result<bool> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        let columns = self.varint()?;
        if columns != self.columns as u64 {
            let expected = self.columns;
            return Err(damaged(format!("a row has {columns} values for {expected} columns")));
        }
        for index in 0..self.columns {
            let value = self.value()?;
            each(index, value)?;
        }
        Ok(true)
    }

    fn value(&mut self) -> Result<ValueRef<'a>> {
        let tag = self.bytes(1)?[0];
        match tag {
            NULL => Ok(ValueRef::Null),
            INTEGER => {
                let zigzag = self.varint()?;
                Ok(ValueRef::Integer((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()))
            }
            REAL => {
                let bytes =
                    self.rest.first_chunk().ok_or_else(|| damaged("it ends in a number"))?;
                self.rest = &self.rest[bytes.len()..];
                Ok(ValueRef::Real(f64::from_le_bytes(*bytes)))
            }
            TEXT => {
                let text = self.sized()?;
                std::str::from_utf8(text).map_err(|_| damaged("a text is not UTF-8"))?;
                Ok(ValueRef::Text(text))
            }
            BLOB => Ok(ValueRef::Blob(self.sized()?)),
            _ => Err(damaged(format!("there is no type {tag}"))),
        }
    }

    fn sized(&mut self) -> Result<&'a [u8]> {
        let length = self.varint()?;
        self.bytes(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let split = self.rest.split_at_checked(length);
        let (bytes, rest) = split.ok_or_else(|| damaged("it ends in the middle of a value"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = u64::from(self.bytes(1)?[0]);
            let bits = byte & 0x7f;
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(damaged("a number does not fit 64 bits"))
    }
}

fn damaged(what: impl std::fmt::Display) -> Error {
    Error::damaged(format!("staged rows cannot be read: {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::types::Value;
    use steadfast_core::ErrorKind;

    use super::*;

    fn read(part: &[u8], columns: usize) -> Result<Vec<Vec<Value>>> {
        let mut rows = Rows::new(part, columns)?;
        let mut all = Vec::new();
        loop {
            let mut row = Vec::new();
            let more = rows.next_row(|_, value| {
                row.push(Value::try_from(value).unwrap());
                Ok(())
            })?;
            if !more {
                return Ok(all);
            }
            all.push(row);
        }
    }

    fn write(rows: &[Vec<Value>], columns: usize) -> Vec<u8> {
        let mut writer = RowWriter::default();
        for row in rows {
            let fill = |writer: &mut RowWriter| {
                for value in row {
                    match value {
                        Value::Null => writer.null(),
                        Value::Integer(value) => writer.integer(*value),
                        Value::Real(value) => writer.real(*value),
                        Value::Text(value) => writer.text(value),
                        Value::Blob(value) => writer.blob(value),
                    }
                }
                Ok(())
            };
            writer.row(columns, fill).unwrap();
        }
        writer.take()
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            (-100_i64..100).prop_map(Value::Integer),
            proptest::num::f64::NORMAL.prop_map(Value::Real),
            any::<String>().prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..200).prop_map(Value::Blob),
        ]
    }

    fn rows() -> impl Strategy<Value = Vec<Vec<Value>>> {
        proptest::collection::vec(proptest::collection::vec(value(), 3), 0..8)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in rows()) {
            prop_assert_eq!(read(&write(&rows, 3), 3).unwrap(), rows);
        }

        #[test]
        fn a_truncated_part_is_damaged_or_ends_between_rows(rows in rows(), checkpoint in any::<usize>()) {
            let part = write(&rows, 3);
            let checkpoint = checkpoint % (part.len() + 1);
            match read(&part[..checkpoint], 3) {
                Ok(read) => prop_assert_eq!(&read[..], &rows[..read.len()]),
                Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Damaged),
            }
        }

        #[test]
        fn garbage_never_panics(mut part in proptest::collection::vec(any::<u8>(), 1..200)) {
            part[0] = VERSION;
            if let Err(error) = read(&part, 1) {
                prop_assert_eq!(error.kind(), ErrorKind::Damaged);
            }
        }

        #[test]
        fn a_changed_byte_never_panics(rows in rows(), at in any::<usize>(), byte in any::<u8>()) {
            let mut part = write(&rows, 3);
            if let Some(at) = at.checked_rem(part.len()) {
                part[at] = byte;
                let _ = read(&part, 3);
            }
        }
    }

    #[test]
    fn numbers_beyond_64_bits_are_damaged() {
        let mut part = vec![VERSION, 1, INTEGER];
        part.extend([0xff; 9]);
        part.push(1);
        assert_eq!(read(&part, 1).unwrap(), [[Value::Integer(i64::MIN)]]);
        part[12] = 2;
        assert_eq!(read(&part, 1).unwrap_err().kind(), ErrorKind::Damaged);
    }

    #[test]
    fn a_row_with_the_wrong_number_of_values_leaves_nothing_behind() {
        let mut writer = RowWriter::default();
        let null = |row: &mut RowWriter| {
            row.null();
            Ok(())
        };
        assert_eq!(writer.row(2, null).unwrap_err().kind(), ErrorKind::UserCode);
        assert_eq!(writer.len(), 0);
        writer.row(1, null).unwrap();
        assert_eq!(read(&writer.take(), 1).unwrap(), [[Value::Null]]);
        assert!(writer.take().is_empty());
    }
}
