//! What becomes of rows that the table will never take: set aside with the reason, or named in an
//! error that takes the whole checkpoint back.
//!
//! It is reached only once a row has been refused, and costs the others nothing.

use std::fmt::Write;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};
use steadfast_core::id::CheckpointId;
use steadfast_core::target::{Applied, RejectedRows, TargetIdentity};
use steadfast_core::{Cause, Error, Result};

use crate::failure::{code, concerns_one_row, refused, unfit};
use crate::records;
use crate::row::Rows;

/// How many rows an error names.
const NAMED: usize = 5;

/// How many characters of a value an error shows.
const SHOWN: usize = 60;

/// How many characters of a value are kept of a row that is too big to be kept whole.
const KEPT: usize = 1_000;

/// The rows of one checkpoint that were refused.
pub(crate) struct Refusals<'a> {
    pub policy: RejectedRows,
    pub identity: &'a TargetIdentity,
    pub table: &'a str,
    pub checkpoint: CheckpointId,
    named: Vec<String>,
    set_aside: u64,
}

impl<'a> Refusals<'a> {
    pub(crate) fn new(
        policy: RejectedRows,
        identity: &'a TargetIdentity,
        table: &'a str,
        checkpoint: CheckpointId,
    ) -> Self {
        Refusals { policy, identity, table, checkpoint, named: Vec::new(), set_aside: 0 }
    }

    /// Takes note of a row for which SQLite gave `error`; fails if that is not about the row, or
    /// if enough rows are known for an error.
    pub(crate) fn add(
        &mut self,
        connection: &Connection,
        row: Rows<'_>,
        error: rusqlite::Error,
    ) -> Result<()> {
        if !concerns_one_row(&error) {
            return Err(unfit("write rows", error));
        }
        let reason = printable(&error.to_string());
        // Some constraints end the transaction (ON CONFLICT ROLLBACK): whatever was written after
        // that would be written without a marker.
        let ended = connection.is_autocommit();
        if ended || self.policy == RejectedRows::Fail {
            self.named.push(format!("{}: {reason}", json(row, Some(SHOWN))?));
            return if ended || self.named.len() == NAMED {
                Err(self.error(ended))
            } else {
                Ok(())
            };
        }
        let limit = (code(&error) == Some(ErrorCode::TooBig)).then_some(KEPT);
        let text = json(row, limit)?;
        let checkpoint = records::number(self.checkpoint)?;
        let kept = (self.table, text.as_str(), reason.as_str());
        records::write_rejected(connection, self.identity, checkpoint, kept).map_err(refused)?;
        self.set_aside += 1;
        Ok(())
    }

    /// How many rows were set aside, or the error that names those that could not be.
    pub(crate) fn finish(&self) -> Result<Applied> {
        match self.named.is_empty() {
            true => Ok(Applied { rejected: self.set_aside }),
            false => Err(self.error(false)),
        }
    }

    fn error(&self, ended: bool) -> Error {
        let count = match self.named.len() {
            1 => "a row".to_owned(),
            NAMED => format!("at least {NAMED} rows"),
            count => format!("{count} rows"),
        };
        let (table, checkpoint, rows) = (self.table, self.checkpoint, self.named.join("; "));
        let what = format!("table '{table}' refuses {count} of checkpoint {checkpoint}: {rows}");
        Error::because(Cause::ROWS_REJECTED, what).hint(match ended {
            true => {
                "correct the table; rows cannot be set aside while a constraint of it ends the \
                     transaction (ON CONFLICT ROLLBACK)"
            }
            false => {
                "correct the table, or start with --rejected-rows set-aside (RunOptions::rejected_rows) to keep such \
                      rows in the table steadfast_rejected"
            }
        })
    }
}

/// A constraint that SQLite checks when the transaction ends, and blames on no row.
pub(crate) fn deferred(error: rusqlite::Error) -> Error {
    if !concerns_one_row(&error) {
        return refused(error);
    }
    Error::because(
        Cause::ROWS_REJECTED,
        "a constraint that is checked at the end of the transaction does not hold",
    )
    .caused_by(error)
    .hint("correct the table: SQLite does not say which rows should have been set aside")
}

/// A row as an array in JSON, whole or with at most `limit` characters of each value.
fn json(mut row: Rows<'_>, limit: Option<usize>) -> Result<String> {
    let mut text = String::from("[");
    row.next_row(|index, value| {
        if index > 0 {
            text.push(',');
        }
        let limit = limit.unwrap_or(usize::MAX);
        // Writing into a string cannot fail.
        let _ = match value {
            ValueRef::Null => write!(text, "null"),
            ValueRef::Integer(value) => write!(text, "{value}"),
            ValueRef::Real(value) if value.is_finite() => write!(text, "{value:?}"),
            ValueRef::Real(value) => write!(text, "\"{value}\""),
            ValueRef::Text(value) => {
                quote(&mut text, &String::from_utf8_lossy(value), limit);
                Ok(())
            }
            ValueRef::Blob(value) => {
                text.push_str("{\"hex\":\"");
                for byte in value.iter().take(limit / 2) {
                    let _ = write!(text, "{byte:02x}");
                }
                text.push_str(if value.len() > limit / 2 { "…\"}" } else { "\"}" });
                Ok(())
            }
        };
        Ok(())
    })?;
    text.push(']');
    Ok(text)
}

fn quote(text: &mut String, value: &str, limit: usize) {
    text.push('"');
    for character in value.chars().take(limit) {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            _ => push_printable(text, character),
        }
    }
    // The number of bytes is looked at first: nobody counts the characters of a small value.
    if value.len() > limit && value.chars().nth(limit).is_some() {
        text.push('…');
    }
    text.push('"');
}

/// SQLite's reason may hold what a row says: a trigger can raise anything.
fn printable(reason: &str) -> String {
    let mut text = String::new();
    reason.chars().take(KEPT).for_each(|character| push_printable(&mut text, character));
    text
}

/// Escapes what could move a terminal's cursor or turn the direction of what is written.
fn push_printable(text: &mut String, character: char) {
    let turns = matches!(character,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || turns {
        let _ = write!(text, "\\u{:04x}", u32::from(character));
    } else {
        text.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::RowWriter;

    #[test]
    fn rows_are_printed_as_json_that_no_terminal_obeys() {
        let mut writer = RowWriter::default();
        let fill = |row: &mut RowWriter| {
            row.null();
            row.integer(-7);
            row.real(0.5);
            row.real(f64::INFINITY);
            row.text("a\"\\\u{1b}[2J\u{9b}\u{202e}ü");
            row.blob(&[0, 255]);
            Ok(())
        };
        writer.row(6, fill).unwrap();
        let part = writer.take();
        let row = Rows::new(&part, 6).unwrap();
        assert_eq!(
            json(row, None).unwrap(),
            r#"[null,-7,0.5,"inf","a\"\\\u001b[2J\u009b\u202eü",{"hex":"00ff"}]"#
        );
        assert!(json(row, Some(2)).unwrap().ends_with(r#""a\"…",{"hex":"00…"}]"#));
    }
}
