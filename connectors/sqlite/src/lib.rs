//! Writes rows into a SQLite table, each checkpoint in one transaction together with a marker.
//!
//! A [`Sqlite`] sink says which table, which columns and how a record becomes a row: the fields of a
//! struct ([`Sqlite::rows`]), or what a function writes ([`Sqlite::row`]). The rows wait as bytes until their checkpoint is durable; then one transaction writes them all and notes the
//! checkpoint in the table `steadfast_markers`. Applying the same checkpoint again finds the
//! marker and does nothing, so each row takes effect exactly once. The database can be read by
//! anyone at any time and shows whole checkpoints only.
//!
//! A marker names the process that may write, and no other can move it. Which tables a sink
//! created stands in `steadfast_tables`: only these are ever emptied, and only if no other sink
//! writes to them. Rows that a table refuses can be kept in `steadfast_rejected`.
//!
//! This crate knows nothing of jobs, tasks or how checkpoints are made durable.

#![deny(missing_docs)]

mod apply;
mod database;
mod failure;
mod fields;
mod order;
mod records;
mod rejected;
mod row;
mod serialized;
mod sink;
mod statements;
mod survey;
mod target;

pub use row::RowWriter;
pub use sink::{Sqlite, SqliteWriter};
