//! What a manifest takes over from the one before it, and what it forgets.

use std::collections::BTreeMap;

use steadfast_core::id::{ClaimId, Generation, Lineage};
use steadfast_core::key::KeyGroups;
use steadfast_core::state::StateKind;

use super::*;
use crate::manifest::{Consistency, Splits, manifest_for_tests};
use crate::retention::Retained;

fn claim(generation: u64) -> ClaimId {
    ClaimId { generation: Generation(generation), nonce: generation }
}

fn marker(checkpoint: u64) -> Marker {
    Marker { lineage: Lineage(1), claim: claim(4), checkpoint: CheckpointId(checkpoint) }
}

fn settings() -> Settings {
    Settings {
        job: "j".into(),
        consistency: Consistency::AtLeastOnce,
        interval: None,
        records: None,
        key_groups: 16,
        parallelism: 3,
    }
}

/// A job that goes on from checkpoint 7, which an earlier process has taken.
fn init() -> CoordinatorInit {
    let object = ObjectRef { name: "data/1".into(), bytes: 1, crc32c: 0 };
    let groups = KeyGroups { first: 0, end: 16 };
    let file = StateRef { object, groups, kind: StateKind::Base, entries: 1 };
    let restored = Manifest {
        state: BTreeMap::from([("sum/state".to_string(), vec![file])]),
        sources: BTreeMap::from([("in".to_string(), Splits::from([(SplitNumber(0), 1.into())]))]),
        ..manifest_for_tests(7, 4)
    };
    let target = SinkInit { marker: Some(marker(5)), format: "lines".into() };
    CoordinatorInit {
        claim: claim(9),
        lineage: Lineage(1),
        origin: Generation(4),
        restored: Some(restored),
        retained: Retained::new(2, []),
        tasks: BTreeSet::new(),
        source_tasks: 0,
        splits: BTreeMap::from([("in".to_string(), Splits::from([(SplitNumber(0), 3.into())]))]),
        tables: BTreeSet::from(["sum/state".to_string()]),
        modes: BTreeMap::from([("sum".to_string(), "final".to_string())]),
        sinks: BTreeMap::from([("out".to_string(), target)]),
    }
}

#[test]
fn the_first_manifest_of_a_process_says_what_the_job_is_now_and_keeps_the_restored_state() {
    let init = init();
    let restored = init.restored.clone().unwrap();
    let (before, format) = (Some(marker(5)), "lines".to_string());
    let output = StagedOutput { before, format, ..StagedOutput::default() };
    let expected = Manifest {
        checkpoint: CheckpointId(7),
        consistency: Consistency::AtLeastOnce,
        key_groups: 16,
        parallelism: 3,
        tables: init.tables.clone(),
        modes: init.modes.clone(),
        state: restored.state,
        sources: init.splits.clone(),
        outputs: BTreeMap::from([("out".to_string(), output)]),
        ..Manifest::empty("j", Lineage(1), claim(9), Generation(4))
    };
    assert_eq!(begin(&settings(), &init), expected);
}

#[test]
fn the_next_manifest_goes_on_with_everything_but_its_epoch() {
    let mut latest = begin(&settings(), &init());
    latest.sources =
        BTreeMap::from([("in".to_string(), Splits::from([(SplitNumber(0), 2.into())]))]);
    latest.durations = Durations { align_us: 1, sync_us: 2, write_us: 3 };
    for written in [true, false] {
        latest.outputs.get_mut("out").unwrap().written = written;
        let moved = Marker { claim: claim(9), ..marker(7) };
        let before = Some(if written { moved } else { marker(5) });
        let output = StagedOutput { before, format: "lines".into(), ..StagedOutput::default() };
        let expected = Manifest {
            outputs: BTreeMap::from([("out".to_string(), output)]),
            durations: Durations::default(),
            ..latest.clone()
        };
        assert_eq!(after(&latest), expected, "written: {written}");
    }
}
