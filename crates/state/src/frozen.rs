//! A frozen table: what it had at a barrier, turned into state files beside the workers.
//!
//! It knows nothing of the table's later life, which goes on while this encodes.

use steadfast_core::Result;
use steadfast_core::key::{Key, KeyGroup, KeyGroups};
use steadfast_core::state::{EncodedState, FrozenTable, StateKind, StateLimits};

use crate::file::{Header, Writer};
use crate::shard::FrozenShard;
use crate::state::State;

pub(crate) struct Frozen<K, V> {
    pub(crate) table: String,
    pub(crate) space: u16,
    pub(crate) groups: KeyGroups,
    pub(crate) kind: StateKind,
    /// One for each group, in order.
    pub(crate) shards: Vec<FrozenShard<K, V>>,
}

impl<K: Key, V: State> FrozenTable for Frozen<K, V> {
    fn encode(
        self: Box<Self>,
        limits: &StateLimits,
        buffer: &mut Vec<u8>,
        each: &mut dyn FnMut(EncodedState<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut writer = Writer::new(buffer, limits.block_bytes);
        let mut first = self.groups.first;
        for (group, shard) in self.groups.range().zip(self.shards) {
            for key in &shard.removed {
                writer.remove(KeyGroup(group), key)?;
            }
            // The shard is dropped here, page by page: pages that the table wants to write again
            // need not be copied once they have been encoded.
            for page in shard.pages {
                for (key, value) in page.selected() {
                    writer.put(KeyGroup(group), key, value)?;
                }
            }
            let is_last = group + 1 == self.groups.end;
            if writer.len() >= limits.file_bytes || is_last {
                let groups = KeyGroups { first, end: group + 1 };
                let header = Header::new(&self.table, self.kind, groups, self.space);
                writer.finish(&header, each)?;
                first = group + 1;
            }
        }
        Ok(())
    }
}
