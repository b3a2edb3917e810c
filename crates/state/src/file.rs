//! The state file: what a table was, or what changed in it, readable by itself.
//!
//! ```text
//! file    =  "SFSTATE" version:u8  header_len:u32  header:JSON  crc32c:u32  block*  end
//! block   =  0x01  group:u16  removes:u32  puts:u32  raw_len:u32  stored_len:u32  crc32c:u32  stored
//! end     =  0x00  blocks:u32  crc32c:u32
//! stored  =  LZ4( removes × key, puts × (key, value) ), keys and values as MessagePack with field names
//! ```
//!
//! Integers are little-endian; a block's checksum covers its own head and its stored bytes. Field
//! names travel with every value, so a type may gain a field and a tool can print a value without
//! knowing its type; LZ4 takes most of their cost away again. All removes of a group come before
//! its puts.
//!
//! It knows nothing of tables, nor of where files are kept.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use steadfast_core::key::{KeyGroup, KeyGroups};
use steadfast_core::state::{EncodedState, StateKind};
use steadfast_core::{Error, Result};

const MAGIC: &[u8; 7] = b"SFSTATE";
const VERSION: u8 = 1;
const BLOCK: u8 = 1;
const END: u8 = 0;
const BLOCK_HEAD: usize = 1 + 2 + 4 * 5;
/// A block is closed when its raw bytes pass this: small enough to stay in the cache.
const BLOCK_BYTES: usize = 128 * 1024;

/// What a state file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) table: String,
    pub(crate) kind: StateKind,
    pub(crate) groups: KeyGroups,
    /// Into how many groups the job divides all keys.
    pub(crate) key_groups: u16,
    compression: Compression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Compression {
    Lz4,
}

impl Header {
    pub(crate) fn new(table: &str, kind: StateKind, groups: KeyGroups, key_groups: u16) -> Self {
        let compression = Compression::Lz4;
        Header { table: table.to_string(), kind, groups, key_groups, compression }
    }
}

/// Collects entries into blocks.
#[derive(Default)]
pub(crate) struct Writer {
    blocks: Vec<u8>,
    block_count: u32,
    raw: Vec<u8>,
    group: Option<KeyGroup>,
    removes: u32,
    puts: u32,
    entries: u64,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// How many bytes it holds, roughly.
    pub(crate) fn len(&self) -> usize {
        self.blocks.len() + self.raw.len()
    }

    pub(crate) fn remove<K: Serialize>(&mut self, group: KeyGroup, key: &K) -> Result<()> {
        self.enter(group);
        self.removes += 1;
        append(&mut self.raw, key)
    }

    pub(crate) fn put<K: Serialize, V: Serialize>(
        &mut self,
        group: KeyGroup,
        key: &K,
        value: &V,
    ) -> Result<()> {
        self.enter(group);
        self.puts += 1;
        append(&mut self.raw, key)?;
        append(&mut self.raw, value)
    }

    fn enter(&mut self, group: KeyGroup) {
        if self.group != Some(group) || self.raw.len() >= BLOCK_BYTES {
            self.close_block();
            self.group = Some(group);
        }
    }

    fn close_block(&mut self) {
        let Some(group) = self.group.take() else { return };
        let start = self.blocks.len();
        let stored = lz4_flex::block::compress(&self.raw);
        self.blocks.push(BLOCK);
        self.blocks.extend(group.0.to_le_bytes());
        for number in [self.removes, self.puts, self.raw.len() as u32, stored.len() as u32] {
            self.blocks.extend(number.to_le_bytes());
        }
        let crc = crc32c::crc32c_append(crc32c::crc32c(&self.blocks[start..]), &stored);
        self.blocks.extend(crc.to_le_bytes());
        self.blocks.extend(stored);
        self.block_count += 1;
        self.entries += u64::from(self.removes + self.puts);
        self.raw.clear();
        (self.removes, self.puts) = (0, 0);
    }

    /// The finished file; none if it is a delta in which nothing changed.
    pub(crate) fn finish(mut self, header: &Header) -> Result<Option<EncodedState>> {
        self.close_block();
        if self.block_count == 0 && header.kind == StateKind::Delta {
            return Ok(None);
        }
        let json = serde_json::to_vec(header)
            .map_err(|e| Error::internal("a state header does not serialize").caused_by(e))?;
        let mut bytes = Vec::with_capacity(self.blocks.len() + json.len() + 32);
        bytes.extend(MAGIC);
        bytes.push(VERSION);
        bytes.extend((json.len() as u32).to_le_bytes());
        bytes.extend(&json);
        bytes.extend(crc32c::crc32c(&json).to_le_bytes());
        bytes.extend(self.blocks);
        bytes.push(END);
        bytes.extend(self.block_count.to_le_bytes());
        bytes.extend(crc32c::crc32c(&self.block_count.to_le_bytes()).to_le_bytes());
        Ok(Some(EncodedState {
            groups: header.groups,
            kind: header.kind,
            entries: self.entries,
            bytes,
        }))
    }
}

fn append<T: Serialize>(out: &mut Vec<u8>, value: &T) -> Result<()> {
    let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
    value
        .serialize(&mut serializer)
        .map_err(|e| Error::user_code("a key or value of state does not serialize").caused_by(e))
}

/// Reads a state file that lies in memory.
pub(crate) struct Reader<'a> {
    header: Header,
    blocks: &'a [u8],
}

/// One verified block.
pub(crate) struct Block<'a> {
    pub(crate) group: KeyGroup,
    pub(crate) removes: u32,
    pub(crate) puts: u32,
    raw_len: usize,
    stored: &'a [u8],
}

fn damaged(what: &str) -> Error {
    Error::damaged(format!("the state file {what}"))
}

/// Takes `n` bytes off the front of `bytes`.
fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Result<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(n).ok_or_else(|| damaged("ends too early"))?;
    *bytes = rest;
    Ok(head)
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32> {
    let mut word = [0; 4];
    word.copy_from_slice(take(bytes, 4)?);
    Ok(u32::from_le_bytes(word))
}

impl<'a> Reader<'a> {
    /// Checks the header of `bytes`.
    pub(crate) fn open(mut bytes: &'a [u8]) -> Result<Self> {
        if take(&mut bytes, MAGIC.len())? != MAGIC {
            return Err(damaged("does not begin like one"));
        }
        let version = take(&mut bytes, 1)?[0];
        if version != VERSION {
            let what = format!("the state file has version {version}, this build reads {VERSION}");
            return Err(Error::configuration(what).hint("use the release that wrote it, or later"));
        }
        let length = take_u32(&mut bytes)? as usize;
        let json = take(&mut bytes, length)?;
        if take_u32(&mut bytes)? != crc32c::crc32c(json) {
            return Err(damaged("has a header that fails its checksum"));
        }
        let header = serde_json::from_slice(json)
            .map_err(|e| damaged("has a header that does not parse").caused_by(e))?;
        Ok(Reader { header, blocks: bytes })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The blocks in order; the last item is an error if the file does not end as it should.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Result<Block<'a>>> {
        let mut rest = self.blocks;
        let mut seen = 0;
        let mut over = false;
        std::iter::from_fn(move || {
            if over {
                return None;
            }
            let next = next_block(&mut rest, &mut seen).transpose();
            over = !matches!(next, Some(Ok(_)));
            next
        })
    }
}

fn next_block<'a>(rest: &mut &'a [u8], seen: &mut u32) -> Result<Option<Block<'a>>> {
    let whole = *rest;
    if take(rest, 1)?[0] == END {
        let count = take_u32(rest)?;
        let intact = take_u32(rest)? == crc32c::crc32c(&count.to_le_bytes());
        let complete = intact && count == *seen && rest.is_empty();
        return if complete { Ok(None) } else { Err(damaged("does not end as it was written")) };
    }
    let group = take(rest, 2)?;
    let group = KeyGroup(u16::from_le_bytes([group[0], group[1]]));
    let (removes, puts) = (take_u32(rest)?, take_u32(rest)?);
    let (raw_len, stored_len) = (take_u32(rest)? as usize, take_u32(rest)? as usize);
    let crc = take_u32(rest)?;
    let stored = take(rest, stored_len)?;
    let head = crc32c::crc32c(&whole[..BLOCK_HEAD - 4]);
    if crc32c::crc32c_append(head, stored) != crc {
        return Err(damaged(&format!(
            "has a block (key group {}) that fails its checksum",
            group.0
        )));
    }
    *seen += 1;
    Ok(Some(Block { group, removes, puts, raw_len, stored }))
}

/// One entry of a block.
pub(crate) enum Change<K, V> {
    Remove(K),
    Put(K, V),
}

impl Block<'_> {
    /// Decodes the entries and hands them over in order: removes first, then puts.
    pub(crate) fn decode<K: DeserializeOwned, V: DeserializeOwned>(
        &self,
        mut each: impl FnMut(Change<K, V>) -> Result<()>,
    ) -> Result<()> {
        let raw = lz4_flex::block::decompress(self.stored, self.raw_len)
            .map_err(|e| damaged("has a block that does not decompress").caused_by(e))?;
        let mut reader = rmp_serde::Deserializer::from_read_ref(raw.as_slice());
        for _ in 0..self.removes {
            let key = K::deserialize(&mut reader).map_err(|e| mismatch("key", e))?;
            each(Change::Remove(key))?;
        }
        for _ in 0..self.puts {
            let key = K::deserialize(&mut reader).map_err(|e| mismatch("key", e))?;
            let value = V::deserialize(&mut reader).map_err(|e| mismatch("value", e))?;
            each(Change::Put(key, value))?;
        }
        Ok(())
    }
}

/// The bytes are intact (their checksum says so), so it is the type that does not fit.
fn mismatch(part: &str, error: rmp_serde::decode::Error) -> Error {
    Error::configuration(format!("a {part} of the stored state does not fit its type"))
        .caused_by(error)
        .hint("a field that is new in a state type needs #[serde(default)]")
}
