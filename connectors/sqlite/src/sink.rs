//! What a user says about a table, and the half of the sink that runs in a task.
//!
//! It opens no database: that is the target's.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_core::{Cause, Error, Result};

use crate::fields::{self, Field};
use crate::row::RowWriter;
use crate::serialized;
use crate::statements::Table;
use crate::target::SqliteTarget;

type ToRow<T> = Arc<dyn Fn(&T, &mut RowWriter) -> Result<()> + Send + Sync>;

/// A table of a SQLite database that takes records as rows.
///
/// With a [key](Sqlite::key), a row replaces the one with the same key, and of several rows with
/// one key in a checkpoint the last one stays. Without a key, rows are appended.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use steadfast_core::sink::Sink;
/// use steadfast_sqlite::Sqlite;
///
/// #[derive(Serialize, Deserialize)]
/// struct Balance {
///     account_id: String,
///     cents: i64,
///     note: Option<String>,
/// }
///
/// let sink = Sqlite::<Balance>::rows("ledger.db", "balances").key(["account_id"]);
/// assert_eq!(sink.describe(), "sqlite:ledger.db, table balances");
/// ```
pub struct Sqlite<T> {
    path: PathBuf,
    table: Table,
    to_row: Option<ToRow<T>>,
    /// Why the fields of `T` are no columns.
    problem: Option<String>,
}

impl<T> Sqlite<T> {
    /// A sink into the database at `path`, a file that is created if it does not exist, that is told
    /// column by column how a record becomes a row. [`Sqlite::rows`] needs to be told less; this way is
    /// for records that are no structs, or whose columns have other names than their fields.
    ///
    /// ```
    /// use steadfast_core::sink::Sink;
    /// use steadfast_sqlite::Sqlite;
    ///
    /// let sink = Sqlite::<(String, i64)>::new("ledger.db")
    ///     .table("balances")
    ///     .create(
    ///         "CREATE TABLE IF NOT EXISTS balances(
    ///              account_id TEXT PRIMARY KEY, balance_cents INTEGER NOT NULL)",
    ///     )
    ///     .columns(["account_id", "balance_cents"])
    ///     .key(["account_id"])
    ///     .row(|(account_id, cents), row| {
    ///         row.text(account_id);
    ///         row.integer(*cents);
    ///     });
    /// assert_eq!(sink.describe(), "sqlite:ledger.db, table balances");
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Sqlite { path: path.into(), table: Table::default(), to_row: None, problem: None }
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

    /// The columns that are written, in the order in which [`row`](Sqlite::row) gives their values. They
    /// take the place of the fields that [`rows`](Sqlite::rows) has found.
    #[must_use]
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        if self.table.fields.take().is_some() || self.problem.take().is_some() {
            self.to_row = None;
        }
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

    /// How a record becomes a row: one call of the [`RowWriter`] for each column. After
    /// [`rows`](Sqlite::rows), the columns are the fields, in their order.
    #[must_use]
    pub fn row(mut self, to_row: impl Fn(&T, &mut RowWriter) + Send + Sync + 'static) -> Self {
        self.to_row = Some(Arc::new(move |record, row| {
            to_row(record, row);
            Ok(())
        }));
        self
    }

    fn check(&self) -> Result<()> {
        if let Some(problem) = &self.problem {
            let what = format!("the type {} {problem}", std::any::type_name::<T>());
            return Err(Error::because(Cause::TABLE_UNFIT, what).at(self.place()).hint(
                "take the attribute away, or name the columns with columns() and write them with row()",
            ));
        }
        self.table.check().map_err(|e| e.at(self.place()))
    }

    fn place(&self) -> String {
        format!("sqlite:{}, table {}", self.path.display(), self.table.name)
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Sqlite<T> {
    /// A sink into `table` of the database at `path`, a file that is created if it does not exist. The
    /// fields of the struct `T` are the columns, under the names that serde gives them.
    ///
    /// A table that is missing is created, with types that follow from the fields, `NOT NULL` for each that
    /// is no `Option`, and the [key](Sqlite::key) as its primary key:
    ///
    /// | field | column |
    /// |---|---|
    /// | whole numbers, `bool` | `INTEGER` |
    /// | `f32`, `f64` | `REAL` |
    /// | texts, `char`, enums whose variants all hold nothing (by name) | `TEXT` |
    /// | what serde calls bytes (`serde_bytes`; a `Vec<u8>` alone is a list) | `BLOB` |
    /// | `Option<F>` | that of `F`, nullable |
    /// | a struct with one unnamed field | that of the field |
    /// | anything else: lists, maps, structs, other enums | `TEXT`, which holds JSON |
    ///
    /// A table that is there must have these columns, with types under which SQLite keeps the values as
    /// they are, and a primary key or unique index over the key.
    ///
    /// # Errors
    /// Before anything is begun, `Configuration`: `T` is no struct with named fields, or has a field with
    /// `flatten` or `alias`; the key has a column that may be missing; the table does not fit. Later,
    /// `UserCode`: a value that cannot be stored as it is, such as a `u64` beyond `i64`, or NaN; fields that
    /// are serialized and not deserialized, or the other way round.
    pub fn rows(path: impl Into<PathBuf>, table: impl Into<String>) -> Self {
        let sink = Sqlite::new(path).table(table);
        let fields: Arc<[Field]> = match fields::of::<T>() {
            Ok(fields) => fields.into(),
            Err(problem) => return Sqlite { problem: Some(problem), ..sink },
        };
        let table = Table { fields: Some(Arc::clone(&fields)), ..sink.table };
        let columns = fields.iter().map(|field| field.name.to_string()).collect();
        let to_row: ToRow<T> = Arc::new(move |record, row| serialized::write(record, &fields, row));
        Sqlite { table: Table { columns, ..table }, to_row: Some(to_row), ..sink }
    }
}

impl<T: Send + 'static> Sink for Sqlite<T> {
    type Item = T;
    type Writer = SqliteWriter<T>;

    fn writer(&self) -> Result<SqliteWriter<T>> {
        self.check()?;
        let to_row = self.to_row.clone().ok_or_else(|| {
            Error::because(Cause::TABLE_UNFIT, "nothing says how a record becomes a row")
                .at(self.describe())
                .hint("call row() on the sink")
        })?;
        Ok(SqliteWriter { to_row, columns: self.table.columns.len(), rows: RowWriter::default() })
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        self.check()?;
        let target = SqliteTarget::new(&self.path, &self.table, identity, self.describe());
        Ok(Box::new(target.map_err(|e| e.at(self.describe()))?))
    }

    fn describe(&self) -> String {
        self.place()
    }

    fn own_place(&self) -> Option<String> {
        let whole = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        // What is between two slashes may be nothing; and to SQLite, capitals are small letters.
        let whole: PathBuf = whole.components().collect();
        let table = self.table.name.to_ascii_lowercase();
        Some(format!("table {table} of the database {}", whole.display()))
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
