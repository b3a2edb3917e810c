//! The names of objects in a job's store.
//!
//! ```text
//! log/000000000000/000000000042               a claim or a checkpoint, in a folder of 256
//! closed/00000000/000000000000                no entry of this folder is in use any more
//! dropped/000000000000/000000000042           somebody has deleted checkpoint 42
//! shown/000000000000/000000000042-40-00c0ffee00c0ffee
//!                                             the last output, that of checkpoint 42, is in all targets
//! data/000000000000/000000000042-000000000040-3-totals.state
//!                                             what checkpoint 42 added; object 3 of generation 40
//! ```
//!
//! A data object's name carries the generation and a number that its writer gives to no other object,
//! so two processes never want the same name, and no name is used twice. Names have two levels, so
//! that no folder grows with the life of a job.

use steadfast_core::id::{CheckpointId, ClaimId, Generation, LogIndex};

/// The folder of the commit log.
pub const LOG: &str = "log/";
/// The folder of everything that checkpoints refer to.
pub const DATA: &str = "data/";
/// The folder of what says which blocks of the log are closed.
pub const CLOSED: &str = "closed/";
/// How many objects share a folder where nothing else says so.
const FOLDER: u64 = 256;

/// How the entries of a log are divided into blocks. It is fixed for the life of a log: 256 entries
/// in a block, but for tests that want blocks to be closed within a few entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLayout {
    /// How many entries share a folder, and are closed together; at least one.
    pub block: u64,
}

impl Default for LogLayout {
    fn default() -> Self {
        LogLayout { block: FOLDER }
    }
}

impl LogLayout {
    /// The block that `index` lies in.
    pub fn block_of(self, index: LogIndex) -> LogBlock {
        LogBlock(index.0 / self.block)
    }

    /// The first index of a block. There is no entry 0.
    pub fn first(self, block: LogBlock) -> LogIndex {
        LogIndex((block.0 * self.block).max(1))
    }

    /// The name of a log entry.
    pub fn entry(self, index: LogIndex) -> String {
        format!("{}{:012}", self.block_of(index).prefix(), index.0)
    }

    /// The object that says that the output of a checkpoint of this claim is in all targets.
    pub fn shown(self, checkpoint: CheckpointId, by: ClaimId) -> String {
        let block = self.block_of(LogIndex(checkpoint.0));
        format!("{}{:012}-{by}", block.shown_prefix(), checkpoint.0)
    }

    /// The object that says that somebody has deleted a checkpoint.
    pub fn dropped(self, checkpoint: CheckpointId) -> String {
        let block = self.block_of(LogIndex(checkpoint.0));
        format!("{}{:012}", block.dropped_prefix(), checkpoint.0)
    }
}

/// A run of neighbouring indexes of the log, as long as its [`LogLayout`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogBlock(pub u64);

impl LogBlock {
    /// The object that says that it is closed.
    pub fn closed(self) -> String {
        format!("{CLOSED}{:08}/{:012}", self.0 / FOLDER, self.0)
    }

    /// What the names of its checkpoints that somebody has deleted begin with.
    pub fn dropped_prefix(self) -> String {
        format!("dropped/{:012}/", self.0)
    }

    /// What the names of what says that its checkpoints were shown begin with.
    pub fn shown_prefix(self) -> String {
        format!("shown/{:012}/", self.0)
    }

    /// What the names of its entries begin with.
    pub fn prefix(self) -> String {
        format!("{LOG}{:012}/", self.0)
    }
}

/// The name of a data object. `what` is for people only; what could not stand in a file name is
/// replaced.
pub fn data(checkpoint: CheckpointId, generation: Generation, sequence: u64, what: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let what: String = what.chars().map(plain).collect();
    let block = checkpoint.0 / FOLDER;
    let (checkpoint, generation) = (checkpoint.0, generation.0);
    format!("{DATA}{block:012}/{checkpoint:012}-{generation:012}-{sequence}-{what}")
}

/// The generation that wrote a data object, if `name` is one.
pub fn data_generation(name: &str) -> Option<Generation> {
    let file = name.strip_prefix(DATA)?.split('/').nth(1)?;
    file.split('-').nth(1)?.parse().ok().map(Generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_256_neighbours_and_no_entry_0() {
        let layout = LogLayout::default();
        assert_eq!(layout.entry(LogIndex(1)), "log/000000000000/000000000001");
        assert_eq!(layout.entry(LogIndex(256)), "log/000000000001/000000000256");
        assert_eq!(layout.dropped(CheckpointId(256)), "dropped/000000000001/000000000256");
        let by = ClaimId { generation: Generation(255), nonce: 7 };
        let shown = layout.shown(CheckpointId(256), by);
        assert_eq!(shown, format!("shown/000000000001/000000000256-{by}"));
        assert!(shown.starts_with(&LogBlock(1).shown_prefix()));
        assert_eq!(LogBlock(513).closed(), "closed/00000002/000000000513");
    }

    #[test]
    fn blocks_of_any_size_follow_each_other_without_gaps() {
        for block in [1, 2, 3, 256] {
            let layout = LogLayout { block };
            for index in 1..4 * block {
                let (at, of) = (LogIndex(index), layout.block_of(LogIndex(index)));
                assert!(layout.first(of) <= at && at < layout.first(LogBlock(of.0 + 1)));
            }
            assert_eq!(layout.first(LogBlock(0)), LogIndex(1));
            assert_eq!(layout.first(LogBlock(2)), LogIndex(2 * block));
        }
    }

    #[test]
    fn a_data_object_tells_its_generation() {
        let name = data(CheckpointId(700), Generation(40), 3, "a/b c.state");
        assert_eq!(name, "data/000000000002/000000000700-000000000040-3-a_b_c.state");
        assert_eq!(data_generation(&name), Some(Generation(40)));
        assert_eq!(data_generation("data/x"), None);
    }
}
