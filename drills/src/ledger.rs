//! What a payments job has left behind, read by other means than the job's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Balance in cents and number of payments, by account.
pub type Ledger = BTreeMap<String, (i64, i64)>;

/// The ledger in a database.
///
/// # Errors
/// The database cannot be read.
pub fn from_sqlite(path: &Path) -> Result<Ledger> {
    let database = rusqlite::Connection::open(path)?;
    let mut query = database.prepare("SELECT account_id, balance_cents, payments FROM balances")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether SQLite finds the database in order.
///
/// # Errors
/// It does not, or cannot read it.
pub fn check_sqlite(path: &Path) -> Result<()> {
    let database = rusqlite::Connection::open(path)?;
    let found: String = database.query_row("PRAGMA integrity_check", (), |row| row.get(0))?;
    ensure!(found == "ok", "{found}");
    Ok(())
}

/// The rows of a database and the markers of its sinks, as text.
///
/// # Errors
/// The database cannot be read.
pub fn dump(path: &Path) -> Result<String> {
    let mut text = String::new();
    if !path.exists() {
        return Ok(text);
    }
    let database = rusqlite::Connection::open(path)?;
    for (table, columns) in [
        ("balances", "account_id || ' ' || balance_cents || ' ' || payments"),
        ("steadfast_markers", "sink || ' ' || lineage || ' ' || claim || ' ' || checkpoint"),
    ] {
        if !database.table_exists(None, table)? {
            continue;
        }
        let mut query = database.prepare(&format!("SELECT {columns} FROM {table} ORDER BY 1"))?;
        for row in query.query_map([], |row| row.get::<_, String>(0))? {
            text += &format!("{table} {}\n", row?);
        }
    }
    Ok(text)
}

/// All lines of a folder's visible parts, in the order of the parts' names.
///
/// # Errors
/// The folder or a part cannot be read.
pub fn lines_of(folder: &Path) -> Result<Vec<String>> {
    lines_in(folder, &parts_in(folder)?)
}

/// The names of a folder's visible parts, in ascending order.
///
/// # Errors
/// The folder cannot be read.
pub fn parts_in(folder: &Path) -> Result<Vec<String>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_part = name.starts_with("part-") || name.starts_with("dead-");
        if is_part && name.ends_with(".jsonl") {
            parts.push(name);
        }
    }
    parts.sort();
    Ok(parts)
}

/// Of a folder's visible parts those of the store that has the folder now. What is hidden in the
/// folder says whose a part is: a line with a checksum, then JSON.
///
/// # Errors
/// The folder cannot be read.
pub fn parts_of_owner(folder: &Path) -> Result<Vec<String>> {
    let mut slots = BTreeMap::new();
    for block in fs::read_dir(folder.join(".steadfast/slots"))? {
        for entry in fs::read_dir(block?.path())? {
            let entry = entry?;
            let Ok(number) = entry.file_name().to_string_lossy().parse::<u64>() else { continue };
            let text = fs::read_to_string(entry.path())?;
            let json = text.split_once('\n').context("a slot has two lines")?.1;
            slots.insert(number, serde_json::from_str::<serde_json::Value>(json)?);
        }
    }
    let Some((_, newest)) = slots.last_key_value() else { return Ok(Vec::new()) };
    let lineage = &newest["marker"]["lineage"];
    let owned = slots.values().filter(|slot| slot["marker"]["lineage"] == *lineage);
    let names: Vec<_> = owned.filter_map(|slot| slot["step"]["part"]["name"].as_str()).collect();
    Ok(parts_in(folder)?.into_iter().filter(|part| names.contains(&part.as_str())).collect())
}

fn lines_in(folder: &Path, parts: &[String]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for part in parts {
        lines.extend(fs::read_to_string(folder.join(part))?.lines().map(str::to_string));
    }
    Ok(lines)
}

/// The ledger in a folder of lines. The last line of an account is its balance, and each line must
/// be there once.
///
/// # Errors
/// The folder cannot be read, or a line came twice.
pub fn from_files(folder: &Path) -> Result<Ledger> {
    from_parts(folder, &parts_in(folder)?)
}

/// The same from some of the folder's parts.
///
/// # Errors
/// As [`from_files`].
pub fn from_parts(folder: &Path, parts: &[String]) -> Result<Ledger> {
    let mut ledger = Ledger::new();
    for line in lines_in(folder, parts)? {
        let row: serde_json::Value = serde_json::from_str(&line)?;
        let number = |name: &str| row[name].as_i64().with_context(|| format!("{name} in {line}"));
        let balance = (number("balance_cents")?, number("payments")?);
        let account = row["account_id"].as_str().with_context(|| line.clone())?.to_string();
        let before = ledger.insert(account, balance);
        ensure!(before.is_none_or(|before| before.1 < balance.1), "a line came twice: {line}");
    }
    Ok(ledger)
}

/// Where the lines began that are in a folder of dead letters, in their order there.
///
/// # Errors
/// The folder cannot be read, or holds something else.
pub fn dead_letters(folder: &Path) -> Result<Vec<u64>> {
    dead_letters_in(folder, &parts_in(folder)?)
}

/// The same from some of the folder's parts.
///
/// # Errors
/// As [`dead_letters`].
pub fn dead_letters_in(folder: &Path, parts: &[String]) -> Result<Vec<u64>> {
    let lines = lines_in(folder, parts)?;
    let offset = |line: &String| {
        let letter: serde_json::Value = serde_json::from_str(line)?;
        letter["offset"].as_u64().with_context(|| format!("no offset in {line}"))
    };
    lines.iter().map(offset).collect()
}
