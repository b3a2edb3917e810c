//! Reading the objects of a checkpoint, each held against what the manifest says of it.

use steadfast_core::store::Store;
use steadfast_core::{Error, Result};
use steadfast_protocol::manifest::ObjectRef;

/// Reads an object and holds it against what the manifest says of it.
///
/// # Errors
/// `Damaged` if it is missing or differs; `Unavailable` if the store does not answer.
pub fn fetch(store: &dyn Store, object: &ObjectRef) -> Result<Vec<u8>> {
    let damaged =
        |what: &str| Error::damaged(format!("object {} {what}", object.name)).at(store.describe());
    let bytes = store.get(&object.name)?.ok_or_else(|| damaged("is missing"))?;
    if bytes.len() as u64 != object.bytes {
        return Err(damaged(&format!("has {} bytes instead of {}", bytes.len(), object.bytes)));
    }
    if crc32c::crc32c(&bytes) != object.crc32c {
        return Err(damaged("fails its checksum"));
    }
    Ok(bytes)
}
