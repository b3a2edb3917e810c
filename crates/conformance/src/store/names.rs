//! Names: levels, lists and prefixes.
//!
//! No name here is the folder of another and none begins with a dot, so that a file system can hold
//! them.

use steadfast_core::store::{Put, Store};

use super::StoreFixture;
use crate::rule::Rule;

const RECURSIVE: Rule =
    Rule("a list has the names on all levels, in ascending order of the whole name");
const PREFIX: Rule =
    Rule("a list has exactly the names that begin with the prefix, which may end within a name");
const DEEP: Rule = Rule("an object may lie any number of levels deep");
const MANY: Rule = Rule("a list has all names, however many there are");
const EMPTIED: Rule = Rule("a folder that was emptied by deletes can be written to again");

/// More than the names that object stores give in one answer.
const MORE_THAN_A_PAGE: usize = 1100;

fn put_all(store: &dyn Store, names: &[&str]) {
    for name in names {
        DEEP.equal(&DEEP.answered(store.put_if_absent(name, name.as_bytes())), &Put::Created);
    }
}

pub(super) fn a_list_is_recursive_and_ascending(fixture: &impl StoreFixture) {
    let store = fixture.store();
    // By bytes, '-' and '.' come before '/': the order of whole names is not that of a walk.
    let ascending = ["a-b/x", "a.b", "a/b/c/d", "a/b/x", "a/x", "a/y/z", "a0", "b", "b-1"];
    let shuffled = ["b", "a/y/z", "a/x", "a0", "a-b/x", "b-1", "a/b/x", "a.b", "a/b/c/d"];
    put_all(&*store, &shuffled);
    RECURSIVE.equal(&RECURSIVE.answered(store.list("")), &ascending.as_slice());
    let below_a = ["a/b/c/d", "a/b/x", "a/x", "a/y/z"];
    RECURSIVE.equal(&RECURSIVE.answered(store.list("a/")), &below_a.as_slice());
    for name in ascending {
        DEEP.equal(&DEEP.answered(store.get(name)), &Some(name.as_bytes().to_vec()));
    }
}

pub(super) fn a_prefix_may_end_within_a_name(fixture: &impl StoreFixture) {
    let store = fixture.store();
    put_all(
        &*store,
        &["log/10/1", "log/1/1", "log/1/20", "log/1/2", "log-old/1", "lo", "data/log/1"],
    );
    let expected: [(&str, &[&str]); 9] = [
        ("lo", &["lo", "log-old/1", "log/1/1", "log/1/2", "log/1/20", "log/10/1"]),
        ("log", &["log-old/1", "log/1/1", "log/1/2", "log/1/20", "log/10/1"]),
        ("log/", &["log/1/1", "log/1/2", "log/1/20", "log/10/1"]),
        ("log/1", &["log/1/1", "log/1/2", "log/1/20", "log/10/1"]),
        ("log/1/", &["log/1/1", "log/1/2", "log/1/20"]),
        ("log/1/2", &["log/1/2", "log/1/20"]),
        ("log/2", &[]),
        ("log/1/2/", &[]),
        ("nowhere/at/all/", &[]),
    ];
    for (prefix, names) in expected {
        PREFIX.equal(&PREFIX.answered(store.list(prefix)), &names);
    }
}

pub(super) fn deep_names_are_names(fixture: &impl StoreFixture) {
    let store = fixture.store();
    let entries: Vec<String> =
        (250..260).map(|n| format!("log/{:010}/{n:012}", (n - 1) / 256)).collect();
    let names: Vec<&str> = entries.iter().map(String::as_str).collect();
    put_all(&*store, &names);
    put_all(&*store, &["state/a/b/c/d/e/f/g/h"]);
    RECURSIVE.equal(&RECURSIVE.answered(store.list("log/")), &names.as_slice());
    PREFIX.equal(&PREFIX.answered(store.list("log/0000000001")), &names[7..].to_vec());
    DEEP.equal(&DEEP.answered(store.get("log/0000000001/000000000258")), &Some(names[8].into()));
    DEEP.equal(&DEEP.answered(store.get("log/0000000000/000000000258")), &None);
}

pub(super) fn a_folder_may_hold_many_objects(fixture: &impl StoreFixture) {
    let store = fixture.store();
    let names: Vec<String> = (0..MORE_THAN_A_PAGE).map(|n| format!("many/{n:06}")).collect();
    for name in names.iter().rev() {
        MANY.equal(&MANY.answered(store.put_if_absent(name, b"")), &Put::Created);
    }
    MANY.equal(&MANY.answered(fixture.store().list("many/")), &names);
}

pub(super) fn a_folder_that_was_emptied_can_be_written_to(fixture: &impl StoreFixture) {
    let [one, two] = [fixture.store(), fixture.store()];
    for _ in 0..3 {
        put_all(&*one, &["log/1/1", "log/1/2"]);
        EMPTIED.answered(two.delete("log/1/2"));
        EMPTIED.answered(two.delete("log/1/1"));
        EMPTIED
            .holds(EMPTIED.answered(one.list("log/")).is_empty(), &"a name in an emptied folder");
        let put = EMPTIED.answered(one.put_if_absent("log/1/3", b"3"));
        EMPTIED.equal(&put, &Put::Created);
        EMPTIED.equal(&EMPTIED.answered(two.get("log/1/3")), &Some(b"3".to_vec()));
        EMPTIED.answered(one.delete("log/1/3"));
    }
}
