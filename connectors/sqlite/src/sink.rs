//! What a user says about a table, and the half of the sink that runs in a task.
//!
//! It opens no database: that is the target's.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_core::{Cause, Error, Result};

use crate::row::RowWriter;
use crate::statements::Table;
use crate::target::SqliteTarget;

type ToRow<T> = Arc<dyn Fn(&T, &mut RowWriter) + Send + Sync>;

/// A table of a SQLite database that takes records as rows.
///
/// With a [key](Sqlite::key), a row replaces the one with the same key, and of several rows with
/// one key in a checkpoint the last one stays. Without a key, rows are appended.
///
/// ```
/// use steadfast_core::sink::Sink;
/// use steadfast_sqlite::Sqlite;
///
/// struct Balance {
///     account_id: String,
///     cents: i64,
/// }
///
/// let sink = Sqlite::<Balance>::new("ledger.db")
///     .table("balances")
///     .create(
///         "CREATE TABLE IF NOT EXISTS balances(
///              account_id TEXT PRIMARY KEY, balance_cents INTEGER NOT NULL)",
///     )
///     .columns(["account_id", "balance_cents"])
///     .key(["account_id"])
///     .row(|balance, row| {
///         row.text(&balance.account_id);
///         row.integer(balance.cents);
///     });
/// assert_eq!(sink.describe(), "sqlite:ledger.db, table balances");
/// ```
pub struct Sqlite<T> {
    path: PathBuf,
    table: Table,
    to_row: Option<ToRow<T>>,
}

impl<T> Sqlite<T> {
    /// A sink into the database at `path`, a file that is created if it does not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Sqlite { path: path.into(), table: Table::default(), to_row: None }
    }

    /// The table's name.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table.name = name.into();
        self
    }

    /// The statement that creates the table where it does not exist (`CREATE TABLE IF NOT EXISTS`
    /// and, if wanted, indexes). It runs in the transaction in which the sink takes the table over,
    /// and must not end it. Without it the table gets the [columns](Sqlite::columns) without
    /// types and the [key](Sqlite::key) as its primary key.
    #[must_use]
    pub fn create(mut self, statement: impl Into<String>) -> Self {
        self.table.create = Some(statement.into());
        self
    }

    /// The columns that are written, in the order in which [`row`](Sqlite::row) gives their values.
    #[must_use]
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.table.columns = names.into_iter().map(Into::into).collect();
        self
    }

    /// The columns that identify a row. The table must have a primary key or a unique index over
    /// exactly these.
    #[must_use]
    pub fn key<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.table.key = names.into_iter().map(Into::into).collect();
        self
    }

    /// How a record becomes a row: one call of the [`RowWriter`] for each column.
    #[must_use]
    pub fn row(mut self, to_row: impl Fn(&T, &mut RowWriter) + Send + Sync + 'static) -> Self {
        self.to_row = Some(Arc::new(to_row));
        self
    }
}

impl<T: Send + 'static> Sink for Sqlite<T> {
    type Item = T;
    type Writer = SqliteWriter<T>;

    fn writer(&self) -> Result<SqliteWriter<T>> {
        self.table.check().map_err(|e| e.at(self.describe()))?;
        let to_row = self.to_row.clone().ok_or_else(|| {
            Error::because(Cause::TABLE_UNFIT, "nothing says how a record becomes a row")
                .at(self.describe())
                .hint("call row() on the sink")
        })?;
        Ok(SqliteWriter { to_row, columns: self.table.columns.len(), rows: RowWriter::default() })
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        let target = SqliteTarget::new(&self.path, &self.table, identity, self.describe());
        Ok(Box::new(target.map_err(|e| e.at(self.describe()))?))
    }

    fn describe(&self) -> String {
        format!("sqlite:{}, table {}", self.path.display(), self.table.name)
    }
}

impl<T> fmt::Debug for Sqlite<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).field("table", &self.table).finish()
    }
}

/// Turns records into rows inside a task.
pub struct SqliteWriter<T> {
    to_row: ToRow<T>,
    columns: usize,
    rows: RowWriter,
}

impl<T: Send> SinkWriter for SqliteWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<()> {
        for item in items.drain(..) {
            self.rows.row(self.columns, |row| (self.to_row)(&item, row))?;
        }
        Ok(())
    }

    fn staged_bytes(&self) -> usize {
        self.rows.len()
    }

    fn take_staged(&mut self) -> Vec<u8> {
        self.rows.take()
    }
}

impl<T> fmt::Debug for SqliteWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteWriter").field("rows", &self.rows).finish_non_exhaustive()
    }
}
