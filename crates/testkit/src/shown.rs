//! A table as the oracle reads it: by what its rows speak of, with who computed each.
//!
//! It borrows the rows; nothing here decides what is right.

use std::collections::BTreeMap;

use crate::oracle::Oracle;
use crate::table::{Row, Table, signed};

/// See the module.
#[derive(Default)]
pub struct Shown<'a> {
    /// Appended rows by what they speak of: who computed each, and its text.
    pub appended: BTreeMap<&'a str, Vec<(u16, &'a str)>>,
    /// Rows by key, where the sink upserts.
    pub by_key: BTreeMap<&'a str, (u16, &'a str)>,
    /// Of appended rows that come in order, the place of the newest: of each process, and of all.
    pub newest: BTreeMap<(Option<u16>, u64), u64>,
}

/// A row, as it is read.
pub struct ShownRow<'a> {
    /// Its key, where the sink upserts.
    pub key: Option<&'a str>,
    /// Who computed it.
    pub by: u16,
    /// What it says.
    pub text: &'a str,
    /// What it speaks of.
    pub id: &'a str,
    /// If rows come in order: what it shares with those that it follows, and its place among them.
    pub place: Option<(u64, u64)>,
}

impl<'a> Shown<'a> {
    /// What a table shows.
    pub fn of(oracle: &Oracle, name: &str, table: &'a Table) -> Self {
        let mut shown = Shown::default();
        table.appended.iter().for_each(|line| shown.add_line(oracle, name, line));
        for (key, line) in &table.by_key {
            let row = read(oracle, name, Some(key), line);
            shown.add(row);
        }
        shown
    }

    /// A line is there now.
    pub fn add_line(&mut self, oracle: &Oracle, name: &str, line: &'a str) {
        self.add(read(oracle, name, None, line));
    }

    /// A row is there now.
    pub fn add(&mut self, row: ShownRow<'a>) {
        let ShownRow { key, by, text, id, place } = row;
        if let Some((group, position)) = place {
            self.newest.insert((Some(by), group), position);
            self.newest.insert((None, group), position);
        }
        match key {
            None => self.appended.entry(id).or_default().push((by, text)),
            Some(key) => drop(self.by_key.insert(key, (by, text))),
        }
    }
}

impl<'a> ShownRow<'a> {
    /// Reads a row of the table `name`.
    pub fn read(oracle: &Oracle, name: &str, row: &'a Row) -> Self {
        match row {
            Row::Append(line) => read(oracle, name, None, line),
            Row::Upsert(key, line) => read(oracle, name, Some(key), line),
        }
    }
}

fn read<'a>(oracle: &Oracle, name: &str, key: Option<&'a str>, line: &'a str) -> ShownRow<'a> {
    let (by, text) = signed(line);
    let (by, id) = (by.unwrap_or(0), oracle.id(name, text));
    ShownRow { key, by, text, id, place: oracle.place(name, text) }
}
