//! Reads a state file that lies in memory, and believes nothing that its checksums do not confirm.
//!
//! It knows nothing of tables or of where a file comes from.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use steadfast_core::key::KeyGroup;
use steadfast_core::{Cause, Error, Result};

use super::prefix_compression::FrontReader;
use super::{Header, MAGIC, TAIL_END, VERSION};

/// A state file whose tail is intact.
pub(crate) struct Reader<'a> {
    header: Header,
    blocks: &'a [u8],
    count: u32,
}

/// One verified block.
pub(crate) struct Block<'a> {
    pub(crate) group: KeyGroup,
    pub(crate) removes: u32,
    pub(crate) puts: u32,
    raw_len: usize,
    stored: &'a [u8],
}

/// One entry of a block.
pub(crate) enum Change<K, V> {
    Remove(K),
    Put(K, V),
}

fn damaged(what: &str) -> Error {
    Error::damaged(format!("the state file {what}"))
}

fn too_short() -> Error {
    damaged("ends too early")
}

/// Takes `n` bytes off the front of `bytes`.
fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Result<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(n).ok_or_else(too_short)?;
    *bytes = rest;
    Ok(head)
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32> {
    let (word, rest) = bytes.split_first_chunk().ok_or_else(too_short)?;
    *bytes = rest;
    Ok(u32::from_le_bytes(*word))
}

/// Takes `n` bytes off the end of `bytes`.
fn take_last<'a>(bytes: &mut &'a [u8], n: usize) -> Result<&'a [u8]> {
    let rest = bytes.len().checked_sub(n).ok_or_else(too_short)?;
    let (rest, last) = bytes.split_at(rest);
    *bytes = rest;
    Ok(last)
}

impl<'a> Reader<'a> {
    /// Checks beginning and tail of `bytes`.
    pub(crate) fn open(mut bytes: &'a [u8]) -> Result<Self> {
        if take(&mut bytes, MAGIC.len())? != MAGIC {
            return Err(damaged("does not begin like one"));
        }
        let version = take(&mut bytes, 1)?[0];
        if version != VERSION {
            let what = format!("the state file has version {version}, this build reads {VERSION}");
            return Err(
                Error::because(Cause::OTHER_RELEASE, what).hint("use the release that wrote it")
            );
        }
        let whole = bytes;
        let mut end = take_last(&mut bytes, TAIL_END)?;
        let (length, count, crc) = (take_u32(&mut end)?, take_u32(&mut end)?, take_u32(&mut end)?);
        let json = take_last(&mut bytes, length as usize)?;
        if crc32c::crc32c(&whole[bytes.len()..whole.len() - 4]) != crc {
            return Err(damaged("does not end as it was written"));
        }
        let header = serde_json::from_slice(json)
            .map_err(|e| damaged("has a header that does not parse").caused_by(e))?;
        Ok(Reader { header, blocks: bytes, count })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The blocks in order; the last item is an error if there are not as many as there should be.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Result<Block<'a>>> {
        let (mut rest, mut left, mut over) = (self.blocks, self.count, false);
        std::iter::from_fn(move || {
            let next = match (left, rest.is_empty()) {
                _ if over => return None,
                (0, true) => return None,
                (0, false) => Err(damaged("has more in it than it says")),
                (_, _) => next_block(&mut rest),
            };
            over = next.is_err();
            left = left.saturating_sub(1);
            Some(next)
        })
    }
}

fn next_block<'a>(rest: &mut &'a [u8]) -> Result<Block<'a>> {
    let whole = *rest;
    let group = take(rest, 2)?;
    let group = KeyGroup(u16::from_le_bytes([group[0], group[1]]));
    let (removes, puts) = (take_u32(rest)?, take_u32(rest)?);
    let (raw_len, stored_len) = (take_u32(rest)? as usize, take_u32(rest)? as usize);
    let stored = take(rest, stored_len)?;
    let covered = &whole[..whole.len() - rest.len()];
    if take_u32(rest)? != crc32c::crc32c(covered) {
        let what = format!("has a block (key group {}) that fails its checksum", group.0);
        return Err(damaged(&what));
    }
    Ok(Block { group, removes, puts, raw_len, stored })
}

impl Block<'_> {
    fn raw(&self) -> Result<Cow<'_, [u8]>> {
        if self.stored.len() == self.raw_len {
            return Ok(Cow::Borrowed(self.stored));
        }
        lz4_flex::block::decompress(self.stored, self.raw_len)
            .map(Cow::Owned)
            .map_err(|e| damaged("has a block that does not decompress").caused_by(e))
    }

    /// Decodes the entries and hands them over in order: removes first, then puts.
    pub(crate) fn decode<K: DeserializeOwned, V: DeserializeOwned>(
        &self,
        mut each: impl FnMut(Change<K, V>) -> Result<()>,
    ) -> Result<()> {
        let raw = self.raw()?;
        let (mut keys, mut values) = (FrontReader::default(), FrontReader::default());
        let mut rest = &raw[..];
        for _ in 0..self.removes {
            each(Change::Remove(decode("key", keys.read(&mut rest))?))?;
        }
        for _ in 0..self.puts {
            let key = decode("key", keys.read(&mut rest))?;
            let value = decode("value", values.read(&mut rest))?;
            each(Change::Put(key, value))?;
        }
        if rest.is_empty() { Ok(()) } else { Err(damaged("has a block with too much in it")) }
    }
}

#[inline]
fn decode<T: DeserializeOwned>(part: &str, bytes: Option<&[u8]>) -> Result<T> {
    let bytes = bytes.ok_or_else(|| damaged("has a block that does not hold what it says"))?;
    // The bytes are intact (their checksum says so), so it is the type that does not fit.
    rmp_serde::from_slice(bytes).map_err(|error| {
        let what = format!("a {part} of the stored state does not fit its type");
        let fields = "a new field needs #[serde(default)] and a renamed one #[serde(alias)]; for another type, put the former one back";
        of_another_type(what, fields).caused_by(error)
    })
}

/// What is stored is intact, and of another type than the table's; what can be done is `first`, or to do without it.
pub(crate) fn of_another_type(what: impl Into<String>, first: &str) -> Error {
    Error::because(Cause::STATE_TYPE, what).hint(format!(
        "{first}, or let the operator begin empty under another name (--new NEW --forget OLD; RunOptions::new_operators, forget), or start from scratch with --reset (RunOptions::reset)"
    ))
}

#[cfg(test)]
mod tests;
