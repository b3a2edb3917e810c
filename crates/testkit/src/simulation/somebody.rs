//! What somebody does while processes run and sleep, who is none of them: puts an old copy of the store or of
//! a table back, or cuts off an input file.

use std::sync::Arc;

use crate::baton::{Call, CallKind, Handle};
use crate::disk::Contents;
use crate::input::{SPLITS, UNMARKED};
use crate::input_files::Growth;
use crate::table::{Table, Tables};
use crate::topologies::folders;

use super::history::Run;
use super::life::End;
use super::process::{STORE, World};

/// See the module.
#[derive(Clone)]
pub(super) enum Deed {
    /// A copy of the store comes back: one that is there, or one that is made a while before.
    OldStore(Option<Contents>, u32),
    /// A table is what it was some time ago.
    OldTable(Arc<str>, Table),
    /// A file loses its last lines; it is put right when all have ended.
    CutsFile(usize, usize),
    /// Files grow.
    GrowsFiles([Growth; 3]),
    /// The folder of the store is not there for so many calls, once a process works with it.
    TakesStore(u32),
    /// A file of somebody else gets the name of one of the next parts of a sink; it is taken away when all have
    /// ended.
    PutsPart(u64),
}

impl Run {
    /// What somebody does in a round, if anything.
    pub(super) fn draw_deed(&mut self, is_alone: bool) -> Option<Deed> {
        let random = &mut self.random;
        let can_damage = self.character.damage && !self.character.foreign;
        if can_damage && random.u8(..5) == 0 {
            let old = random.bool();
            let old_store = old.then(|| self.damage.old_store(random)).flatten();
            // Some wait for a process that sleeps right before it commits.
            let later = [random.u32(..20), 400][random.usize(..2)];
            return Some(Deed::OldStore(old_store, later));
        }
        if can_damage && random.u8(..6) == 0 {
            let (name, table) = self.damage.old_table(random)?;
            return Some(Deed::OldTable(name, table));
        }
        if self.world.files.is_some() && random.u8(..3) == 0 {
            let before = self.growth.clone();
            let grown = [(); 3].map(|()| {
                self.growth = self.grown(false);
                self.growth.clone()
            });
            self.growth = before;
            return Some(Deed::GrowsFiles(grown));
        }
        let random = &mut self.random;
        if is_alone && random.u8(..4) == 0 {
            return Some(Deed::TakesStore([3, 40, 300][random.usize(..3)]));
        }
        if self.world.scenario.topology.has_folders() && random.u8(..6) == 0 {
            return Some(Deed::PutsPart(random.u64(1..4)));
        }
        if let Some(files) = &self.world.files
            && random.u8(..3) == 0
        {
            let which = random.usize(..SPLITS[0]);
            let length = files.cut_at_line(&self.growth, which, random)?;
            return Some(Deed::CutsFile(which, length));
        }
        None
    }
}

impl World {
    /// Somebody does what was drawn.
    pub(super) fn interfere(&self, handle: &Handle, deed: Deed) -> End {
        let call = |what: &str| Call::new(CallKind::Clock, what);
        let wait = |calls: u32| {
            for _ in 0..calls {
                let _ = handle.call(call("and waits"), || ());
            }
        };
        match deed {
            Deed::OldStore(old_store, later) => {
                let copied = || handle.call(call("and copies"), || self.disk.copy());
                let Ok(old_store) = old_store.map_or_else(copied, Ok) else { return End::Nothing };
                wait(later);
                let _ = handle.call(call("and puts an old store back"), || {
                    self.disk.restore(old_store);
                    let seen = &mut *self.observer.seen();
                    seen.restorations += 1;
                    seen.damaged = true;
                    seen.count("damage: old store put back beside processes");
                });
            }
            Deed::OldTable(name, table) => {
                let _ = handle.call(call("and puts an old table back"), || {
                    let tables: &mut Tables = &mut self.database.tables();
                    // What has no marker stays shown.
                    if &*name == UNMARKED || !tables.contains_key(&name) {
                        return;
                    }
                    tables.insert(name, table);
                    let seen = &mut *self.observer.seen();
                    seen.ranks.clear();
                    seen.damaged = true;
                    seen.count("damage: old target put back beside processes");
                });
            }
            Deed::GrowsFiles(steps) => {
                for growth in steps {
                    wait(30);
                    let _ = handle.call(call("and lets files grow"), || {
                        let Some(files) = &self.files else { return };
                        files.put(&growth, &self.disk);
                        self.observer.count("input: files grow while they are read");
                    });
                }
            }
            Deed::TakesStore(long) => {
                let has_claimed = || {
                    let seen = self.observer.seen();
                    seen.processes.last().is_some_and(|newest| newest.claim.is_some())
                };
                // It may come to its end before.
                for _ in 0..100 {
                    if has_claimed() {
                        break;
                    }
                    wait(5);
                }
                if !has_claimed() {
                    return End::Nothing;
                }
                let _ = handle.call(call("and takes the store away"), || {
                    self.disk.take_folder(STORE);
                    let seen = &mut *self.observer.seen();
                    seen.processes.iter_mut().for_each(|own| own.may_give_up = true);
                    seen.count("store: away for a while");
                });
                wait(long);
                let _ = handle.call(call("and brings the store back"), || self.disk.bring_folder());
            }
            Deed::PutsPart(later) => {
                // Best between a slot and its part.
                for _ in 0..200 {
                    if folders::hidden_part(&self.disk).is_some() {
                        break;
                    }
                    wait(1);
                }
                let _ = handle.call(call("and puts a part"), || {
                    let part = folders::hidden_part(&self.disk);
                    let part = part.or_else(|| folders::next_part(&self.disk, later));
                    let Some(part) = part else { return };
                    if self.disk.read(&part).is_none() {
                        self.disk.put(&part, folders::STRANGER.into());
                        let seen = &mut *self.observer.seen();
                        seen.count("folder: a part of somebody else");
                        seen.processes.iter_mut().for_each(|own| own.may_find_strangers = true);
                    }
                });
            }
            Deed::CutsFile(which, length) => {
                let _ = handle.call(call("and cuts a file off"), || {
                    let Some(files) = &self.files else { return };
                    files.put_shorter(which, length, &self.disk);
                    let seen = &mut *self.observer.seen();
                    seen.count("input: a file is cut off while it is read");
                    seen.processes.iter_mut().for_each(|own| own.input_was_cut = true);
                });
            }
        }
        End::Nothing
    }
}
