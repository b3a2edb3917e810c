//! The four verbs on single objects.
//!
//! It knows nothing of names beyond that they differ, and of nothing that happens at the same time.

use steadfast_core::store::Put;

use super::StoreFixture;
use crate::rule::Rule;

const CREATED_ONCE: Rule = Rule("a put creates the object if there is none");
const UNCHANGED: Rule = Rule("a put never changes an object that is there");
const REPEATED: Rule =
    Rule("a repeated put with its own bytes says AlreadyExists and changes nothing");
const NOTHING_THERE: Rule = Rule("an object that was not put is not there");
const DELETED: Rule = Rule("a deleted object is gone, for get and for list");
const DELETE_IS_QUIET: Rule = Rule("a delete of what is not there is without effect");
const CREATED_AGAIN: Rule = Rule("a put after a delete creates the object");
const BYTES: Rule = Rule("get gives the bytes that were put, whatever and however many they are");
const AT_ONCE: Rule = Rule("a handle sees at once what another handle did");
const DESCRIBED: Rule = Rule("a store says where it is");

/// Larger than what a single request to an object store usually carries.
const LARGE: usize = 5 * 1024 * 1024 + 1;

pub(super) fn an_object_is_created_once_and_never_changed(fixture: &impl StoreFixture) {
    let store = fixture.store();
    NOTHING_THERE.equal(&NOTHING_THERE.answered(store.get("log/1")), &None);
    NOTHING_THERE.holds(NOTHING_THERE.answered(store.list("")).is_empty(), &"a listed name");
    CREATED_ONCE.equal(&CREATED_ONCE.answered(store.put_if_absent("log/1", b"one")), &Put::Created);
    CREATED_ONCE.equal(&BYTES.answered(store.get("log/1")), &Some(b"one".to_vec()));
    let again = UNCHANGED.answered(store.put_if_absent("log/1", b"two"));
    UNCHANGED.equal(&again, &Put::AlreadyExists);
    UNCHANGED.equal(&BYTES.answered(store.get("log/1")), &Some(b"one".to_vec()));
    NOTHING_THERE.equal(&NOTHING_THERE.answered(store.get("log/2")), &None);
    DESCRIBED.holds(!store.describe().is_empty(), &store.describe());
}

pub(super) fn a_repeated_put_finds_its_own_bytes(fixture: &impl StoreFixture) {
    for _ in 0..3 {
        let first = fixture.store();
        let put = REPEATED.answered(first.put_if_absent("data/x", b"same"));
        let repeated = REPEATED.answered(first.put_if_absent("data/x", b"same"));
        REPEATED.equal(&repeated, &Put::AlreadyExists);
        REPEATED.equal(&REPEATED.answered(first.get("data/x")), &Some(b"same".to_vec()));
        CREATED_ONCE.equal(&put, &Put::Created);
        DELETED.answered(first.delete("data/x"));
    }
}

pub(super) fn a_deleted_object_can_be_created_again(fixture: &impl StoreFixture) {
    let store = fixture.store();
    DELETE_IS_QUIET.answered(store.delete("never/there"));
    CREATED_ONCE.answered(store.put_if_absent("log/1", b"one"));
    CREATED_ONCE.answered(store.put_if_absent("log/2", b"two"));
    DELETED.answered(store.delete("log/1"));
    DELETED.equal(&DELETED.answered(store.get("log/1")), &None);
    DELETED.equal(&DELETED.answered(store.list("log/")), &["log/2"].as_slice());
    DELETE_IS_QUIET.answered(store.delete("log/1"));
    DELETE_IS_QUIET.equal(&DELETED.answered(store.get("log/2")), &Some(b"two".to_vec()));
    let again = CREATED_AGAIN.answered(store.put_if_absent("log/1", b"again"));
    CREATED_AGAIN.equal(&again, &Put::Created);
    CREATED_AGAIN.equal(&BYTES.answered(store.get("log/1")), &Some(b"again".to_vec()));
}

pub(super) fn bytes_come_back_as_they_were(fixture: &impl StoreFixture) {
    let store = fixture.store();
    let every_byte: Vec<u8> = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
    // No period of 256, so that blocks in the wrong order are seen.
    let large: Vec<u8> = (0..LARGE).map(|n| (n % 251) as u8).collect();
    let objects = [("data/empty", Vec::new()), ("data/binary", every_byte), ("data/large", large)];
    for (name, bytes) in &objects {
        BYTES.equal(&BYTES.answered(store.put_if_absent(name, bytes)), &Put::Created);
    }
    let other = fixture.store();
    for (name, bytes) in &objects {
        BYTES.equal(&BYTES.answered(store.get(name)), &Some(bytes.clone()));
        BYTES.equal(&BYTES.answered(other.get(name)), &Some(bytes.clone()));
        let again = UNCHANGED.answered(other.put_if_absent(name, b"other"));
        UNCHANGED.equal(&again, &Put::AlreadyExists);
    }
}

pub(super) fn a_handle_sees_what_another_did_at_once(fixture: &impl StoreFixture) {
    let [one, two] = [fixture.store(), fixture.store()];
    for round in 0..20_u8 {
        // Both have looked before: what they saw then must not be what they answer from.
        AT_ONCE.equal(&AT_ONCE.answered(two.get("log/1")), &None);
        AT_ONCE.holds(AT_ONCE.answered(two.list("log/")).is_empty(), &"a deleted name in the list");
        AT_ONCE.equal(&AT_ONCE.answered(one.put_if_absent("log/1", &[round])), &Put::Created);
        AT_ONCE.equal(&AT_ONCE.answered(two.get("log/1")), &Some(vec![round]));
        AT_ONCE.equal(&AT_ONCE.answered(two.list("log/")), &["log/1"].as_slice());
        let other = AT_ONCE.answered(two.put_if_absent("log/1", b"other"));
        AT_ONCE.equal(&other, &Put::AlreadyExists);
        AT_ONCE.answered(two.delete("log/1"));
        AT_ONCE.equal(&AT_ONCE.answered(one.get("log/1")), &None);
    }
}
