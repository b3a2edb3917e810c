//! A job that is not the one that the checkpoint is of: an operator emits in another way, keys hash in another
//! way, an operator with state is new, or a target takes another format while output waits for it. A process that
//! is given such a job must be refused.

use steadfast_protocol::manifest::Manifest;

use crate::input::{EXTRA_STATE, Topology};
use crate::topologies::Otherwise;

use super::history::Run;
use super::life::Life;

/// So many keys do not all stay in their groups by chance.
const ENOUGH_KEYS: u64 = 8;

impl Run {
    /// Sometimes starts a process with a job that it has to refuse.
    pub(super) fn try_other_job(&mut self) -> Option<String> {
        if self.is_damaged() || self.random.u8(..4) == 0 {
            return None;
        }
        let manifest = self.newest_of_history()?;
        let life = self.draw_life().willing(self.character.foreign);
        let has_extra = has_extra(&manifest);
        let life = Life { extra: has_extra, ..life };
        let mut all = Vec::new();
        let other = |otherwise, must_say| Life { otherwise, must_say, ..life.clone() };
        if manifest.modes.contains_key("sum") {
            let otherwise = Otherwise { emits: true, ..Otherwise::default() };
            all.push(other(otherwise, Some("and until checkpoint")));
        }
        let keys = manifest.state.get("tally/total").into_iter().flatten();
        // Nobody loads the state of a job that has nothing to do.
        let is_loaded = !manifest.is_finished();
        if is_loaded && keys.map(|file| file.entries).max().unwrap_or(0) >= ENOUGH_KEYS {
            let otherwise = Otherwise { hashes: true, ..Otherwise::default() };
            // Few jobs that keep anything are left in the middle.
            let same = other(otherwise, Some("a key does not hash to the key group"));
            all.extend([same.clone(), same.clone(), same]);
        }
        if self.has_output_to_apply(&manifest) {
            let otherwise = Otherwise { formats: true, ..Otherwise::default() };
            all.push(other(otherwise, Some("and the target takes 'other lines'")));
        }
        if !has_extra {
            let unchanged = other(Otherwise::default(), Some("would begin empty in mid-life"));
            all.push(Life { extra: true, new_state: false, ..unchanged });
        }
        let which = self.random.usize(..all.len().max(1));
        let life = all.into_iter().nth(which)?;
        self.world.observer.count("job: another one, and refused");
        self.round(vec![life], true)
    }

    /// Whether a table waits for output of a checkpoint.
    fn has_output_to_apply(&self, manifest: &Manifest) -> bool {
        // A file that has been cut off, or a folder, is refused first.
        if self.scenario().topology == Topology::Folders {
            return false;
        }
        let tables = self.world.database.tables();
        manifest.outputs.iter().any(|(sink, output)| {
            let marker = tables.get(sink.as_str()).and_then(|table| table.marker);
            let waits = marker.zip(output.before).is_some_and(|(marker, before)| {
                marker.checkpoint == before.checkpoint && marker.checkpoint < manifest.checkpoint
            });
            waits && !output.chunks.is_empty()
        })
    }
}

fn has_extra(manifest: &Manifest) -> bool {
    manifest.tables.iter().any(|table| table.starts_with(EXTRA_STATE))
}
