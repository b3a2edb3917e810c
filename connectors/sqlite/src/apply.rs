//! How the rows of a checkpoint get into the table: in the order in which that is fastest, each by
//! one prepared statement.
//!
//! It knows nothing of markers; the transaction is the caller's.

use std::borrow::Cow;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ffi};
use steadfast_core::Result;
use steadfast_core::chunks::Chunks;
use steadfast_core::target::Applied;

use crate::failure::{refused, unfit};
use crate::order::{Batch, Order};
use crate::rejected::Refusals;
use crate::row::Rows;
use crate::statements::Table;

/// So many bytes of rows are sorted at a time, about.
const SORTED_BYTES: usize = 32 * 1024 * 1024;

/// What has been found out about a table, and the schema for which it is true.
#[derive(Debug)]
pub(crate) struct Plan {
    insert: String,
    columns: usize,
    /// Which columns say what a row replaces.
    key: Vec<usize>,
    order: Option<Order>,
    schema: i64,
}

impl Plan {
    pub(crate) fn of(connection: &Connection, table: &Table) -> Result<Self> {
        let order = Order::of(connection, table).map_err(refused)?;
        let (insert, columns) = (table.insert(), table.columns.len());
        let is_key = |index: &usize| table.key.contains(&table.columns[*index]);
        let key = (0..columns).filter(is_key).collect();
        Ok(Plan { insert, columns, key, order, schema: schema(connection)? })
    }

    /// Whether the schema is still the same: a trigger may have been created since.
    pub(crate) fn holds(&self, connection: &Connection) -> Result<bool> {
        Ok(self.schema == schema(connection)?)
    }

    /// Writes the rows of all chunks, as far as the table takes them.
    pub(crate) fn write(
        &self,
        connection: &Connection,
        chunks: &dyn Chunks,
        refusals: Refusals<'_>,
    ) -> Result<Applied> {
        let insert = connection.prepare_cached(&self.insert).map_err(|e| unfit("write rows", e))?;
        let mut inserter = Inserter { connection, insert, key: &self.key, refusals };
        match &self.order {
            Some(order) => {
                let mut next = 0;
                while next < chunks.count() {
                    let held = hold(chunks, &mut next)?;
                    let mut insert_row =
                        |mut row| inserter.next(&mut row).map(|next| next == Next::Taken);
                    let mut batch = Batch::new(order);
                    for chunk in &held {
                        batch.add(Rows::new(chunk, self.columns)?, &mut insert_row)?;
                    }
                    batch.flush(&mut insert_row)?;
                }
            }
            None => {
                for number in 0..chunks.count() {
                    let chunk = chunks.chunk(number)?;
                    let mut rows = Rows::new(&chunk, self.columns)?;
                    while inserter.next(&mut rows)? != Next::End {}
                }
            }
        }
        inserter.refusals.finish()
    }
}

/// Reads chunks from `next` on, at least one, as long as they fit into memory.
fn hold<'a>(chunks: &'a dyn Chunks, next: &mut usize) -> Result<Vec<Cow<'a, [u8]>>> {
    let (mut held, mut bytes) = (Vec::new(), 0);
    while *next < chunks.count() && bytes < SORTED_BYTES {
        let chunk = chunks.chunk(*next)?;
        bytes += chunk.len();
        held.push(chunk);
        *next += 1;
    }
    Ok(held)
}

fn schema(connection: &Connection) -> Result<i64> {
    let mut read = connection.prepare_cached("PRAGMA schema_version").map_err(refused)?;
    read.query_row((), |row| row.get(0)).map_err(refused)
}

fn is_null(value: ValueRef<'_>) -> bool {
    matches!(value, ValueRef::Null) || matches!(value, ValueRef::Real(number) if number.is_nan())
}

/// To SQLite no NULL equals another: a row without its key would replace none, and be one more each time
/// that it is written.
fn without_key() -> rusqlite::Error {
    let code = ffi::Error::new(ffi::SQLITE_CONSTRAINT_NOTNULL);
    rusqlite::Error::SqliteFailure(code, Some("the key of the row is NULL".to_owned()))
}

/// What became of the next row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Taken,
    Refused,
    End,
}

struct Inserter<'a> {
    connection: &'a Connection,
    insert: CachedStatement<'a>,
    key: &'a [usize],
    refusals: Refusals<'a>,
}

impl Inserter<'_> {
    fn next(&mut self, rows: &mut Rows<'_>) -> Result<Next> {
        let row = *rows;
        let mut bound = Ok(());
        let more = rows.next_row(|index, value| {
            if is_null(value) && self.key.contains(&index) {
                bound = Err(without_key());
            }
            let value = ToSqlOutput::Borrowed(value);
            if let Err(error) = self.insert.raw_bind_parameter(index + 1, value) {
                // A value that is too big: the row is read to its end before it is refused.
                bound = Err(error);
            }
            Ok(())
        })?;
        if !more {
            return Ok(Next::End);
        }
        match bound.and_then(|()| self.insert.raw_execute()) {
            Ok(_) => Ok(Next::Taken),
            Err(error) => {
                self.refusals.add(self.connection, row, error)?;
                Ok(Next::Refused)
            }
        }
    }
}
