//! Sizes that decide speed and memory and must never decide a result: tests draw them tiny.

use steadfast_core::state::StateLimits;

/// See the module.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many batches wait between two tasks at most: enough to go on with while the operating system
    /// gives the other worker's core to somebody else for a time slice.
    pub channel_batches: usize,
    /// A poll of a source ends when it has read so many bytes of input.
    pub poll_bytes: usize,
    /// The records of a poll that has read as many bytes as this are counted until the next stage has taken
    /// them,
    pub heavy_poll_bytes: usize,
    /// and sources wait while there are more bytes of such than this.
    pub in_flight_bytes: usize,
    /// Staged output larger than this is handed over before its epoch ends, in bytes.
    pub early_output_bytes: usize,
    /// Tasks wait while more staged output than this is on its way to the store, in bytes.
    pub staged_bytes: usize,
    /// Output chunks larger than this are read back from the store when they are applied, in bytes.
    pub kept_chunk_bytes: usize,
    /// Sources wait while an epoch that has ended waits for its targets and more output than this is
    /// staged, in bytes.
    pub unapplied_bytes: usize,
    /// A task waits for its snapshot to be written when it has copied so much state that the snapshot still
    /// reads, in bytes, without what its values point to.
    pub copied_bytes: usize,
    /// So many of the splits that a task has read to their ends stay in each checkpoint as they are; of the
    /// others a few bytes are kept, in an object that is written once.
    pub listed_splits: usize,
    /// Of state and its files.
    pub state: StateLimits,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Limits {
            channel_batches: 32,
            poll_bytes: MIB,
            heavy_poll_bytes: MIB,
            in_flight_bytes: 64 * MIB,
            early_output_bytes: 4 * MIB,
            staged_bytes: 64 * MIB,
            kept_chunk_bytes: 4 * MIB,
            unapplied_bytes: 1024 * MIB,
            copied_bytes: 256 * MIB,
            listed_splits: 32,
            state: StateLimits::default(),
        }
    }
}
