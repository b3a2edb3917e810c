//! Expiry: the hand goes round, a few entries at a time, and leaves nothing out.

use std::collections::BTreeMap;

use steadfast_core::key::{KeyHash, KeySpace};
use steadfast_core::state::{EncodedState, StateLimits, StateTable};
use steadfast_state::Table;

const GROUPS: usize = 8;

fn table(keys: u64) -> Table<u64, u64> {
    let mut table = Table::new("t", KeySpace { groups: GROUPS as u16, tasks: 1 }, 0);
    (0..keys).for_each(|key| table.insert(KeyHash::of(&key), &key, key));
    table
}

#[test]
fn a_sweep_goes_on_where_the_last_one_stopped_and_looks_at_all_once_in_a_turn() {
    let mut table = table(500);
    for turn in 1..4 {
        let mut looks = BTreeMap::new();
        // Each step looks at an entry or goes on to the next group.
        for _ in 0..500 + GROUPS {
            table.sweep(1, |key, _| {
                *looks.entry(*key).or_insert(0) += 1;
                false
            });
        }
        assert_eq!(looks.len(), 500, "turn {turn}");
        assert!(looks.values().all(|times| *times == 1), "turn {turn}");
    }
}

#[test]
fn what_has_expired_is_gone_after_a_turn_of_small_sweeps() {
    let mut table = table(500);
    for _ in 0..(500 + GROUPS) / 4 + 1 {
        table.sweep(4, |key, _| key % 5 != 0);
    }
    let mut left: Vec<_> = table.iter().map(|(key, _)| *key).collect();
    left.sort_unstable();
    assert_eq!((table.len(), left), (100, (0..500).step_by(5).collect()));
}

/// It would be there again after a crash.
#[test]
fn what_has_expired_is_gone_after_a_restart() {
    let (mut table, limits) = (table(500), StateLimits::default());
    let mut restored = self::table(0);
    let mut write = |table: &mut Table<u64, u64>| {
        let frozen = table.freeze(&limits).unwrap();
        let load = &mut |file: EncodedState<'_>| restored.load(file.bytes);
        frozen.encode(&limits, &mut Vec::new(), load).unwrap();
        restored.len()
    };
    assert_eq!(write(&mut table), 500);
    table.sweep(500 + GROUPS, |key, _| key % 5 != 0);
    let left = table.len();
    assert!(left < 300, "{left}");
    assert_eq!(write(&mut table), left);
}

#[test]
fn an_empty_table_is_swept_without_a_look() {
    let mut table = table(0);
    table.sweep(10, |_, _| panic!("there is nothing to look at"));
    assert!(table.is_empty() && table.name() == "t");
}
