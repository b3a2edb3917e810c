//! The order in which rows are upserted: by key, where nobody can tell the difference.
//!
//! Neighbouring keys lie on the same pages of a table, so upserting in the order of the key is up
//! to twice as fast as in the order of arrival. The result must be the same: the last row of a key
//! stays. That is certain only if two rows have the same key for SQLite exactly if they have it
//! here, and if a row can only meet the row with its own key. [`Order::of`] looks at the table to
//! find out, and a value that SQLite might convert switches to the order of arrival.

use std::cmp::Ordering;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use steadfast_core::Result;

use crate::row::Rows;
use crate::statements::Table;

/// How many rows are sorted at a time: what is remembered of them takes some 60 bytes each.
/// Few in this crate's own tests.
const BATCH_ROWS: usize = if cfg!(test) { 4 } else { 500_000 };

/// Finds what could tell one order of upserts from another: triggers, foreign keys, a second
/// unique constraint (the number of the row counts as one, if a column stands for it),
/// collations by which different texts are equal, and constraints that say themselves what becomes of
/// a row (`ON CONFLICT IGNORE`): what was left out counts as written, and hides the rows before it.
/// No pragma tells of those; the word in the text of the table does.
const OBSTACLES: &str = "SELECT
    (SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE)
    + (SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE
        AND instr(lower(sql), 'conflict'))
    + (SELECT count(*) FROM pragma_foreign_key_list(?1))
    + (SELECT count(*) FROM pragma_index_list(?1) AS i, pragma_index_xinfo(i.name) AS x
        WHERE x.key AND x.coll <> 'BINARY')
    + (SELECT max(0, count(*) - 1) FROM (
        SELECT name FROM pragma_index_list(?1) WHERE \"unique\"
        UNION ALL
        SELECT 'rowid' WHERE EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE pk)
            AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')))";

/// What a key column keeps as it is given, by its declared type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    Integers,
    Texts,
    Both,
}

/// That rows of a table may be upserted in the order of their keys.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// For each column what it keeps, if it belongs to the key.
    key: Vec<Option<Keeps>>,
    key_columns: usize,
}

impl Order {
    /// `None` if the rows must stay in the order of arrival.
    pub(crate) fn of(connection: &Connection, table: &Table) -> rusqlite::Result<Option<Self>> {
        let obstacles: i64 = connection.query_row(OBSTACLES, [&table.name], |row| row.get(0))?;
        if table.key.is_empty() || obstacles > 0 {
            return Ok(None);
        }
        let mut read = connection.prepare(
            "SELECT upper(type) FROM pragma_table_xinfo(?1) WHERE name = ?2 COLLATE NOCASE",
        )?;
        let mut key = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            if !table.key.contains(column) {
                key.push(None);
                continue;
            }
            let declared: String = read.query_row((&table.name, column), |row| row.get(0))?;
            let Some(keeps) = keeps(&declared) else { return Ok(None) };
            key.push(Some(keeps));
        }
        Ok(Some(Order { key, key_columns: table.key.len() }))
    }
}

/// By SQLite's rules of affinity, as far as they are needed.
fn keeps(declared: &str) -> Option<Keeps> {
    match declared {
        "" => Some(Keeps::Both),
        _ if declared.contains("INT") => Some(Keeps::Integers),
        _ if declared.contains("TEXT") || declared.contains("CHAR") => Some(Keeps::Texts),
        _ => None,
    }
}

/// Rows that wait to be upserted in the order of their keys.
pub(crate) struct Batch<'a> {
    order: &'a Order,
    /// Each row as the part from its first byte on.
    rows: Vec<Rows<'a>>,
    /// The key columns of the rows, one row after the other.
    keys: Vec<ValueRef<'a>>,
    /// Whether every key can be compared here as SQLite compares it.
    comparable: bool,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(order: &'a Order) -> Self {
        Batch { order, rows: Vec::new(), keys: Vec::new(), comparable: true }
    }

    /// Takes all rows of a part, and hands rows to `upsert` whenever there are many.
    pub(crate) fn add(
        &mut self,
        mut part: Rows<'a>,
        upsert: &mut impl FnMut(Rows<'a>) -> Result<bool>,
    ) -> Result<()> {
        loop {
            let row = part;
            let more = part.next_row(|index, value| {
                if let Some(keeps) = self.order.key[index] {
                    self.comparable &= match value {
                        ValueRef::Integer(_) => keeps != Keeps::Texts,
                        ValueRef::Text(_) => keeps != Keeps::Integers,
                        _ => false,
                    };
                    self.keys.push(value);
                }
                Ok(())
            })?;
            if !more {
                return Ok(());
            }
            self.rows.push(row);
            if self.rows.len() == BATCH_ROWS {
                self.flush(upsert)?;
            }
        }
    }

    /// Hands all waiting rows to `upsert`, which says whether the table took the row; of several
    /// with one key the last that is taken alone.
    pub(crate) fn flush(
        &mut self,
        upsert: &mut impl FnMut(Rows<'a>) -> Result<bool>,
    ) -> Result<()> {
        if self.comparable {
            let width = self.order.key_columns;
            let key = |row: usize| &self.keys[row * width..][..width];
            let skip = common_prefix(self.keys.iter().step_by(width));
            let mut sorted: Vec<(u64, usize)> =
                (0..self.rows.len()).map(|row| (rank(self.keys[row * width], skip), row)).collect();
            // The number of the row makes the order that of arrival within a key.
            sorted.sort_unstable_by(|&(rank_a, a), &(rank_b, b)| {
                rank_a.cmp(&rank_b).then_with(|| compare(key(a), key(b))).then(a.cmp(&b))
            });
            for (at, &(_, row)) in sorted.iter().enumerate() {
                let next = sorted.get(at + 1);
                if next.is_some_and(|&(_, next)| compare(key(row), key(next)).is_eq()) {
                    continue;
                }
                if upsert(self.rows[row])? {
                    continue;
                }
                // In the order of arrival an earlier row of the key would have stayed.
                let earlier = sorted[..at].iter().rev().map(|&(_, earlier)| earlier);
                for earlier in
                    earlier.take_while(|&earlier| compare(key(row), key(earlier)).is_eq())
                {
                    if upsert(self.rows[earlier])? {
                        break;
                    }
                }
            }
        } else {
            self.rows.iter().try_for_each(|&row| upsert(row).map(drop))?;
        }
        self.rows.clear();
        self.keys.clear();
        self.comparable = true;
        Ok(())
    }
}

/// How many bytes all the texts begin with in common.
fn common_prefix<'a>(mut values: impl Iterator<Item = &'a ValueRef<'a>>) -> usize {
    let text = |value: &'a ValueRef<'a>| match value {
        ValueRef::Text(text) => Some(*text),
        _ => None,
    };
    let Some(first) = values.find_map(text) else { return 0 };
    values.filter_map(text).fold(first.len(), |length, text| {
        first[..length].iter().zip(text).take_while(|(a, b)| a == b).count()
    })
}

/// A number that never puts two values into the wrong order, but may be the same for both. It
/// spares most comparisons the way to the texts, which lie far apart in memory.
fn rank(value: ValueRef<'_>, skip: usize) -> u64 {
    const TEXT: u64 = 1 << 63;
    match value {
        ValueRef::Integer(value) => (value.cast_unsigned() ^ TEXT) >> 1,
        ValueRef::Text(text) => {
            let mut first = [0; 8];
            let text = &text[skip.min(text.len())..];
            let length = text.len().min(8);
            first[..length].copy_from_slice(&text[..length]);
            TEXT | (u64::from_be_bytes(first) >> 1)
        }
        _ => 0,
    }
}

fn compare(a: &[ValueRef<'_>], b: &[ValueRef<'_>]) -> Ordering {
    let values = a.iter().zip(b).map(|pair| match pair {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a.cmp(b),
        (ValueRef::Text(a), ValueRef::Text(b)) => a.cmp(b),
        (ValueRef::Integer(_), _) => Ordering::Less,
        _ => Ordering::Greater,
    });
    values.fold(Ordering::Equal, Ordering::then)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorts(create: &str, key: &[&str]) -> bool {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(create).unwrap();
        let key: Vec<_> = key.iter().map(|&name| name.to_owned()).collect();
        let table = Table { name: "t".into(), columns: key.clone(), key, ..Table::default() };
        Order::of(&connection, &table).unwrap().is_some()
    }

    #[test]
    fn ranks_never_contradict_the_order() {
        let texts =
            ["acct_", "acct_1", "acct_10", "acct_1\0", "acct_2", "acct_\u{80}", "acct_99999991"];
        let texts = texts.map(|text| ValueRef::Text(text.as_bytes()));
        let integers = [i64::MIN, -2, -1, 0, 1, 2, i64::MAX].map(ValueRef::Integer);
        let all = [&texts[..], &integers[..]].concat();
        assert_eq!(common_prefix(all.iter()), 5);
        for &a in &all {
            for &b in &all {
                let ranks = rank(a, 5).cmp(&rank(b, 5));
                assert!(ranks.is_eq() || ranks == compare(&[a], &[b]), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn rows_are_sorted_only_where_nobody_can_tell() {
        for (create, key) in [
            ("CREATE TABLE t(a TEXT PRIMARY KEY, b)", &["a"][..]),
            ("CREATE TABLE t(a, b VARCHAR(9), PRIMARY KEY(a, b)) WITHOUT ROWID", &["a", "b"]),
            ("CREATE TABLE t(a INTEGER PRIMARY KEY)", &["a"]),
            ("CREATE TABLE t(a TEXT UNIQUE, b); CREATE INDEX i ON t(b)", &["a"]),
        ] {
            assert!(sorts(create, key), "{create}");
        }
        for create in [
            "CREATE TABLE t(a TEXT COLLATE NOCASE PRIMARY KEY)",
            "CREATE TABLE t(a NUMERIC PRIMARY KEY)",
            "CREATE TABLE t(a REAL PRIMARY KEY)",
            "CREATE TABLE t(a TEXT PRIMARY KEY, b UNIQUE)",
            "CREATE TABLE t(a TEXT UNIQUE, b INTEGER PRIMARY KEY)",
            "CREATE TABLE t(a TEXT PRIMARY KEY, b REFERENCES t)",
            "CREATE TABLE t(a TEXT PRIMARY KEY, b NOT NULL ON CONFLICT IGNORE)",
            "CREATE TABLE T(a TEXT PRIMARY KEY); ALTER TABLE T ADD b NOT NULL on  conflict ignore
                DEFAULT 1",
            "CREATE TABLE t(a TEXT PRIMARY KEY);
             CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
        ] {
            assert!(!sorts(create, &["a"]), "{create}");
        }
        assert!(!sorts("CREATE TABLE t(a TEXT PRIMARY KEY)", &[]));
    }

    #[test]
    fn of_every_key_the_last_row_is_written_however_many_batches_there_are() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, n)").unwrap();
        let [columns, key] = [&["a", "n"][..], &["a"]].map(|all| all.iter().map(|&c| c.to_owned()));
        let (columns, key) = (columns.collect(), key.collect());
        let table = Table { name: "t".into(), columns, key, ..Table::default() };
        let order = Order::of(&connection, &table).unwrap().unwrap();
        let mut writer = crate::row::RowWriter::default();
        let keys = [1, 1, 1, 1, 1, 2, 3, 4, 2, 5, 2, 6, 7];
        let rows: Vec<(i64, i64)> = keys.into_iter().zip(0..).collect();
        for (a, n) in &rows {
            let fill = |row: &mut crate::row::RowWriter| {
                row.integer(*a);
                row.integer(*n);
                Ok(())
            };
            writer.row(2, fill).unwrap();
        }
        let (part, mut written) = (writer.take(), std::collections::BTreeMap::new());
        let mut upsert = |mut row: Rows<'_>| {
            let mut values = Vec::new();
            row.next_row(|_, value| {
                values.push(value.as_i64().unwrap());
                Ok(())
            })?;
            written.insert(values[0], values[1]);
            Ok(true)
        };
        let mut batch = Batch::new(&order);
        batch.add(Rows::new(&part, 2).unwrap(), &mut upsert).unwrap();
        batch.flush(&mut upsert).unwrap();
        assert_eq!(written, rows.into_iter().collect());
    }
}
