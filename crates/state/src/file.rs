//! The state file: what a table was, or what changed in it, readable by itself.
//!
//! ```text
//! file   =  "SFSTATE" version:u8  block*  tail
//! block  =  group:u16  removes:u32  puts:u32  raw_len:u32  stored_len:u32  stored  crc32c:u32
//! tail   =  header:JSON  header_len:u32  blocks:u32  crc32c:u32
//!
//! stored =  LZ4(raw), or raw itself where stored_len = raw_len
//! raw    =  removes × key, puts × (key, value)
//! key    =  shared:varint  added:varint  bytes[added]
//! value  =  shared:varint  added:varint  bytes[added]
//! ```
//!
//! Integers are little-endian; a checksum covers everything in its block or tail before it. The
//! header stands at the end because only then it is known which groups the file speaks of.
//!
//! Keys and values are MessagePack with field names: names travel with every value, so a type may
//! gain a field and a tool can print a value without knowing its type. What a key or value begins
//! with like the one before it in its block is not repeated (`shared` bytes; the same device as in
//! sorted string tables, <https://github.com/google/leveldb/blob/main/doc/table_format.md>). All
//! removes of a group come before its puts.
//!
//! It knows nothing of tables, nor of where files are kept.

mod prefix_compression;
mod reader;
mod writer;

use serde::{Deserialize, Serialize};
use steadfast_core::key::KeyGroups;
use steadfast_core::state::StateKind;

pub(crate) use reader::{Change, Reader, of_another_type};
pub(crate) use writer::Writer;

const MAGIC: &[u8; 7] = b"SFSTATE";
const VERSION: u8 = 2;
const TAIL_END: usize = 4 * 3;

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
