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
