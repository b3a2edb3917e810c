//! What befalls the store and the targets beside crashes: bits that flip, files that go, old copies
//! that come back.

use std::collections::BTreeSet;
use std::sync::Arc;

use steadfast_protocol::entry::LogEntry;

use crate::database::Database;
use crate::disk::{Contents, DurableDisk};
use crate::input::UNMARKED;
use crate::invariants::kept::Kept;
use crate::observer::Observer;
use crate::table::{Table, Tables};

/// See the module.
#[derive(Default)]
pub(super) struct Damage {
    /// Whether processes adopt what others created. Then no marker is lost: a table without one
    /// looks as if others had created it, and whoever says to use it as it is gets its rows twice.
    adopts: bool,
    disks: Vec<Contents>,
    databases: Vec<Tables>,
    /// Whether entries of the log are gone, or a marker is lost: no reset makes up for that.
    beyond_reset: bool,
}

impl Damage {
    /// Nothing is damaged yet. With `adopts`, processes adopt what others created.
    pub(super) fn new(adopts: bool) -> Self {
        Damage { adopts, ..Damage::default() }
    }

    /// Makes a copy for later.
    pub(super) fn copy(&mut self, disk: &DurableDisk, database: &Database) {
        self.disks.push(disk.copy());
        self.databases.push(database.tables().clone());
    }

    /// A copy of the store that was made some time ago. With an empty one, whoever adopts would go on with the
    /// rows of another history.
    pub(super) fn old_store(&self, random: &mut fastrand::Rng) -> Option<Contents> {
        let copy = self.disks.get(random.usize(..self.disks.len().max(1)));
        copy.filter(|_| !self.adopts).cloned()
    }

    /// A table as it was some time ago.
    pub(super) fn old_table(&self, random: &mut fastrand::Rng) -> Option<(Arc<str>, Table)> {
        let copy = self.databases.get(random.usize(..self.databases.len().max(1)))?;
        let all = marked(copy);
        let name = all.get(random.usize(..all.len().max(1)))?;
        Some((Arc::clone(name), copy.get(name)?.clone()))
    }

    pub(super) fn can_be_reset(&self) -> bool {
        !self.beyond_reset
    }

    /// Damages something. Says what.
    pub(super) fn strike(
        &mut self,
        random: &mut fastrand::Rng,
        kept: &Kept,
        database: &Database,
        observer: &Observer,
    ) -> Option<String> {
        let disk = &kept.disk;
        if random.u8(..6) == 0 {
            let what = delete_by_hand(random, kept)?;
            observer.seen().damaged = true;
            return Some(what);
        }
        let staged = disk.names("/folders/");
        let staged: Vec<_> = staged.into_iter().filter(|name| name.contains("/staged/")).collect();
        if !staged.is_empty() && random.bool() {
            observer.seen().damaged = true;
            return damage_file(random, disk, "a staged part", &staged);
        }
        if random.u8(..8) == 0 {
            let what = match random.bool() {
                true => self.remove_last_of_block(random, kept)?,
                false => damage_all_but_first(disk)?,
            };
            let seen = &mut *observer.seen();
            (seen.damaged, seen.log_damaged) = (true, true);
            seen.log_removed |= what.starts_with(REMOVED);
            return Some(what);
        }
        let what = match random.u8(..10) {
            0..5 => {
                let area = ["log", "data", "data"][random.usize(..3)];
                let names = disk.names(&format!("/store/{area}/"));
                let several = area == "data" && random.u8(..4) != 0;
                let what = if several {
                    damage_newest(random, disk, &names)?
                } else {
                    damage_file(random, disk, area, &names)?
                };
                // What was at the end of the log and is gone is a hole, or was never there.
                self.beyond_reset |= area == "log" && what.starts_with(REMOVED);
                observer.seen().log_damaged |= area == "log";
                observer.seen().log_removed |= area == "log" && what.contains(REMOVED);
                what
            }
            // Few objects hold output, and few of those are ever read again.
            8.. => {
                let mut names = disk.names("/store/data/");
                names.retain(|name| name.ends_with(".output"));
                damage_file(random, disk, "staged output", &names)?
            }
            5 => {
                // By one step, or to what was copied.
                let one_step = database.before();
                let copy = match random.bool() {
                    true => &one_step,
                    false => self.databases.get(random.usize(..self.databases.len().max(1)))?,
                };
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
                disk.restore(self.old_store(random)?);
                observer.seen().restorations += 1;
                "old store put back".to_string()
            }
            _ if self.adopts => return None,
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

impl Damage {
    /// The last entry of a block goes, behind which there are others.
    fn remove_last_of_block(&mut self, random: &mut fastrand::Rng, kept: &Kept) -> Option<String> {
        let index = |name: &String| name.rsplit('/').next()?.parse::<u64>().ok();
        let names = kept.disk.names(&format!("{}/log/", kept.root));
        let newest = names.last().and_then(index)?;
        let is_last = |name: &&String| {
            index(name).is_some_and(|at| (at + 1) % kept.layout.block == 0 && at < newest)
        };
        let all: Vec<&String> = names.iter().filter(is_last).collect();
        let name = all.get(random.usize(..all.len().max(1)))?;
        kept.disk.damage(name, |_| false);
        self.beyond_reset = true;
        Some(format!("{REMOVED} at the end of a block: {name}"))
    }
}

/// Bits flip in every entry of the log but the first checkpoint.
fn damage_all_but_first(disk: &DurableDisk) -> Option<String> {
    let names = disk.names("/store/log/");
    let is_checkpoint = |name: &&String| {
        let entry = disk.read(name).map(|bytes| LogEntry::decode(&bytes));
        matches!(entry, Some(Ok(LogEntry::Checkpoint(_))))
    };
    let first = names.iter().find(is_checkpoint)?;
    for name in names.iter().filter(|name| *name > first) {
        disk.damage(name, |bytes| {
            bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
            true
        });
    }
    Some(format!("bit flipped in all of the log behind {first}"))
}

/// Somebody deletes the newest checkpoint, and comes to its end or not.
fn delete_by_hand(random: &mut fastrand::Rng, kept: &Kept) -> Option<String> {
    let (disk, root) = (&kept.disk, kept.root);
    let names = disk.names(&format!("{root}/log/"));
    let newest = names.iter().rev().find_map(|name| match LogEntry::decode(&disk.read(name)?) {
        Ok(LogEntry::Checkpoint(manifest)) => Some(manifest),
        _ => None,
    })?;
    disk.put(&format!("{root}/{}", kept.layout.dropped(newest.checkpoint)), Vec::new());
    let objects: Vec<_> = newest.objects().collect();
    if let Some(object) = objects.get(random.usize(..objects.len() + 1)) {
        disk.damage(&format!("{root}/{}", object.name), |_| false);
    }
    Some(format!("checkpoint deleted by hand: {}", newest.checkpoint))
}

const REMOVED: &str = "file removed";

/// The tables that can be put back or lose a marker. What was shown where there is none stays shown.
fn marked(tables: &Tables) -> Vec<Arc<str>> {
    tables.keys().filter(|name| &***name != UNMARKED).cloned().collect()
}

/// Damages what each of the newest checkpoints has added: an older one may be intact.
fn damage_newest(
    random: &mut fastrand::Rng,
    disk: &DurableDisk,
    names: &[String],
) -> Option<String> {
    let checkpoint = |name: &String| name.rsplit('/').next()?.split('-').next()?.parse().ok();
    let mut damaged = Vec::new();
    let newest: BTreeSet<u64> = names.iter().filter_map(checkpoint).collect();
    for number in newest.into_iter().rev().take([2, 2, 3][random.usize(..3)]) {
        let own = names.iter().filter(|name| checkpoint(name) == Some(number));
        let own: Vec<_> = own.cloned().collect();
        damaged.extend(damage_file(random, disk, "data", &own));
    }
    (!damaged.is_empty()).then(|| damaged.join("; "))
}

/// Cuts or removes one of the files, flips a bit in it, or changes a digit. Says what.
fn damage_file(
    random: &mut fastrand::Rng,
    disk: &DurableDisk,
    area: &str,
    names: &[String],
) -> Option<String> {
    // The newest matter most.
    let newest = names.len().saturating_sub([1, 3, 100][random.usize(..3)]);
    let name = names.get(random.usize(newest..names.len().max(newest + 1)))?;
    // Who deletes what is staged and not visible yet takes a part away, and nobody can tell that from a user
    // who has moved the visible one.
    let kind =
        if area == "a staged part" { [0, 1, 2, 5][random.usize(..4)] } else { random.u8(..7) };
    let mut how = REMOVED;
    disk.damage(name, |bytes| {
        if bytes.is_empty() || (3..5).contains(&kind) {
            return false;
        }
        let at = random.usize(..bytes.len());
        // What can still be read, and says something else.
        let digits = || (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit());
        if kind >= 5
            && let Some(at) = digits().nth(random.usize(..digits().count().max(1)))
        {
            how = "digit changed";
            bytes[at] = b'0' + (bytes[at] - b'0' + random.u8(1..10)) % 10;
            return true;
        }
        if kind == 0 {
            how = "file cut";
            bytes.truncate(at);
        } else {
            how = "bit flipped";
            bytes[at] ^= 1 << random.u8(..8);
        }
        true
    });
    Some(format!("{how} in {area}: {name}"))
}
