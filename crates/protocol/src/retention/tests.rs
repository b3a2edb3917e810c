//! How many checkpoints are kept, and what each of them still needs.

use std::collections::BTreeMap;

use super::*;
use crate::manifest::{ObjectRef, StagedOutput, manifest_for_tests};

/// A checkpoint of generation 1 that needs these objects.
fn checkpoint(number: u64, objects: &[&str]) -> Manifest {
    let chunk = |name: &&str| ObjectRef { name: name.to_string(), bytes: 1, crc32c: 0 };
    let chunks = objects.iter().map(chunk).collect();
    let output = StagedOutput { chunks, ..StagedOutput::default() };
    Manifest {
        outputs: BTreeMap::from([("out".to_string(), output)]),
        ..manifest_for_tests(number, 1)
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

/// A job is started again and is to keep fewer than before: none of the others is listed as kept, or
/// recovery would fall back to what is half deleted.
#[test]
fn where_fewer_are_to_be_kept_than_before_the_others_go_with_the_next_commit() {
    let object = |sequence| names::data(CheckpointId(2), Generation(1), sequence, "x");
    let found: Vec<_> = (2..6).map(|number| checkpoint(number, &[&object(number)])).collect();
    for limit in 1..6_usize {
        let mut retained = Retained::new(limit, &found);
        let kept = ids((2..=6).skip(5_usize.saturating_sub(limit)));
        assert_eq!(retained.with(CheckpointId(6)), kept, "{limit}");
        let gone = retained.add(&checkpoint(6, &[&object(6)]));
        let expected = (limit < 5).then(|| Unreferenced {
            objects: (2..kept[0].0).map(object).collect(),
            log_before: LogIndex(kept[0].0),
        });
        assert_eq!(gone, expected, "{limit}");
        assert_eq!(retained.with(CheckpointId(7)), ids((2..=7).skip(6 - limit)), "{limit}");
    }
}
