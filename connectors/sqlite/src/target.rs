//! The half of the sink that owns a connection: every step is one transaction that begins with a
//! look at the marker and ends with writing it.
//!
//! No transaction is open between calls. It knows nothing of what the rows mean.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use steadfast_core::chunks::Chunks;
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};
use steadfast_core::{Cause, Error, Result};

use crate::apply::Plan;
use crate::database::{Database, let_others_read, refuse_read_only};
use crate::failure::{refused, unfit};
use crate::records;
use crate::rejected::{Refusals, deferred};
use crate::statements::Table;
use crate::survey::{Survey, check_fit};

/// A table behind a connection of its own.
pub(crate) struct SqliteTarget {
    database: Database,
    sink: TableOfSink,
    /// Opened by the first step that writes.
    connection: Option<Connection>,
    plan: Option<Plan>,
    place: String,
}

/// What is written, and for whom.
struct TableOfSink {
    table: Table,
    identity: TargetIdentity,
}

impl SqliteTarget {
    pub(crate) fn new(
        path: &Path,
        table: &Table,
        identity: &TargetIdentity,
        place: String,
    ) -> Result<Self> {
        table.check()?;
        Ok(Self::of(Database::new(path)?, table, identity, place))
    }

    fn of(database: Database, table: &Table, identity: &TargetIdentity, place: String) -> Self {
        let sink = TableOfSink { table: table.clone(), identity: identity.clone() };
        SqliteTarget { database, sink, connection: None, plan: None, place }
    }

    fn try_look(&self) -> Result<TargetState> {
        let Some(mut connection) = self.database.look()? else { return Ok(TargetState::Absent) };
        // All that is read is of one moment.
        let transaction = connection.transaction().map_err(refused)?;
        let survey = Survey::of(&transaction, &self.sink.table, &self.sink.identity)?;
        if survey.exists {
            check_fit(&transaction, &self.sink.table)?;
        }
        Ok(survey.state(&self.sink.table))
    }

    fn try_check(&mut self, planned: PlannedStep) -> Result<()> {
        let Some(mut connection) = self.database.look()? else { return Ok(()) };
        refuse_read_only(&connection)?;
        let transaction = connection.transaction().map_err(refused)?;
        let TableOfSink { table, identity } = &self.sink;
        let survey = Survey::of(&transaction, table, identity)?;
        match planned {
            PlannedStep::Acquire => survey.refuse_loss(table),
            PlannedStep::Reset => may_be_emptied(&transaction, table, &survey),
        }
    }

    fn try_acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<Conditional<()>> {
        // The database may have been replaced since it was opened.
        (self.connection, self.plan) = (None, None);
        let opened = match expected {
            Some(_) => self.database.open_existing()?,
            None => Some(self.database.create()?),
        };
        let Some(opened) = opened else { return Ok(Conditional::Unexpected(None)) };
        self.database.note_opened()?;
        let connection = self.connection.insert(opened);
        let sink = &self.sink;
        let done = in_transaction(connection, |transaction| {
            sink.acquire(transaction, expected, marker, adopt)
        })?;
        if let Conditional::Done(()) = done {
            // After the transaction: a database that is not the sink's keeps its mode.
            let_others_read(connection)?;
            self.database.sync_folders()?;
        }
        Ok(done)
    }

    fn try_apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        if self.connection.is_some() {
            self.database.refuse_replaced()?;
        }
        let Some(connection) = connected(&mut self.connection, &self.database)? else {
            return Ok(Conditional::Unexpected(None));
        };
        let (sink, plan) = (&self.sink, &mut self.plan);
        in_transaction(connection, |transaction| {
            let found = records::read_marker(transaction, &sink.identity)?;
            // Asked first, because rows must not be appended twice.
            if found.as_ref() == Some(marker) {
                let checkpoint = Some(marker.checkpoint);
                let rejected = records::count_rejected(transaction, &sink.identity, checkpoint)?;
                return Ok(Conditional::Done(Applied { rejected }));
            }
            if found.as_ref() != Some(expected) {
                return Ok(Conditional::Unexpected(found));
            }
            let plan = match plan {
                Some(plan) if plan.holds(transaction)? => plan,
                _ => plan.insert(sink.plan(transaction)?),
            };
            let TableOfSink { table, identity } = sink;
            let refusals = Refusals::new(rejected, identity, &table.name, marker.checkpoint);
            let applied = plan.write(transaction, chunks, refusals)?;
            records::write_marker(transaction, identity, marker)?;
            Ok(Conditional::Done(applied))
        })
    }

    fn try_reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        let Some(connection) = connected(&mut self.connection, &self.database)? else {
            return Ok(Conditional::Unexpected(None));
        };
        let sink = &self.sink;
        in_transaction(connection, |transaction| sink.reset(transaction, expected, marker))
    }

    fn try_contents(&self) -> Result<String> {
        let TableOfSink { table, identity } = &self.sink;
        let (mut rows, mut rejected) = (0, 0);
        if let Some(mut connection) = self.database.look()? {
            let transaction = connection.transaction().map_err(refused)?;
            if records::exists(&transaction, &table.name)? {
                let count = transaction.query_row(&table.count(), (), |row| row.get::<_, i64>(0));
                rows = count.map_err(refused)?;
            }
            rejected = records::count_rejected(&transaction, identity, None)?;
        }
        let name = &table.name;
        let plural = if rows == 1 { "" } else { "s" };
        Ok(match rejected {
            0 => format!("{rows} row{plural} of table {name}"),
            _ => format!("{rows} row{plural} of table {name}, {rejected} more set aside"),
        })
    }
}

impl TableOfSink {
    fn acquire(
        &self,
        transaction: &Transaction<'_>,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<Conditional<()>> {
        let TableOfSink { table, identity } = self;
        let found = records::read_marker(transaction, identity)?;
        if found.as_ref() != expected && found.as_ref() != Some(marker) {
            return Ok(Conditional::Unexpected(found));
        }
        let survey = Survey::of(transaction, table, identity)?;
        let foreign = survey.exists && survey.marker.is_none();
        if foreign && !adopt {
            return Err(Error::because(Cause::TARGET_FOREIGN, survey.whose(table)).hint(
                "write to another table, or to this one too with --adopt (RunOptions::adopt)",
            ));
        }
        survey.refuse_loss(table)?;
        self.create(transaction)?;
        let created = match survey.exists {
            false => true,
            // What was adopted once is not taken for created later.
            true => !foreign && survey.created == Some(true),
        };
        records::create(transaction)?;
        records::write_table(transaction, &table.name, identity, created)?;
        let is_same = found.is_some_and(|found| found.lineage == marker.lineage);
        if is_same {
            records::delete_rejected_after(transaction, identity, marker.checkpoint)?;
        }
        records::write_marker(transaction, identity, marker)?;
        Ok(Conditional::Done(()))
    }

    fn reset(
        &self,
        transaction: &Transaction<'_>,
        expected: &Marker,
        marker: &Marker,
    ) -> Result<Conditional<()>> {
        let TableOfSink { table, identity } = self;
        let found = records::read_marker(transaction, identity)?;
        if found.as_ref() != Some(expected) {
            let again = found.as_ref() == Some(marker);
            return Ok(if again { Conditional::Done(()) } else { Conditional::Unexpected(found) });
        }
        let survey = Survey::of(transaction, table, identity)?;
        if !survey.exists {
            // Somebody dropped it, and all that it held.
            self.create(transaction)?;
            records::write_table(transaction, &table.name, identity, true)?;
        } else {
            may_be_emptied(transaction, table, &survey)?;
            if survey.created == Some(true) {
                transaction.execute(&table.delete(), ()).map_err(refused)?;
            }
        }
        records::delete_rejected(transaction, identity)?;
        records::write_marker(transaction, identity, marker)?;
        Ok(Conditional::Done(()))
    }

    /// Runs the statement that creates the table, and refuses a table that does not fit.
    fn create(&self, transaction: &Transaction<'_>) -> Result<()> {
        let created = transaction.execute_batch(&self.table.create());
        created.map_err(|e| unfit("create the table", e))?;
        if transaction.is_autocommit() {
            let what = "the statement to create the table ends the transaction in which it runs";
            return Err(Error::configuration(what).hint("take COMMIT or ROLLBACK out of it"));
        }
        check_fit(transaction, &self.table)
    }

    fn plan(&self, transaction: &Transaction<'_>) -> Result<Plan> {
        let survey = Survey::of(transaction, &self.table, &self.identity)?;
        survey.refuse_loss(&self.table)?;
        check_fit(transaction, &self.table)?;
        Plan::of(transaction, &self.table)
    }
}

/// Refuses to empty a table whose rows may not all be this sink's.
fn may_be_emptied(connection: &Connection, table: &Table, survey: &Survey) -> Result<()> {
    if !survey.exists || survey.is_owned_alone() {
        return Ok(());
    }
    let empty = connection.query_row(&table.is_empty(), (), |row| row.get(0));
    if empty.map_err(refused)? {
        return Ok(());
    }
    let name = &table.name;
    let why = match survey.owners() {
        Some(owners) => format!("is shared with {owners}"),
        None => "was there before the job".to_owned(),
    };
    Err(Error::configuration(format!("table '{name}' {why}: its rows are not deleted"))
        .hint("delete the rows or drop the table by hand, then run with --reset (RunOptions::reset) again"))
}

/// The connection for writing; `None` if there is no database.
fn connected<'a>(
    connection: &'a mut Option<Connection>,
    database: &Database,
) -> Result<Option<&'a mut Connection>> {
    if connection.is_none() {
        // Noted first: a connection without the note of its file would be taken for one to another.
        let opened = database.open_existing()?;
        database.note_opened()?;
        *connection = opened;
    }
    Ok(connection.as_mut())
}

/// Runs `work` in a transaction that is the database's only writer from its first statement: what
/// it reads stays true until it commits. Unless it is done, all is rolled back.
fn in_transaction<R>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<Conditional<R>>,
) -> Result<Conditional<R>> {
    let begin = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    // Dropping the transaction rolls it back.
    let transaction = begin.map_err(refused)?;
    let done = work(&transaction)?;
    if let Conditional::Done(_) = done {
        transaction.commit().map_err(deferred)?;
    }
    Ok(done)
}

impl Target for SqliteTarget {
    fn look(&mut self) -> Result<TargetState> {
        self.try_look().map_err(|e| e.at(&*self.place))
    }

    fn check(&mut self, planned: PlannedStep) -> Result<()> {
        self.try_check(planned).map_err(|e| e.at(&*self.place))
    }

    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<Conditional<()>> {
        self.try_acquire(expected, marker, adopt).map_err(|e| e.at(&*self.place))
    }

    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let applied = self.try_apply(expected, marker, chunks, rejected);
        applied.map_err(|e| e.at(&*self.place))
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        self.try_reset(expected, marker).map_err(|e| e.at(&*self.place))
    }

    fn contents(&mut self) -> Result<String> {
        self.try_contents().map_err(|e| e.at(&*self.place))
    }

    fn format(&self) -> String {
        format!("sqlite rows of {}", self.sink.table.columns.join(", "))
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        match self.sink.table.key.is_empty() {
            true => DeliveryGuarantee::AppendOnce,
            false => DeliveryGuarantee::UpsertOnce,
        }
    }
}

#[cfg(test)]
mod tests;
