//! Writes a state file: collects entries into blocks, compresses a block where that pays.
//!
//! It knows nothing of pages or of where a file goes.

use serde::Serialize;
use steadfast_core::key::KeyGroup;
use steadfast_core::state::{EncodedState, StateKind};
use steadfast_core::{Cause, Error, Result};

use super::prefix_compression::FrontWriter;
use super::{Header, MAGIC, VERSION};

/// After a block that compression did not make an eighth smaller, so many are not tried.
const PAUSE_BLOCKS: u32 = 7;

/// One state file after the other, in one buffer.
pub(crate) struct Writer<'a> {
    file: &'a mut Vec<u8>,
    block_bytes: usize,
    blocks: u32,
    entries: u64,
    raw: Vec<u8>,
    keys: FrontWriter,
    values: FrontWriter,
    group: Option<KeyGroup>,
    removes: u32,
    puts: u32,
    pause: u32,
}

impl<'a> Writer<'a> {
    /// A writer into `buffer`, whose contents it overwrites. A block is closed when its raw bytes pass
    /// `block_bytes`.
    pub(crate) fn new(buffer: &'a mut Vec<u8>, block_bytes: usize) -> Self {
        let mut writer = Writer {
            file: buffer,
            block_bytes,
            blocks: 0,
            entries: 0,
            raw: Vec::new(),
            keys: FrontWriter::default(),
            values: FrontWriter::default(),
            group: None,
            removes: 0,
            puts: 0,
            pause: 0,
        };
        writer.begin();
        writer
    }

    fn begin(&mut self) {
        self.file.clear();
        self.file.extend(MAGIC);
        self.file.push(VERSION);
        (self.blocks, self.entries) = (0, 0);
    }

    /// How many bytes the file has, roughly.
    pub(crate) fn len(&self) -> usize {
        self.file.len() + self.raw.len()
    }

    pub(crate) fn remove<K: Serialize>(&mut self, group: KeyGroup, key: &K) -> Result<()> {
        self.enter(group)?;
        self.removes += 1;
        serialize(self.keys.next(), key)?;
        self.keys.write(&mut self.raw);
        Ok(())
    }

    #[inline]
    pub(crate) fn put<K: Serialize, V: Serialize>(
        &mut self,
        group: KeyGroup,
        key: &K,
        value: &V,
    ) -> Result<()> {
        self.enter(group)?;
        self.puts += 1;
        serialize(self.keys.next(), key)?;
        self.keys.write(&mut self.raw);
        serialize(self.values.next(), value)?;
        self.values.write(&mut self.raw);
        Ok(())
    }

    #[inline]
    fn enter(&mut self, group: KeyGroup) -> Result<()> {
        if self.group != Some(group) || self.raw.len() >= self.block_bytes {
            self.close_block()?;
            self.group = Some(group);
        }
        Ok(())
    }

    fn close_block(&mut self) -> Result<()> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let raw_len = u32::try_from(self.raw.len())
            .map_err(|_| Error::user_code("a key or value of state is larger than 4 GiB"))?;
        let start = self.file.len();
        self.file.extend(group.0.to_le_bytes());
        for number in [self.removes, self.puts, raw_len, 0] {
            self.file.extend(number.to_le_bytes());
        }
        let stored_at = self.file.len();
        if !self.store_compressed() {
            self.file.extend_from_slice(&self.raw);
        }
        // Never more than the raw bytes.
        let stored = (self.file.len() - stored_at) as u32;
        self.file[stored_at - 4..stored_at].copy_from_slice(&stored.to_le_bytes());
        let crc = crc32c::crc32c(&self.file[start..]);
        self.file.extend(crc.to_le_bytes());
        self.blocks += 1;
        self.entries += u64::from(self.removes + self.puts);
        self.raw.clear();
        self.keys.restart();
        self.values.restart();
        (self.removes, self.puts) = (0, 0);
        Ok(())
    }

    /// Appends the block's bytes in less space, if that is an eighth less at least.
    fn store_compressed(&mut self) -> bool {
        if self.pause > 0 {
            self.pause -= 1;
            return false;
        }
        let start = self.file.len();
        let room = lz4_flex::block::get_maximum_output_size(self.raw.len());
        self.file.resize(start + room, 0);
        let stored = lz4_flex::block::compress_into(&self.raw, &mut self.file[start..]);
        let stored = stored.unwrap_or(usize::MAX);
        let pays = stored < self.raw.len() - self.raw.len() / 8;
        self.file.truncate(if pays { start + stored } else { start });
        if !pays {
            self.pause = PAUSE_BLOCKS;
        }
        pays
    }

    /// Hands over the finished file, unless it is a delta in which nothing changed, and begins the
    /// next one.
    pub(crate) fn finish(
        &mut self,
        header: &Header,
        each: &mut dyn FnMut(EncodedState<'_>) -> Result<()>,
    ) -> Result<()> {
        self.close_block()?;
        if self.blocks > 0 || header.kind == StateKind::Base {
            let json = serde_json::to_vec(header)
                .map_err(|e| Error::internal("a state header does not serialize").caused_by(e))?;
            let tail = self.file.len();
            self.file.extend(&json);
            self.file.extend((json.len() as u32).to_le_bytes());
            self.file.extend(self.blocks.to_le_bytes());
            let crc = crc32c::crc32c(&self.file[tail..]);
            self.file.extend(crc.to_le_bytes());
            let (groups, kind, entries) = (header.groups, header.kind, self.entries);
            each(EncodedState { groups, kind, entries, bytes: self.file })?;
        }
        self.begin();
        Ok(())
    }
}

#[inline]
fn serialize<T: Serialize>(out: &mut Vec<u8>, value: &T) -> Result<()> {
    let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
    value.serialize(&mut serializer).map_err(|e| {
        Error::because(Cause::NOT_SERIALIZED, "a key or value of state does not serialize")
            .caused_by(e)
    })
}

#[cfg(test)]
mod tests;
