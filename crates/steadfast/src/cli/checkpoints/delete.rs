//! `checkpoints delete`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use steadfast_checkpoint::recovery;
use steadfast_core::id::CheckpointId;
use steadfast_core::{Error, ErrorKind, Result};
use steadfast_protocol::manifest::{Manifest, ObjectRef};
use steadfast_protocol::names::LogLayout;

use super::super::units;
use super::Look;

/// Notes that `ids` are deleted, then deletes the objects that no other checkpoint needs. While the job
/// runs, later checkpoints build on the newest one only, which stays.
pub(super) fn delete(look: &Look<'_>, ids: &BTreeSet<CheckpointId>, force: bool) -> Result<()> {
    // An entry that cannot be read is refused here, too: it may be a claim.
    let going = ids.iter().map(|id| look.checkpoint(*id)).collect::<Result<Vec<_>>>()?;
    if !force && let Some(newest) = newest_intact(look)?.filter(|newest| ids.contains(newest)) {
        let what = format!("checkpoint {newest} is the newest intact one: the job goes on from it");
        return Err(Error::configuration(what).hint(
            "stop the job, then delete it with --force, or start from scratch with run --reset",
        ));
    }
    let staying = look.history.iter().filter(|(id, _)| !ids.contains(id));
    let staying: Vec<_> = staying.filter_map(|(_, checkpoint)| checkpoint.as_ref().ok()).collect();
    let unreferenced = needed_by_none(&going, &staying);
    let bytes: u64 = unreferenced.values().sum();
    // Entries of the log stay: that they have no gaps is what tells who may commit. The note goes
    // first: a checkpoint that is shown must be whole.
    for id in ids {
        look.store.put_if_absent(&LogLayout::default().dropped(*id), b"")?;
    }
    unreferenced.keys().try_for_each(|name| look.store.delete(name))?;
    look.answer(
        || {
            let ids: Vec<u64> = ids.iter().map(|id| id.0).collect();
            json!({ "deleted": ids, "objects": unreferenced.len(), "bytes": bytes })
        },
        || {
            let (checkpoints, objects) = (ids.len(), unreferenced.len());
            let size = units::bytes(bytes);
            format!("deleted {checkpoints} checkpoints and {objects} objects, {size} in all\n")
        },
    )
}

fn newest_intact(look: &Look<'_>) -> Result<Option<CheckpointId>> {
    for (id, checkpoint) in look.history.iter() {
        let Ok(manifest) = checkpoint else { continue };
        match recovery::verify(look.store, manifest) {
            Ok(()) => return Ok(Some(*id)),
            Err(error) if error.kind() == ErrorKind::Damaged => {}
            Err(error) => return Err(error.at(format!("checkpoint {id}"))),
        }
    }
    Ok(None)
}

/// The objects of the checkpoints that are going and of none that stays, with their sizes.
fn needed_by_none<'a>(going: &[&'a Manifest], staying: &[&Manifest]) -> BTreeMap<&'a str, u64> {
    let name = |object: &ObjectRef| object.name.clone();
    let needed: BTreeSet<String> =
        staying.iter().flat_map(|checkpoint| checkpoint.objects()).map(name).collect();
    let objects = going.iter().flat_map(|checkpoint| checkpoint.objects());
    let objects = objects.filter(|object| !needed.contains(&object.name));
    objects.map(|object| (object.name.as_str(), object.bytes)).collect()
}

#[cfg(test)]
mod tests {
    use steadfast_core::id::{ClaimId, Generation, Lineage};
    use steadfast_protocol::manifest::StagedOutput;

    use super::*;

    /// A checkpoint of these objects.
    fn checkpoint(objects: &[&str]) -> Manifest {
        let claim = ClaimId { generation: Generation(1), nonce: 1 };
        let object = |name: &&str| ObjectRef { name: name.to_string(), bytes: 7, crc32c: 0 };
        let output = StagedOutput {
            written: true,
            chunks: objects.iter().map(object).collect(),
            before: None,
            format: String::new(),
        };
        let outputs = BTreeMap::from([("out".to_string(), output)]);
        Manifest { outputs, ..Manifest::empty("job", Lineage(1), claim, Generation(1)) }
    }

    #[test]
    fn what_a_checkpoint_that_stays_needs_is_not_deleted() {
        let (going, staying) = (checkpoint(&["a", "b", "c"]), checkpoint(&["b", "d"]));
        let also_going = checkpoint(&["c", "e"]);
        let deleted = needed_by_none(&[&going, &also_going], &[&staying]);
        assert_eq!(deleted.keys().copied().collect::<Vec<_>>(), ["a", "c", "e"]);
        assert_eq!(deleted["a"], 7);
        assert!(needed_by_none(&[&staying], &[&going, &staying]).is_empty());
    }
}
