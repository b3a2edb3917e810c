//! A table behaves like a map; its files, applied in order, give back the same map: at any
//! parallelism, whatever was written while earlier snapshots were still being read.

use std::collections::BTreeMap;

use proptest::prelude::*;
use steadfast_core::key::{KeyHash, KeySpace};
use steadfast_core::state::{EncodedState, FrozenTable, StateKind, StateLimits, StateTable};
use steadfast_state::Table;

#[derive(Clone, Debug)]
enum Action {
    Put(u16, i64),
    Add(u16, i64),
    Remove(u16),
    Take(u16),
    Clear,
    Freeze,
    Encode,
    Sweep(i64),
}

fn action() -> impl Strategy<Value = Action> {
    let key = 0..400_u16;
    prop_oneof![
        180 => (key.clone(), any::<i64>()).prop_map(|(k, v)| Action::Put(k, v)),
        180 => (key.clone(), -100..100_i64).prop_map(|(k, v)| Action::Add(k, v)),
        60 => key.clone().prop_map(Action::Remove),
        60 => key.prop_map(Action::Take),
        1 => Just(Action::Clear),
        30 => Just(Action::Freeze),
        30 => Just(Action::Encode),
        30 => any::<i64>().prop_map(Action::Sweep),
    ]
}

type Frozen = Box<dyn FrozenTable>;

/// The bytes of its state files.
fn encoded(frozen: Frozen, file_bytes: usize) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    let mut keep = |file: EncodedState<'_>| {
        files.push(file.bytes.to_vec());
        Ok(())
    };
    frozen
        .encode(&StateLimits { file_bytes, ..StateLimits::default() }, &mut Vec::new(), &mut keep)
        .unwrap();
    files
}

fn key_of(n: u16) -> String {
    format!("key_{n}")
}

fn restored(files: &[Vec<u8>], tasks: u16) -> BTreeMap<String, i64> {
    let space = KeySpace { groups: 8, tasks };
    let mut all = BTreeMap::new();
    for task in 0..tasks {
        let mut table = Table::<String, i64>::new("t", space, task);
        for file in files {
            table.load(file).unwrap();
        }
        for (key, value) in table.iter() {
            assert_eq!(table.get(KeyHash::of(key), key), Some(value));
            assert!(all.insert(key.clone(), *value).is_none(), "two tasks own {key}");
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn files_in_order_give_back_the_table(actions in prop::collection::vec(action(), 0..1500), tasks in 1..5_u16) {
        let mut table = Table::<String, i64>::new("t", KeySpace { groups: 8, tasks: 1 }, 0);
        let mut model = BTreeMap::new();
        let mut waiting: Vec<Frozen> = Vec::new();
        let mut files = Vec::new();
        let encode = |waiting: &mut Vec<Frozen>, files: &mut Vec<Vec<u8>>| {
            for frozen in waiting.drain(..) {
                files.extend(encoded(frozen, 256));
            }
        };
        for action in actions {
            match action {
                Action::Put(k, v) => {
                    table.insert(KeyHash::of(&key_of(k)), &key_of(k), v);
                    model.insert(key_of(k), v);
                }
                Action::Add(k, v) => {
                    let key = key_of(k);
                    let slot = table.slot(KeyHash::of(&key), &key, || 0);
                    let value = table.value_mut(slot);
                    *value = value.wrapping_add(v);
                    let value = model.entry(key).or_insert(0_i64);
                    *value = value.wrapping_add(v);
                }
                Action::Remove(k) => {
                    let there = table.remove(KeyHash::of(&key_of(k)), &key_of(k));
                    prop_assert_eq!(there, model.remove(&key_of(k)).is_some());
                }
                Action::Take(k) => {
                    let key = key_of(k);
                    let hash = KeyHash::of(&key);
                    let taken = table.find(hash, &key).and_then(|slot| table.take(hash, slot));
                    let expected = model.remove(&key).map(|value| (key, value));
                    prop_assert_eq!(taken, expected);
                }
                Action::Clear => {
                    table.clear();
                    model.clear();
                }
                Action::Freeze => waiting.extend(table.freeze(&StateLimits::default())),
                Action::Encode => encode(&mut waiting, &mut files),
                Action::Sweep(bound) => {
                    // A whole turn of the hand; entries that move into a hole are looked at too.
                    table.sweep(usize::MAX, |_, v| *v == bound);
                }
            }
            prop_assert_eq!(table.len(), model.len());
        }
        waiting.extend(table.freeze(&StateLimits::default()));
        prop_assert_eq!(table.changed().count(), 0);
        encode(&mut waiting, &mut files);
        prop_assert_eq!(restored(&files, tasks), model);
    }

    /// A batch is looked up as its keys would be one after the other, repeated keys included.
    #[test]
    fn a_batch_is_located_like_single_keys(
        batches in prop::collection::vec(prop::collection::vec(0..300_u16, 0..200), 1..8)
    ) {
        let space = KeySpace { groups: 8, tasks: 1 };
        let mut table = Table::<String, usize>::new("t", space, 0);
        let mut model: BTreeMap<u16, usize> = BTreeMap::new();
        for batch in batches {
            let keys: Vec<String> = batch.iter().map(|n| key_of(*n)).collect();
            let hashes: Vec<KeyHash> = keys.iter().map(KeyHash::of).collect();
            let mut located = Vec::new();
            table.locate(&hashes, |number| &keys[number], |number| number, &mut located);
            prop_assert_eq!(located.len(), batch.len());
            for (number, (slot, inserted)) in located.into_iter().enumerate() {
                prop_assert_eq!(inserted, !model.contains_key(&batch[number]));
                let value = *model.entry(batch[number]).or_insert(number);
                prop_assert_eq!(table.entry(slot), (&keys[number], &value));
            }
        }
        prop_assert_eq!(table.len(), model.len());
    }

    #[test]
    fn damage_is_found(at in any::<prop::sample::Index>(), bit in 0..8_u8, checkpoint in any::<prop::sample::Index>()) {
        let space = KeySpace { groups: 4, tasks: 1 };
        let mut table = Table::<String, i64>::new("t", space, 0);
        for n in 0..100 {
            table.insert(KeyHash::of(&key_of(n)), &key_of(n), 7);
        }
        let file = encoded(table.freeze(&StateLimits::default()).unwrap(), usize::MAX).remove(0);
        let mut flipped = file.clone();
        flipped[at.index(file.len())] ^= 1 << bit;
        prop_assert!(Table::<String, i64>::new("t", space, 0).load(&flipped).is_err());
        let checkpoint = &file[..checkpoint.index(file.len())];
        prop_assert!(Table::<String, i64>::new("t", space, 0).load(checkpoint).is_err());
    }
}

#[test]
fn changed_lists_exactly_what_was_written_since_the_last_freeze() {
    let mut table = Table::<u32, u32>::new("t", KeySpace { groups: 4, tasks: 1 }, 0);
    for n in 0..1000 {
        table.insert(KeyHash::of(&n), &n, 0);
    }
    assert_eq!(table.changed().count(), 1000);
    let _ = table.freeze(&StateLimits::default());
    for n in [3, 700, 999] {
        table.insert(KeyHash::of(&n), &n, 1);
    }
    table.remove(KeyHash::of(&5), &5);
    let mut changed: Vec<_> = table.changed().map(|(k, _)| *k).collect();
    changed.sort_unstable();
    assert_eq!(changed, [3, 700, 999]);
}

#[test]
fn a_value_may_gain_a_field() {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Old {
        cents: i64,
    }
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct New {
        cents: i64,
        #[serde(default)]
        payments: u64,
    }
    let space = KeySpace { groups: 4, tasks: 1 };
    let mut old = Table::<String, Old>::new("t", space, 0);
    let key = "a".to_string();
    old.insert(KeyHash::of(&key), &key, Old { cents: 12 });
    let file = encoded(old.freeze(&StateLimits::default()).unwrap(), usize::MAX).remove(0);
    let mut new = Table::<String, New>::new("t", space, 0);
    new.load(&file).unwrap();
    let value = new.get(KeyHash::of(&key), &key).unwrap();
    assert_eq!((value.cents, value.payments), (12, 0));
}

#[test]
fn another_number_of_key_groups_is_refused_clearly() {
    let mut table = Table::<u32, u32>::new("t", KeySpace { groups: 4, tasks: 1 }, 0);
    table.insert(KeyHash::of(&1_u32), &1, 1);
    let file = encoded(table.freeze(&StateLimits::default()).unwrap(), usize::MAX).remove(0);
    let mut other = Table::<u32, u32>::new("t", KeySpace { groups: 8, tasks: 1 }, 0);
    let error = other.load(&file).unwrap_err().to_string();
    assert!(error.contains("4 key groups") && error.contains("8"), "{error}");
}

/// A base that is divided among more files than checkpoints may be read must not make the first checkpoint after a
/// restart write everything again.
#[test]
fn after_a_restart_a_divided_base_is_followed_by_a_delta() {
    let space = KeySpace { groups: 128, tasks: 1 };
    let mut table = Table::<u32, u32>::new("t", space, 0);
    (0..10_000).for_each(|n| table.insert(KeyHash::of(&n), &n, 0));
    let files = encoded(table.freeze(&StateLimits::default()).unwrap(), 1);
    assert!(files.len() > 100, "each group has a file of its own");
    let mut restored = Table::<u32, u32>::new("t", space, 0);
    files.iter().for_each(|file| restored.load(file).unwrap());
    restored.insert(KeyHash::of(&7_u32), &7, 1);
    let mut kinds = Vec::new();
    let mut keep = |file: EncodedState<'_>| {
        kinds.push(file.kind);
        Ok(())
    };
    restored
        .freeze(&StateLimits::default())
        .unwrap()
        .encode(
            &StateLimits { file_bytes: usize::MAX, ..StateLimits::default() },
            &mut Vec::new(),
            &mut keep,
        )
        .unwrap();
    assert_eq!(kinds, [StateKind::Delta]);
}
