//! `checkpoints verify`.

use std::collections::BTreeMap;

use serde_json::json;
use steadfast_checkpoint::object::fetch;
use steadfast_core::id::CheckpointId;
use steadfast_core::{Cause, Error, ErrorKind, Result};
use steadfast_protocol::manifest::Manifest;

use super::super::units;
use super::Look;

/// What was found of one checkpoint.
struct Finding {
    id: CheckpointId,
    objects: usize,
    bytes: u64,
    damage: Vec<String>,
}

/// Reads every object of checkpoint `id`, or of all that count.
///
/// # Errors
/// `Damaged` if anything is, after everything has been looked at.
pub(super) fn verify(look: &Look<'_>, id: Option<CheckpointId>) -> Result<()> {
    let mut known = BTreeMap::new();
    let findings = match id {
        Some(id) => vec![examine(look, id, look.checkpoint(id)?, &mut known)?],
        None => look
            .history
            .iter()
            .map(|(id, checkpoint)| match checkpoint {
                Ok(checkpoint) => examine(look, *id, checkpoint, &mut known),
                Err(error) => {
                    Ok(Finding { id: *id, objects: 0, bytes: 0, damage: vec![error.message()] })
                }
            })
            .collect::<Result<_>>()?,
    };
    look.answer(
        || {
            let finding = |f: &Finding| {
                json!({
                    "checkpoint": f.id.0,
                    "intact": f.damage.is_empty(),
                    "objects": f.objects,
                    "bytes": f.bytes,
                    "damage": f.damage,
                })
            };
            findings.iter().map(finding).collect()
        },
        || findings.iter().map(line).collect(),
    )?;
    let damaged: Vec<_> = findings.iter().filter(|f| !f.damage.is_empty()).collect();
    if damaged.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = damaged.iter().map(|f| f.id.to_string()).collect();
    let what =
        format!("{} of {} checkpoints are damaged: {}", ids.len(), findings.len(), ids.join(", "));
    Err(Error::because(Cause::VERIFIED_DAMAGED, what)
        .at(look.store.describe())
        .hint("a run skips them and goes on from the newest intact one"))
}

/// Checkpoints share objects; each is read once and then known.
type Known = BTreeMap<String, Option<String>>;

fn examine(
    look: &Look<'_>,
    id: CheckpointId,
    checkpoint: &Manifest,
    known: &mut Known,
) -> Result<Finding> {
    let (mut objects, mut bytes, mut damage) = (0, 0, Vec::new());
    for object in checkpoint.objects() {
        objects += 1;
        bytes += object.bytes;
        let seen = format!("{} {} {:08x}", object.name, object.bytes, object.crc32c);
        if !known.contains_key(&seen) {
            let problem = match fetch(look.store, object) {
                Ok(_) => None,
                Err(error) if error.kind() == ErrorKind::Damaged => Some(error.message()),
                Err(error) => return Err(error.at(format!("checkpoint {id}"))),
            };
            known.insert(seen.clone(), problem);
        }
        damage.extend(known.get(&seen).cloned().flatten());
    }
    Ok(Finding { id, objects, bytes, damage })
}

fn line(finding: &Finding) -> String {
    let Finding { id, objects, bytes, damage } = finding;
    if damage.is_empty() {
        let size = units::bytes(*bytes);
        return format!("checkpoint {id} is intact: {objects} objects, {size}\n");
    }
    let damage: String = damage.iter().map(|problem| format!("  {problem}\n")).collect();
    format!("checkpoint {id} is DAMAGED:\n{damage}")
}
