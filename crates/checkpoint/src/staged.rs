//! The output of a checkpoint for one sink, of which the store holds what was too much to keep.
//!
//! What is read back is held against what the manifest says of it.

use std::borrow::Cow;

use steadfast_core::Result;
use steadfast_core::chunks::Chunks;
use steadfast_core::store::Store;

use crate::object::fetch;
use crate::snapshot::OutputChunk;

/// See the module.
pub(crate) struct StagedChunks<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) chunks: Vec<OutputChunk>,
}

impl Chunks for StagedChunks<'_> {
    fn count(&self) -> usize {
        self.chunks.len()
    }

    fn bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.object.bytes).sum()
    }

    fn chunk(&self, number: usize) -> Result<Cow<'_, [u8]>> {
        let OutputChunk { object, bytes, .. } = &self.chunks[number];
        match bytes {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => fetch(self.store, object).map(Cow::Owned),
        }
    }
}
