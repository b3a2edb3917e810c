//! The half of the sink that owns a connection: one transaction per checkpoint, marker included.
//!
//! No transaction is open between calls. It knows nothing of what the rows mean.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};
use steadfast_core::id::CheckpointId;
use steadfast_core::sink::{DeliveryGuarantee, Target, TargetIdentity};
use steadfast_core::{Error, ErrorKind, Result};

use crate::order::{Batch, Order};
use crate::row::Rows;
use crate::statements::{self, Table};

/// How long to wait for another process that is writing to the same database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// `WAL` lets others read while a checkpoint is being written; with `FULL` a transaction that has
/// been committed survives the loss of power. The cache, in KiB, holds the pages that a large
/// transaction has changed, which would otherwise be written twice.
const PRAGMAS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;";

/// A table behind a connection of its own.
pub(crate) struct SqliteTarget {
    connection: Connection,
    identity: TargetIdentity,
    insert: String,
    delete: String,
    columns: usize,
    order: Option<Order>,
    guarantee: DeliveryGuarantee,
    place: String,
}

impl SqliteTarget {
    /// Opens the database and creates what is missing.
    pub(crate) fn open(
        path: &Path,
        table: &Table,
        identity: &TargetIdentity,
        place: String,
    ) -> Result<Self> {
        table.check()?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let connection = Connection::open(path).map_err(refused)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(refused)?;
        connection.execute_batch(PRAGMAS).map_err(refused)?;
        connection.execute_batch(statements::CREATE_MARKERS).map_err(refused)?;
        connection.execute_batch(&table.create()).map_err(|e| unfit("create the table", e))?;
        check_columns(&connection, table)?;
        let insert = table.insert();
        connection.prepare(&insert).map_err(|e| unfit("write rows", e))?;
        let order = Order::of(&connection, table).map_err(refused)?;
        let guarantee = match table.key.is_empty() {
            true => DeliveryGuarantee::AppendOnce,
            false => DeliveryGuarantee::UpsertOnce,
        };
        let identity = identity.clone();
        let (delete, columns) = (table.delete(), table.columns.len());
        Ok(SqliteTarget { connection, identity, insert, delete, columns, order, guarantee, place })
    }

    /// Runs `work` in a transaction that is the database's only writer from its first statement:
    /// what it reads stays true until it commits.
    fn in_transaction<R>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &TargetIdentity) -> Result<R>,
    ) -> Result<R> {
        let begin = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        // Dropping the transaction rolls it back.
        let done = begin.map_err(refused).and_then(|transaction| {
            let done = work(&transaction, &self.identity)?;
            transaction.commit().map_err(refused)?;
            Ok(done)
        });
        done.map_err(|e| e.at(&*self.place))
    }
}

impl Target for SqliteTarget {
    fn applied(&mut self) -> Result<Option<CheckpointId>> {
        read_marker(&self.connection, &self.identity).map_err(|e| e.at(&*self.place))
    }

    fn apply(&mut self, checkpoint: CheckpointId, parts: &[Vec<u8>]) -> Result<()> {
        let marker = i64::try_from(checkpoint.0)
            .map_err(|_| Error::internal(format!("checkpoint {checkpoint} is beyond 63 bits")))?;
        let (insert, columns, order) = (self.insert.clone(), self.columns, self.order.clone());
        self.in_transaction(|transaction, identity| {
            if read_marker(transaction, identity)? >= Some(checkpoint) {
                return Ok(());
            }
            let mut insert = transaction.prepare_cached(&insert).map_err(refused)?;
            let mut insert_next = |rows: &mut Rows<'_>| {
                let more = rows.next_row(|index, value| {
                    let value = ToSqlOutput::Borrowed(value);
                    insert.raw_bind_parameter(index + 1, value).map_err(refused)
                })?;
                if more {
                    insert.raw_execute().map_err(refused)?;
                }
                Ok(more)
            };
            match &order {
                Some(order) => {
                    let mut insert_row = |mut row| insert_next(&mut row).map(drop);
                    let mut batch = Batch::new(order);
                    for part in parts {
                        batch.add(Rows::new(part, columns)?, &mut insert_row)?;
                    }
                    batch.flush(&mut insert_row)?;
                }
                None => {
                    for part in parts {
                        let mut rows = Rows::new(part, columns)?;
                        while insert_next(&mut rows)? {}
                    }
                }
            }
            drop(insert);
            let mut write =
                transaction.prepare_cached(statements::WRITE_MARKER).map_err(refused)?;
            write.execute((&identity.job, &identity.sink, marker)).map_err(refused)?;
            Ok(())
        })
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        self.guarantee
    }

    fn reset(&mut self) -> Result<()> {
        let delete = self.delete.clone();
        self.in_transaction(|transaction, of| {
            transaction.execute(&delete, ()).map_err(refused)?;
            transaction.execute(statements::DELETE_MARKER, (&of.job, &of.sink)).map_err(refused)?;
            Ok(())
        })
    }
}

fn read_marker(connection: &Connection, of: &TargetIdentity) -> Result<Option<CheckpointId>> {
    let mut read = connection.prepare_cached(statements::READ_MARKER).map_err(refused)?;
    let marker = read.query_row((&of.job, &of.sink), |row| row.get::<_, i64>(0)).optional();
    match marker.map_err(refused)?.map(u64::try_from) {
        None => Ok(None),
        Some(Ok(marker)) => Ok(Some(CheckpointId(marker))),
        Some(Err(_)) => Err(Error::damaged("the marker in steadfast_markers is negative")),
    }
}

fn check_columns(connection: &Connection, table: &Table) -> Result<()> {
    let sql = "SELECT name FROM pragma_table_xinfo(?1)";
    let mut read = connection.prepare(sql).map_err(refused)?;
    let names = read.query_map([&table.name], |row| row.get(0)).map_err(refused)?;
    let names = names.collect::<Result<Vec<String>, _>>().map_err(refused)?;
    if names.is_empty() {
        let what = format!("there is no table '{}'", table.name);
        return Err(Error::configuration(what).hint("let the statement given to create() make it"));
    }
    // SQLite compares names without regard to case.
    let missing = |column: &&String| !names.iter().any(|name| name.eq_ignore_ascii_case(column));
    match table.columns.iter().find(missing) {
        Some(column) => {
            let what = format!("the table '{}' has no column '{column}'", table.name);
            Err(Error::configuration(what).hint("add the column, or write to another table"))
        }
        None => Ok(()),
    }
}

/// An error of SQLite while it is being used; its kind says whether trying again can help.
fn refused(error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Damaged,
        Some(
            ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::TooBig
            | ErrorCode::ReadOnly,
        ) => ErrorKind::Configuration,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "SQLite refused").caused_by(error)
}

/// An error of SQLite about the sink's own statements.
fn unfit(purpose: &str, error: rusqlite::Error) -> Error {
    let refused = refused(error);
    if refused.kind() != ErrorKind::Unavailable {
        return refused;
    }
    Error::configuration(format!("the statement to {purpose} does not fit the database"))
        .caused_by(refused)
}
