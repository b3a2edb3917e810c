//! Whether what a process did would have survived the loss of power at any moment, as far as the order
//! of its steps decides that.
//!
//! A disk that loses power keeps what was synced: the bytes of a file once the file was, its name once
//! its folder was. A recording is gone through with that in mind (see [`unsynced`]), and each step that
//! relies on earlier ones must find them durable:
//!
//! - a file that gets its name relies on its bytes, and on all that its thread has named before;
//! - an entry of the log relies on every object that it speaks of;
//! - a step of a target, and whatever is deleted, relies on the newest entry of the log;
//! - SQLite's own steps rely on each other (see [`sqlite`]);
//! - the end of the process relies on everything.
//!
//! It knows what the kinds of paths are for, and nothing of what the process says of itself.

mod sqlite;
mod unsynced;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::recording::{LOG, Noted};
use unsynced::Unsynced;

/// What the entries of the log said that a process put, in their order.
pub(crate) struct Entries(Vec<String>);

impl Entries {
    /// Reads those that the shim has kept in a folder.
    pub(crate) fn read(kept: &Path) -> Result<Self> {
        let mut entries = Vec::new();
        while let Ok(bytes) = fs::read(kept.join((entries.len() + 1).to_string())) {
            entries.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        Ok(Entries(entries))
    }

    /// The names of the objects that one of them speaks of.
    fn objects(&self, number: usize) -> impl Iterator<Item = &str> {
        let text = self.0.get(number).map_or("", String::as_str);
        text.split('"').filter(|word| word.starts_with("data/"))
    }
}

/// Where the order of steps would not survive, one line for each of a kind.
pub(crate) fn breaches(noted: &[Noted], entries: &Entries) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut unsynced = Unsynced::default();
    let mut put = 0;
    for (step, noted) in noted.iter().enumerate() {
        if noted.is_before() {
            check(noted, &unsynced, &mut found);
            sqlite::check(noted, &unsynced, &mut found);
            if gives_name(noted) && noted.kind() == LOG {
                for object in entries.objects(put) {
                    if let Some(why) = unsynced.why_not_durable(object) {
                        found.insert(format!("{} speaks of {object}: {why}", noted.path));
                    }
                }
                put += 1;
            }
        }
        unsynced.follow(step, noted);
    }
    found.extend(unsynced.at_the_end().map(|why| format!("at the end {why}")));
    found.into_iter().collect()
}

fn gives_name(noted: &Noted) -> bool {
    matches!(noted.verb(), "link" | "rename")
}

/// Kinds of files that come to an end with the call that makes them: nothing is built on their names.
pub(super) fn is_passing(kind: &str) -> bool {
    kind.ends_with("temporary") || kind.starts_with("sqlite-")
}

/// Whether somebody sees the result of a job by it.
fn is_of_target(kind: &str) -> bool {
    matches!(kind, "slot" | "dead-slot" | "part" | "dead-part" | "sqlite-wal" | "sqlite-journal")
}

fn check(noted: &Noted, unsynced: &Unsynced, found: &mut BTreeSet<String>) {
    let (kind, path) = (noted.kind(), &noted.path);
    if gives_name(noted) && unsynced.bytes_of(&noted.detail) {
        found.insert(format!("{path} gets its name before its bytes are synced"));
    }
    let deletes = noted.verb() == "unlink" && !is_passing(kind);
    if gives_name(noted) || deletes {
        for (other, why) in unsynced.named_by(noted.thread()) {
            // What a reset takes away goes piece by piece; only its end relies on all of them.
            if kind.ends_with("reset") && Path::new(other).parent() == Path::new(path).parent() {
                continue;
            }
            let verb = if deletes { "is deleted" } else { "gets its name" };
            found.insert(format!("{path} {verb} after {other}: {why}"));
        }
    }
    let writes = noted.verb() == "write" || gives_name(noted);
    if (writes && is_of_target(kind)) || deletes {
        for entry in unsynced.named_as(LOG) {
            found.insert(format!("{path} relies on {entry}, whose folder is not synced"));
        }
    }
}

#[cfg(test)]
mod tests;
