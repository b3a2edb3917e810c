//! What stands in the files of a table, and what they do to the table that loads them.

use std::collections::BTreeMap;

use steadfast_core::Cause;
use steadfast_core::key::{KeyGroups, KeyHash, KeySpace};
use steadfast_core::state::{StateKind, StateLimits, StateTable};
use steadfast_state::Table;

type Numbers = Table<u64, u64>;

fn table(groups: u16) -> Numbers {
    Numbers::new("t", KeySpace { groups, tasks: 1 }, 0)
}

fn insert(table: &mut Numbers, keys: std::ops::Range<u64>, value: u64) {
    keys.for_each(|key| table.insert(KeyHash::of(&key), &key, value));
}

fn remove(table: &mut Numbers, keys: std::ops::Range<u64>) {
    keys.for_each(|key| assert!(table.remove(KeyHash::of(&key), &key)));
}

fn contents(table: &Numbers) -> BTreeMap<u64, u64> {
    table.iter().map(|(key, value)| (*key, *value)).collect()
}

#[derive(Debug)]
struct File {
    kind: StateKind,
    groups: KeyGroups,
    entries: u64,
    bytes: Vec<u8>,
}

/// The files of what has changed; none if nothing has.
fn freeze(table: &mut Numbers, limits: &StateLimits) -> Vec<File> {
    let mut files = Vec::new();
    let Some(frozen) = table.freeze(limits) else { return files };
    frozen
        .encode(limits, &mut Vec::new(), &mut |file| {
            let (kind, groups, entries) = (file.kind, file.groups, file.entries);
            files.push(File { kind, groups, entries, bytes: file.bytes.to_vec() });
            Ok(())
        })
        .unwrap();
    files
}

fn only(files: Vec<File>) -> File {
    let [file] = <[File; 1]>::try_from(files).unwrap();
    file
}

fn small_files() -> StateLimits {
    StateLimits { file_bytes: 1, ..StateLimits::default() }
}

#[test]
fn a_delta_holds_what_changed_and_nothing_else() {
    let (mut table, limits) = (table(1), StateLimits::default());
    insert(&mut table, 0..1000, 0);
    let base = only(freeze(&mut table, &limits));
    assert_eq!((base.kind, base.entries), (StateKind::Base, 1000));
    insert(&mut table, 10..13, 1);
    remove(&mut table, 998..1000);
    let delta = only(freeze(&mut table, &limits));
    assert_eq!((delta.kind, delta.entries), (StateKind::Delta, 5));
}

#[test]
fn what_moves_into_the_place_of_a_changed_entry_has_not_changed_itself() {
    let (mut table, limits) = (table(1), StateLimits::default());
    insert(&mut table, 0..100, 0);
    freeze(&mut table, &limits);
    insert(&mut table, 3..4, 1);
    remove(&mut table, 3..4);
    assert_eq!(table.changed().count(), 0);
    assert_eq!(only(freeze(&mut table, &limits)).entries, 1, "that it is gone");
}

#[test]
fn what_changed_is_still_so_when_it_moves_into_another_place() {
    let (mut table, limits) = (table(1), StateLimits::default());
    insert(&mut table, 0..200, 0);
    freeze(&mut table, &limits);
    insert(&mut table, 199..200, 1);
    remove(&mut table, 0..1);
    assert_eq!(table.changed().collect::<Vec<_>>(), [(&199, &1)]);
    assert_eq!(only(freeze(&mut table, &limits)).entries, 2);
}

/// Whoever goes through what has changed finds an entry in each slot.
#[test]
fn what_was_changed_and_is_gone_is_no_change() {
    let (mut table, limits) = (table(1), StateLimits::default());
    insert(&mut table, 0..100, 0);
    freeze(&mut table, &limits);
    insert(&mut table, 90..102, 1);
    remove(&mut table, 95..102);
    let changed: Vec<_> = table.changed_in(0).map(|slot| *table.entry(slot).0).collect();
    assert_eq!(changed, [90, 91, 92, 93, 94]);
    assert_eq!(only(freeze(&mut table, &limits)).entries, 5 + 7, "and that seven are gone");
}

#[test]
fn what_a_delta_removes_is_gone_and_is_no_change() {
    let (mut table, limits) = (table(1), StateLimits::default());
    insert(&mut table, 0..200, 0);
    let base = only(freeze(&mut table, &limits));
    insert(&mut table, 150..300, 1);
    remove(&mut table, 0..100);
    let delta = only(freeze(&mut table, &limits));
    let mut restored = self::table(1);
    [base, delta].iter().for_each(|file| restored.load(&file.bytes).unwrap());
    assert_eq!((restored.len(), contents(&restored)), (200, contents(&table)));
    assert_eq!(restored.changed().count(), 0);
    assert!(restored.freeze(&limits).is_none());
}

/// Others have written it since this table was loaded for the first time.
#[test]
fn a_base_replaces_what_was_there_in_its_groups_and_leaves_the_others() {
    let mut first = table(8);
    insert(&mut first, 0..1000, 0);
    let before = freeze(&mut first, &small_files());
    remove(&mut first, 0..500);
    insert(&mut first, 500..600, 1);
    let mut second = table(8);
    contents(&first).into_iter().for_each(|(key, value)| {
        second.insert(KeyHash::of(&key), &key, value);
    });
    let after = freeze(&mut second, &small_files());
    assert!(before.iter().chain(&after).all(|file| file.kind == StateKind::Base));
    let mut restored = table(8);
    before.iter().for_each(|file| restored.load(&file.bytes).unwrap());
    let (replaced, left) = after.split_at(3);
    replaced.iter().for_each(|file| restored.load(&file.bytes).unwrap());
    let there = left.iter().zip(&before[3..]).map(|(_, before)| before.entries).sum::<u64>();
    let new = replaced.iter().map(|file| file.entries).sum::<u64>();
    assert_eq!(restored.len() as u64, there + new);
    left.iter().for_each(|file| restored.load(&file.bytes).unwrap());
    assert_eq!(contents(&restored), contents(&first));
}

#[test]
fn a_file_is_closed_with_the_group_in_which_it_passes_its_limit() {
    let mut table = table(16);
    insert(&mut table, 0..20_000, 7);
    let whole = only(freeze(&mut table, &StateLimits::default())).bytes.len();
    insert(&mut table, 0..20_000, 8);
    let limits = StateLimits { file_bytes: whole / 4, read_slack: 0, ..StateLimits::default() };
    let files = freeze(&mut table, &limits);
    assert_eq!(files.len(), 4, "four groups are about a quarter of all");
    let mut next = 0;
    for file in &files {
        assert_eq!(file.groups.first, next);
        next = file.groups.end;
    }
    assert_eq!(next, 16);
    assert_eq!(files.iter().map(|file| file.entries).sum::<u64>(), 20_000);
}

#[test]
fn a_delta_has_no_file_for_groups_in_which_nothing_changed_and_a_base_has() {
    let mut table = table(8);
    insert(&mut table, 0..2, 0);
    let base = freeze(&mut table, &small_files());
    assert_eq!(base.len(), 8);
    insert(&mut table, 0..1, 1);
    let delta = only(freeze(&mut table, &small_files()));
    assert_eq!((delta.kind, delta.entries, delta.groups.count()), (StateKind::Delta, 1, 1));
}

#[test]
fn a_key_that_hashes_to_another_group_than_it_is_stored_in_is_of_another_type() {
    #[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    struct Other(u64);

    impl std::hash::Hash for Other {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            state.write_u64(self.0 ^ 1);
        }
    }

    let mut table = table(8);
    insert(&mut table, 0..100, 0);
    let base = only(freeze(&mut table, &StateLimits::default()));
    let mut other = Table::<Other, u64>::new("t", KeySpace { groups: 8, tasks: 1 }, 0);
    let error = other.load(&base.bytes).unwrap_err();
    assert_eq!(error.why(), Cause::STATE_TYPE, "{error}");
    assert!(error.to_string().contains("does not hash"), "{error}");
    assert!(error.advice().unwrap().starts_with("the key's type, or how it hashes"), "{error}");
}

/// What was written and what was removed both count: both are read at a restore. A table that was
/// restored is written again when the one before it would have been.
#[test]
fn a_table_is_written_again_when_its_files_hold_more_than_may_be_read() {
    let mut table = table(1);
    let limits = StateLimits { read_factor: 1, read_slack: 30, ..StateLimits::default() };
    insert(&mut table, 0..100, 0);
    let (mut files, mut kinds, mut of_restored) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..9 {
        let file = only(freeze(&mut table, &limits));
        kinds.push(file.kind);
        if file.kind == StateKind::Base {
            files.clear();
        }
        files.push(file);
        let mut restored = self::table(1);
        files.iter().for_each(|file| restored.load(&file.bytes).unwrap());
        for table in [&mut table, &mut restored] {
            remove(table, 5 * at..5 * at + 5);
            insert(table, 100 + 5 * at..105 + 5 * at, 0);
        }
        of_restored.push(only(freeze(&mut restored, &limits)).kind);
    }
    let (base, delta) = (StateKind::Base, StateKind::Delta);
    assert_eq!(kinds, [base, delta, delta, delta, base, delta, delta, delta, base]);
    assert_eq!(of_restored[..8], kinds[1..]);
}
