//! What a task keeps of the splits that it has read to their ends.
//!
//! The last few stay in the checkpoint as they are, where people can read them. Of the others the source
//! remembers some bytes, which lie in a table of state: so thousands of them are written once, and not with
//! every checkpoint. It knows nothing of what the bytes mean.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use steadfast_checkpoint::object::fetch;
use steadfast_core::key::{KeyGroups, KeyHash, KeySpace};
use steadfast_core::source::FinishedSplit;
use steadfast_core::state::StateTable;
use steadfast_core::{ErrorKind, Result};
use steadfast_protocol::coordinator::TakenSplit;
use steadfast_protocol::manifest::SplitNumber;
use steadfast_state::Table;

use crate::context::RestoreSource;
use crate::operators::Group;

/// The name of the table of a source.
pub(super) fn table_name(source: &str) -> String {
    format!("{source}/finished-splits")
}

/// A finished split, in one of the key groups of the task that keeps it: so it goes where the group goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Entry(Group, FinishedSplit);

impl Entry {
    fn hash(&self) -> KeyHash {
        self.0.hash().part(&self.1.0)
    }
}

type Entries = Table<Entry, ()>;

/// See the module.
pub(super) struct FinishedSplits {
    table: Entries,
    /// Those that are still in the checkpoint as they are, the oldest first.
    listed: VecDeque<(SplitNumber, FinishedSplit)>,
    /// How many of them may be.
    most_listed: usize,
    groups: KeyGroups,
    of: u16,
    next: u64,
}

impl FinishedSplits {
    /// Those of task `index` in the restored checkpoint, of which `kept` says which ones still count.
    pub(super) fn restore(
        source: &str,
        (space, index): (KeySpace, u16),
        most_listed: usize,
        restore: &RestoreSource,
        kept: &BTreeSet<FinishedSplit>,
    ) -> Result<Self> {
        let mut table = empty(source, space, index);
        load(&mut table, restore)?;
        let entries = table.iter().map(|(entry, ())| entry);
        let dropped: Vec<Entry> =
            entries.filter(|entry| !kept.contains(&entry.1)).cloned().collect();
        for entry in dropped {
            table.remove(entry.hash(), &entry);
        }
        let (groups, of, next) = (space.groups_of(index), space.groups, table.len() as u64);
        Ok(FinishedSplits { table, listed: VecDeque::new(), most_listed, groups, of, next })
    }

    /// A split is finished; until it is one of too many, the checkpoint lists it.
    pub(super) fn add(&mut self, number: SplitNumber, remembered: FinishedSplit) {
        self.listed.push_back((number, remembered));
    }

    /// Keeps the bytes of what no checkpoint has listed.
    pub(super) fn keep(&mut self, split: FinishedSplit) {
        let turn = self.next % u64::from(self.groups.end - self.groups.first);
        self.next += 1;
        let group = Group { group: self.groups.first + turn as u16, of: self.of };
        let entry = Entry(group, split);
        self.table.insert(entry.hash(), &entry, ());
    }

    /// Those that the checkpoint at hand lists no more, because the table has them.
    pub(super) fn unlist(&mut self, source: &str) -> Vec<TakenSplit> {
        let mut unlisted = Vec::new();
        while self.listed.len() > self.most_listed
            && let Some((number, remembered)) = self.listed.pop_front()
        {
            self.keep(remembered);
            unlisted.push(TakenSplit { source: source.to_string(), number, split: None });
        }
        unlisted
    }

    /// The table, for the snapshot.
    pub(super) fn table(&mut self) -> &mut dyn StateTable {
        &mut self.table
    }
}

fn empty(source: &str, space: KeySpace, task: u16) -> Entries {
    Table::with_hash(table_name(source), space, task, Entry::hash)
}

fn load(table: &mut Entries, restore: &RestoreSource) -> Result<()> {
    let name = table.name().to_string();
    let files = restore.manifest.iter().filter_map(|manifest| manifest.state.get(&name));
    for file in files.flatten() {
        if !file.groups.overlaps(table.owned_groups()) {
            continue;
        }
        let place = format!("state {name}, object {}", file.object.name);
        let loaded = match restore.contents.get(&file.object.name) {
            Some(bytes) => table.load(bytes),
            None => fetch(&*restore.store, &file.object).and_then(|bytes| table.load(&bytes)),
        };
        loaded.map_err(|error| error.at(place))?;
    }
    Ok(())
}

/// All that the restored checkpoint remembers of the finished splits of a source, in ascending order.
///
/// # Errors
/// `Unavailable` if the store does not answer; `Damaged` if an object is not what was written.
pub fn remembered(source: &str, restore: &RestoreSource) -> Result<Vec<FinishedSplit>> {
    let Some(manifest) = &restore.manifest else { return Ok(Vec::new()) };
    let mut table = empty(source, KeySpace { groups: manifest.key_groups, tasks: 1 }, 0);
    load(&mut table, restore)?;
    let all: BTreeSet<_> = table.iter().map(|(entry, ())| entry.1.clone()).collect();
    Ok(all.into_iter().collect())
}

/// The same where nothing has been decided yet: of a checkpoint that is damaged, it is not known.
pub(super) fn remembered_if_intact(
    source: &str,
    restore: &RestoreSource,
) -> Result<Option<Vec<FinishedSplit>>> {
    match remembered(source, restore) {
        Ok(all) => Ok(Some(all)),
        Err(error) if error.kind() == ErrorKind::Damaged => Ok(None),
        Err(error) => Err(error),
    }
}
