//! The SQL for a table, with every name quoted.
//!
//! It knows nothing of connections.

use std::fmt::Write;
use std::sync::Arc;

use steadfast_core::{Cause, Error, Result};

use crate::fields::{Field, Kind};

/// A table as its sink sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub name: String,
    pub create: Option<String>,
    pub columns: Vec<String>,
    /// Empty: rows are appended.
    pub key: Vec<String>,
    /// What the columns hold, where they are the fields of a struct.
    pub fields: Option<Arc<[Field]>>,
}

impl Table {
    /// Refuses what can be seen to be wrong without a database.
    pub(crate) fn check(&self) -> Result<()> {
        if self.name.is_empty() {
            return Err(Error::because(Cause::TABLE_UNFIT, "no table is named")
                .hint("call table() on the sink"));
        }
        let reserved = |prefix: &str| {
            self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if reserved("steadfast_") || reserved("sqlite_") {
            let what = format!("the table '{}' would be mistaken for one of the system", self.name);
            return Err(Error::because(Cause::TABLE_UNFIT, what)
                .hint("choose a name with another beginning"));
        }
        if self.columns.is_empty() {
            let error = Error::because(Cause::TABLE_UNFIT, "no columns are named");
            return Err(error.hint("call columns() on the sink"));
        }
        let mut before = self.columns.iter().enumerate();
        let again = before.find(|(at, name)| {
            self.columns[..*at].iter().any(|other| other.eq_ignore_ascii_case(name))
        });
        if let Some((_, name)) = again {
            let what =
                format!("there are two columns '{name}': SQLite ignores upper and lower case");
            return Err(
                Error::because(Cause::TABLE_UNFIT, what).hint("give one of them another name")
            );
        }
        if let Some(name) = self.key.iter().find(|name| !self.columns.contains(name)) {
            let columns = self.columns.join(", ");
            let what = format!("'{name}' is named in key() but is no column; those are {columns}");
            return Err(Error::because(Cause::TABLE_UNFIT, what));
        }
        let nullable = |field: &&Field| field.nullable && self.key.iter().any(|k| k == field.name);
        if let Some(field) = self.fields.iter().flat_map(|fields| &**fields).find(nullable) {
            let what = format!("the key column '{}' may be missing: it is an Option", field.name);
            return Err(Error::because(Cause::TABLE_UNFIT, what)
                .hint("make the field one that is always there, or choose another key"));
        }
        Ok(())
    }

    pub(crate) fn create(&self) -> String {
        if let Some(create) = &self.create {
            return create.clone();
        }
        let untyped = |name: &String| {
            let not_null = if self.key.contains(name) { " NOT NULL" } else { "" };
            quote(name) + not_null
        };
        let columns: Vec<_> = match &self.fields {
            Some(fields) => fields.iter().map(typed).collect(),
            None => self.columns.iter().map(untyped).collect(),
        };
        let (table, columns) = (quote(&self.name), columns.join(", "));
        if self.key.is_empty() {
            return format!("CREATE TABLE IF NOT EXISTS {table}({columns})");
        }
        // One tree instead of a table and an index.
        let key = list(&self.key);
        format!("CREATE TABLE IF NOT EXISTS {table}({columns}, PRIMARY KEY({key})) WITHOUT ROWID")
    }

    /// One row, its values being the parameters from 1.
    pub(crate) fn insert(&self) -> String {
        let parameters: Vec<_> = (1..=self.columns.len()).map(|n| format!("?{n}")).collect();
        let (table, columns) = (quote(&self.name), list(&self.columns));
        let mut sql = format!("INSERT INTO {table}({columns}) VALUES ({})", parameters.join(", "));
        if self.key.is_empty() {
            return sql;
        }
        let assign = |name: &String| format!("{0} = excluded.{0}", quote(name));
        let others = self.columns.iter().filter(|name| !self.key.contains(name));
        let others: Vec<_> = others.map(assign).collect();
        let _ = match others.is_empty() {
            true => write!(sql, " ON CONFLICT({}) DO NOTHING", list(&self.key)),
            false => {
                let (key, others) = (list(&self.key), others.join(", "));
                write!(sql, " ON CONFLICT({key}) DO UPDATE SET {others}")
            }
        };
        sql
    }

    pub(crate) fn delete(&self) -> String {
        format!("DELETE FROM {}", quote(&self.name))
    }

    pub(crate) fn count(&self) -> String {
        format!("SELECT count(*) FROM {}", quote(&self.name))
    }

    pub(crate) fn is_empty(&self) -> String {
        format!("SELECT NOT EXISTS (SELECT 1 FROM {})", quote(&self.name))
    }
}

/// The type of column that keeps such values as they are.
pub(crate) fn declared(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "INTEGER",
        Kind::Real => "REAL",
        Kind::Text | Kind::Json => "TEXT",
        Kind::Blob => "BLOB",
    }
}

/// A column of the type that keeps the values of the field as they are.
fn typed(field: &Field) -> String {
    let not_null = if field.nullable { "" } else { " NOT NULL" };
    format!("{} {}{not_null}", quote(field.name), declared(field.kind))
}

/// A name in double quotes, in which any character may stand.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[&str], key: &[&str]) -> Table {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let (columns, key) = (owned(columns), owned(key));
        Table { name: "a \"b\"".into(), columns, key, ..Table::default() }
    }

    #[test]
    fn names_are_quoted_and_the_key_decides_what_a_conflict_does() {
        assert_eq!(
            table(&["x", "select"], &[]).insert(),
            r#"INSERT INTO "a ""b"""("x", "select") VALUES (?1, ?2)"#
        );
        assert_eq!(
            table(&["x", "y"], &["x"]).insert(),
            r#"INSERT INTO "a ""b"""("x", "y") VALUES (?1, ?2) ON CONFLICT("x") DO UPDATE SET "y" = excluded."y""#
        );
        assert!(table(&["x"], &["x"]).insert().ends_with(r#"ON CONFLICT("x") DO NOTHING"#));
    }

    #[test]
    fn a_key_must_be_written() {
        let error = table(&["x"], &["z"]).check().unwrap_err();
        assert!(error.to_string().contains("'z'"), "{error}");
    }

    #[test]
    fn columns_that_sqlite_takes_for_one_are_refused() {
        let error = table(&["id", "n", "ID"], &[]).check().unwrap_err();
        assert!(error.to_string().contains("two columns 'ID'"), "{error}");
    }

    #[test]
    fn tables_of_the_system_are_no_targets() {
        for name in ["steadfast_markers", "Steadfast_x", "SQLITE_schema"] {
            let table = Table { name: name.into(), ..table(&["x"], &[]) };
            assert!(table.check().is_err(), "{name}");
        }
        assert!(Table { name: "steadfast".into(), ..table(&["x"], &[]) }.check().is_ok());
    }
}
