//! What freezing costs afterwards: only pages that are written while their snapshot is there are copied,
//! and it is counted how much.

use steadfast_core::key::{KeyHash, KeySpace};
use steadfast_core::state::{StateLimits, StateTable};
use steadfast_state::Table;

fn add_to_each(table: &mut Table<u64, u64>, keys: u64) {
    for key in 0..keys {
        let slot = table.slot(KeyHash::of(&key), &key, || 0);
        *table.value_mut(slot) += 1;
    }
}

#[test]
fn only_what_a_snapshot_still_holds_is_copied_and_each_page_once() {
    let mut table = Table::<u64, u64>::new("t", KeySpace { groups: 1, tasks: 1 }, 0);
    add_to_each(&mut table, 1000);
    assert_eq!(table.copied_bytes(), 0, "nothing was frozen");

    let frozen = table.freeze(&StateLimits::default());
    add_to_each(&mut table, 64);
    assert_eq!(table.copied_bytes(), 64 * 16, "the first page, of 64 entries of 16 bytes");
    add_to_each(&mut table, 65);
    assert_eq!(table.copied_bytes(), 2 * 64 * 16, "and the second one, for one entry of it");
    drop(frozen);
    add_to_each(&mut table, 1000);
    assert_eq!(table.copied_bytes(), 2 * 64 * 16, "nobody reads the others any more");

    let _frozen = table.freeze(&StateLimits::default());
    assert_eq!(table.copied_bytes(), 0, "what is copied now is for another snapshot");
    table.remove(KeyHash::of(&0_u64), &0);
    assert_eq!(table.copied_bytes(), (64 + 1000 % 64) * 16, "the hole, and the page that fills it");
}

#[test]
fn what_was_restored_has_not_changed_and_each_file_counts_its_own_entries() {
    let mut table = Table::<u64, u64>::new("t", KeySpace { groups: 8, tasks: 1 }, 0);
    add_to_each(&mut table, 1000);
    let limits = StateLimits { file_bytes: 1, ..StateLimits::default() };
    let (mut files, mut entries) = (Vec::new(), 0);
    let frozen = table.freeze(&limits).unwrap();
    frozen
        .encode(&limits, &mut Vec::new(), &mut |file| {
            files.push(file.bytes.to_vec());
            entries += file.entries;
            Ok(())
        })
        .unwrap();
    assert_eq!((files.len(), entries), (8, 1000));
    let mut restored = Table::<u64, u64>::new("t", KeySpace { groups: 8, tasks: 1 }, 0);
    files.iter().for_each(|file| restored.load(file).unwrap());
    assert_eq!((restored.len(), restored.changed().count()), (1000, 0));
    assert!(restored.freeze(&limits).is_none());
}

#[test]
fn a_sweep_over_as_many_entries_as_there_are_removes_all_that_have_expired() {
    let mut table = Table::<u64, u64>::new("t", KeySpace { groups: 1, tasks: 1 }, 0);
    add_to_each(&mut table, 500);
    table.sweep(500, |key, _| key % 5 != 0);
    assert_eq!(table.len(), 100);
    assert!(table.iter().all(|(key, _)| key % 5 == 0));
}
