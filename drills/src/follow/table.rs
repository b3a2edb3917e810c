//! The table that the job writes, read while it writes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags};

/// See the module.
pub(super) struct Table(PathBuf);

/// How much is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) accounts: u64,
    /// Accounts with more than their one payment.
    pub(super) counted_twice: u64,
}

impl Table {
    pub(super) fn new(path: &Path) -> Self {
        Table(path.to_path_buf())
    }

    /// None if the job has not made it yet.
    fn open(&self) -> Result<Option<Connection>> {
        if !self.0.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(&self.0, flags)?;
        database.busy_timeout(Duration::from_secs(30))?;
        let is_there = database.table_exists(None, "balances")?;
        Ok(is_there.then_some(database))
    }

    pub(super) fn counts(&self) -> Result<Counts> {
        let Some(database) = self.open()? else { return Ok(Counts::default()) };
        let select = "SELECT count(*), count(CASE WHEN payments <> 1 THEN 1 END) FROM balances";
        let counts = database.query_row(select, (), |row| {
            let count = |column| row.get::<_, u32>(column).map(u64::from);
            Ok(Counts { accounts: count(0)?, counted_twice: count(1)? })
        });
        counts.context("the table cannot be read")
    }

    /// Whether a payment has counted.
    pub(super) fn has(&self, payment: u64) -> Result<bool> {
        let Some(database) = self.open()? else { return Ok(false) };
        let mut select = database.prepare("SELECT 1 FROM balances WHERE account_id = ?1")?;
        Ok(select.exists([payment.to_string()])?)
    }

    /// Balance in cents and number of payments, by account.
    pub(super) fn all(&self) -> Result<BTreeMap<String, (i64, i64)>> {
        let Some(database) = self.open()? else { return Ok(BTreeMap::new()) };
        let mut query =
            database.prepare("SELECT account_id, balance_cents, payments FROM balances")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
