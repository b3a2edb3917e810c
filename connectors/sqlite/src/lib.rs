//! Writes rows into a SQLite table, each checkpoint in one transaction together with a marker.
//!
//! A [`Sqlite`] sink says which table, which columns and how a record becomes a row. The rows wait
//! as bytes until their checkpoint is durable; then one transaction writes them all and notes the
//! checkpoint in the table `steadfast_markers`. Applying the same checkpoint again finds the
//! marker and does nothing, so each row takes effect exactly once. The database can be read by
//! anyone at any time and shows whole checkpoints only.
//!
//! This crate knows nothing of jobs, tasks or how checkpoints are made durable.

#![deny(missing_docs)]

mod order;
mod row;
mod sink;
mod statements;
mod target;

pub use row::RowWriter;
pub use sink::{Sqlite, SqliteWriter};
