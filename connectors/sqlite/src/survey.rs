//! What a database says about one sink and its table: who may write, and what that allows.
//!
//! It changes nothing. Taken inside a transaction, it is true until the transaction ends.

use rusqlite::{Connection, ErrorCode};
use steadfast_core::target::{Marker, TargetIdentity, TargetState};
use steadfast_core::{Cause, Error, Result};

use crate::failure::{code, refused, unfit};
use crate::fields::Kind;
use crate::records;
use crate::statements::{Table, declared as declared_for};

/// How a sink, its marker and its table stand to each other.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The sink's marker.
    pub marker: Option<Marker>,
    /// Whether the sink created the table, if it is recorded as one that writes to it.
    pub created: Option<bool>,
    /// The other sinks that are recorded for the table.
    pub others: Vec<TargetIdentity>,
    /// Whether the table is there.
    pub exists: bool,
}

impl Survey {
    /// # Errors
    /// `Configuration` if the marker stands for output in another table.
    pub(crate) fn of(
        connection: &Connection,
        table: &Table,
        identity: &TargetIdentity,
    ) -> Result<Self> {
        let marker = records::read_marker(connection, identity)?;
        let writers = records::writers(connection, &table.name)?;
        let created = writers.iter().find(|(writer, _)| writer == identity);
        let created = created.map(|&(_, created)| created);
        let others = writers.into_iter().map(|(writer, _)| writer);
        let others = others.filter(|writer| writer != identity).collect();
        if marker.is_some() && created.is_none() {
            return Err(elsewhere(connection, table, identity)?);
        }
        let exists = records::exists(connection, &table.name)?;
        Ok(Survey { marker, created, others, exists })
    }

    /// Whether all rows of the table are the sink's: it created the table, and nobody shares it.
    pub(crate) fn is_owned_alone(&self) -> bool {
        self.created == Some(true) && self.others.is_empty()
    }

    pub(crate) fn state(&self, table: &Table) -> TargetState {
        match (self.marker, self.created) {
            (Some(marker), Some(created)) => TargetState::Owned { marker, created },
            _ if self.exists => TargetState::Foreign(self.whose(table)),
            _ => TargetState::Absent,
        }
    }

    /// Whose a table is that the sink has not taken over.
    pub(crate) fn whose(&self, table: &Table) -> String {
        let name = &table.name;
        if self.created.is_some() {
            return format!("table '{name}' was this sink's, but its marker is gone");
        }
        match self.owners() {
            Some(owners) => format!("table '{name}' belongs to {owners}"),
            None => format!("table '{name}' was there before the job"),
        }
    }

    /// The other sinks that write to the table, in words.
    pub(crate) fn owners(&self) -> Option<String> {
        let each = |of: &TargetIdentity| format!("sink '{}' of job '{}'", of.sink, of.job);
        let owners: Vec<_> = self.others.iter().map(each).collect();
        (!owners.is_empty()).then(|| owners.join(" and "))
    }

    /// Refuses a table that went missing together with output that its marker vouches for.
    pub(crate) fn refuse_loss(&self, table: &Table) -> Result<()> {
        match self.marker {
            Some(marker) if !self.exists && marker.checkpoint.0 > 0 => {
                let (name, checkpoint) = (&table.name, marker.checkpoint);
                let what = format!("table '{name}' is gone; it held the output of checkpoint ");
                Err(Error::because(Cause::OUTPUT_LOST, format!("{what}{checkpoint} and all before"))
                    .hint("restore the database from a copy, or start from scratch with --reset (RunOptions::reset)"))
            }
            _ => Ok(()),
        }
    }
}

/// The error of a sink that was given another table than the one its marker stands for.
fn elsewhere(connection: &Connection, table: &Table, of: &TargetIdentity) -> Result<Error> {
    let tables = records::tables(connection, of)?;
    if tables.is_empty() {
        let what = "the sink has a marker in steadfast_markers, but no table in steadfast_tables";
        return Ok(Error::damaged(what)
            .hint("restore the database from a copy, or give the sink another name"));
    }
    let (table, tables) = (&table.name, tables.join("', '"));
    let what = format!("the sink has been writing to table '{tables}', and not to '{table}'");
    Ok(Error::configuration(what).hint(format!(
        "write to table '{tables}' again, or give the sink that writes to '{table}' another name"
    )))
}

/// Refuses a table that cannot take the sink's rows.
pub(crate) fn check_fit(connection: &Connection, table: &Table) -> Result<()> {
    let sql = "SELECT name, upper(type) FROM pragma_table_xinfo(?1)";
    let mut read = connection.prepare(sql).map_err(refused)?;
    let there = read.query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?)));
    let there = there.and_then(Iterator::collect::<Result<Vec<(String, String)>, _>>);
    let there = there.map_err(refused)?;
    if there.is_empty() {
        let what = format!("there is no table '{}'", table.name);
        return Err(Error::because(Cause::TABLE_UNFIT, what)
            .hint("let the statement given to create() make it"));
    }
    // SQLite compares names without regard to case.
    let find = |column: &str| there.iter().find(|(name, _)| name.eq_ignore_ascii_case(column));
    if let Some(column) = table.columns.iter().find(|column| find(column).is_none()) {
        let what = format!("the table '{}' has no column '{column}'", table.name);
        return Err(Error::because(Cause::TABLE_UNFIT, what)
            .hint("add the column, or write to another table"));
    }
    for field in table.fields.iter().flat_map(|fields| &**fields) {
        if let Some((_, declared)) = find(field.name).filter(|(_, of)| !keeps(of, field.kind)) {
            let (name, column) = (&table.name, field.name);
            let what = format!(
                "column '{column}' of table '{name}' is declared {declared}: SQLite would change \
                 what is written there"
            );
            let declare = declared_for(field.kind);
            return Err(Error::because(Cause::TABLE_UNFIT, what)
                .hint(format!("declare it {declare}, or write the column with row()")));
        }
    }
    match connection.prepare(&table.insert()) {
        // Of a statement that has all its columns, only the clause about the key can be wrong.
        Err(error) if is_about_the_key(&error) => {
            let (name, key) = (&table.name, table.key.join(", "));
            let what =
                format!("the table '{name}' has no primary key or unique index over ({key})");
            Err(Error::because(Cause::TABLE_UNFIT, what)
                .hint("create a unique index over exactly the columns of key()"))
        }
        prepared => prepared.map(drop).map_err(|e| unfit("write rows", e)),
    }
}

fn is_about_the_key(error: &rusqlite::Error) -> bool {
    code(error) == Some(ErrorCode::Unknown) && error.to_string().contains("ON CONFLICT clause")
}

/// Whether a column that is declared so keeps such values as they are, by SQLite's rules of affinity:
/// a text in a column of numbers becomes one if it looks like one, a number in a column of texts
/// becomes a text, a large whole number in a column of floating-point numbers loses digits.
fn keeps(declared: &str, kind: Kind) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    // The order is that of the rules.
    let kept: &[Kind] = if has(&["INT"]) {
        &[Kind::Integer, Kind::Real]
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        &[Kind::Text, Kind::Json]
    } else if declared.is_empty() || has(&["BLOB"]) {
        return true;
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        &[Kind::Real]
    } else {
        &[Kind::Integer, Kind::Real]
    };
    kind == Kind::Blob || kept.contains(&kind)
}
