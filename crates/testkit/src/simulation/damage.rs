//! What befalls the store and the targets beside crashes: bits that flip, files that go, old copies
//! that come back.

use std::sync::Arc;

use crate::database::Database;
use crate::disk::{Contents, DurableDisk};
use crate::input::UNMARKED;
use crate::observer::Observer;
use crate::table::Tables;

/// See the module.
#[derive(Default)]
pub(super) struct Damage {
    disks: Vec<Contents>,
    databases: Vec<Tables>,
    /// Whether entries of the log were damaged, or a marker is lost: no reset makes up for that.
    beyond_reset: bool,
}

impl Damage {
    /// Makes a copy for later.
    pub(super) fn copy(&mut self, disk: &DurableDisk, database: &Database) {
        self.disks.push(disk.copy());
        self.databases.push(database.tables().clone());
    }

    pub(super) fn can_be_reset(&self) -> bool {
        !self.beyond_reset
    }

    /// Damages something. Says what.
    pub(super) fn strike(
        &mut self,
        random: &mut fastrand::Rng,
        disk: &DurableDisk,
        database: &Database,
        observer: &Observer,
    ) -> Option<String> {
        let what = match random.u8(..8) {
            kind @ 0..5 => {
                let folder = ["/store/log/", "/store/data/"][random.usize(..2)];
                let names = disk.names(folder);
                // The newest matter most.
                let newest = names.len().saturating_sub([1, 3, 100][random.usize(..3)]);
                let name = names.get(random.usize(newest..names.len().max(newest + 1)))?;
                self.beyond_reset |= folder.ends_with("/log/");
                let mut how = "file removed";
                disk.damage(name, |bytes| {
                    if bytes.is_empty() || kind >= 3 {
                        return false;
                    }
                    let at = random.usize(..bytes.len());
                    if kind == 0 {
                        how = "file cut";
                        bytes.truncate(at);
                    } else {
                        how = "bit flipped";
                        bytes[at] ^= 1 << random.u8(..8);
                    }
                    true
                });
                let area = folder.trim_matches('/').trim_start_matches("store/");
                format!("{how} in {area}: {name}")
            }
            5 => {
                let copy = self.databases.get(random.usize(..self.databases.len().max(1)))?;
                if random.bool() {
                    let mut tables = database.tables();
                    let names = marked(&tables);
                    let name = names.get(random.usize(..names.len().max(1)))?;
                    match copy.get(name) {
                        Some(table) => tables.insert(name.clone(), table.clone()),
                        None => tables.remove(name),
                    };
                } else {
                    let mut tables = database.tables();
                    let shown = tables.remove(UNMARKED);
                    *tables = copy.clone();
                    tables.remove(UNMARKED);
                    tables.extend(shown.map(|table| (UNMARKED.into(), table)));
                }
                // What was before it was put back counts for nothing.
                observer.seen().ranks.clear();
                "old target put back".to_string()
            }
            6 => {
                let copy = self.disks.get(random.usize(..self.disks.len().max(1)))?;
                disk.restore(copy.clone());
                observer.seen().restorations += 1;
                "old store put back".to_string()
            }
            _ => {
                let mut tables = database.tables();
                let names = marked(&tables);
                let name = names.get(random.usize(..names.len().max(1)))?;
                tables.get_mut(name)?.marker.take()?;
                self.beyond_reset = true;
                format!("marker lost: {name}")
            }
        };
        observer.seen().damaged = true;
        Some(what)
    }
}

/// The tables that can be put back or lose a marker. What was shown where there is none stays shown.
fn marked(tables: &Tables) -> Vec<Arc<str>> {
    tables.keys().filter(|name| &***name != UNMARKED).cloned().collect()
}
