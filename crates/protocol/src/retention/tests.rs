//! How many checkpoints are kept, and what each of them still needs.

use std::collections::BTreeMap;

use steadfast_core::id::{ClaimId, Lineage};
use steadfast_core::message::BarrierKind;
use steadfast_core::time::Timestamp;

use super::*;
use crate::manifest::{Consistency, Counters, Durations, ObjectRef, StagedOutput, Trigger};

/// A checkpoint of generation 1 that needs these objects.
fn checkpoint(number: u64, objects: &[&str]) -> Manifest {
    let chunk = |name: &&str| ObjectRef { name: name.to_string(), bytes: 1, crc32c: 0 };
    let chunks = objects.iter().map(chunk).collect();
    let output = StagedOutput { chunks, ..StagedOutput::default() };
    Manifest {
        job: "j".into(),
        checkpoint: CheckpointId(number),
        lineage: Lineage(1),
        claim: ClaimId { generation: Generation(1), nonce: 1 },
        origin: Generation(1),
        retained: Vec::new(),
        previous: None,
        trigger: Trigger::Periodic,
        kind: BarrierKind::Regular,
        consistency: Consistency::ExactlyOnce,
        triggered_at: Timestamp(0),
        key_groups: 8,
        parallelism: 1,
        sources: BTreeMap::new(),
        tables: BTreeSet::new(),
        state: BTreeMap::new(),
        outputs: BTreeMap::from([("out".to_string(), output)]),
        counters: Counters::new(),
        durations: Durations::default(),
    }
}

fn ids(all: impl IntoIterator<Item = u64>) -> Vec<CheckpointId> {
    all.into_iter().map(CheckpointId).collect()
}

#[test]
fn as_many_are_kept_as_were_asked_for_and_at_least_one() {
    for (asked, kept) in [(0, 1), (1, 1), (2, 2), (3, 3)] {
        let mut retained = Retained::new(asked, []);
        for number in 2..8_u64 {
            let expected = ids((2..=number).skip((number as usize - 1).saturating_sub(kept)));
            assert_eq!(retained.with(CheckpointId(number)), expected, "{asked} asked for");
            let gone = retained.add(&checkpoint(number, &[]));
            let oldest = expected.first().map(|id| LogIndex(id.0));
            let is_full = number as usize - 1 > kept;
            assert_eq!(gone.map(|gone| gone.log_before), oldest.filter(|_| is_full));
        }
    }
}

#[test]
fn what_any_kept_checkpoint_needs_is_kept() {
    let object = |sequence| names::data(CheckpointId(2), Generation(1), sequence, "x");
    let [a, b, c, d] = [0, 1, 2, 3].map(object);
    let (second, third) = (checkpoint(2, &[&a, &b]), checkpoint(3, &[&b, &c]));
    let mut retained = Retained::new(2, [&second, &third]);
    // Also what only the older one needs: the newer one may turn out to be damaged.
    let found = [a.clone(), b.clone(), c.clone(), d.clone()];
    let orphans = |retained: &Retained, generation| -> Vec<String> {
        retained.orphans(&found, Generation(generation)).cloned().collect()
    };
    assert_eq!(orphans(&retained, 2), std::slice::from_ref(&d));
    assert!(orphans(&retained, 1).is_empty(), "what this generation writes is no orphan");
    let gone = retained.add(&checkpoint(4, &[&c])).unwrap();
    assert_eq!(gone, Unreferenced { objects: vec![a.clone()], log_before: LogIndex(3) });
    assert_eq!(orphans(&retained, 2), [a, d]);
}
