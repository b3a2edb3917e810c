//! What the environment promises beyond its contracts.

use super::*;
use crate::baton::CallKind;

fn put(name: &str, bytes: &[u8]) -> Request {
    let (kind, object) = (CallKind::StorePutData, Object::new(bytes));
    Request::Put { kind, name: name.into(), object }
}

#[test]
fn its_fingerprint_follows_its_contents_and_not_their_history() {
    let mut environment = Environment::default();
    let empty = environment.fingerprint();
    environment.perform(&put("a", b"1"));
    let one = environment.fingerprint();
    environment.perform(&put("b", b"2"));
    environment.perform(&put("b", b"3"));
    assert_ne!(environment.fingerprint(), one);
    environment.perform(&Request::Delete { name: "b".into() });
    assert_eq!(environment.fingerprint(), one);
    environment.damage("a");
    assert_ne!(environment.fingerprint(), one);
    environment.perform(&Request::Delete { name: "a".into() });
    assert_eq!(environment.fingerprint(), empty);
}

#[test]
fn a_list_shows_what_is_created_behind_its_place_and_not_what_is_created_before() {
    let mut environment = Environment::default();
    for name in ["log/1", "log/3", "other/1"] {
        environment.perform(&put(name, b""));
    }
    let page = |environment: &mut Environment, after: Option<&str>| {
        let (prefix, after) = ("log/".into(), after.map(Into::into));
        match environment.perform(&Request::List { prefix, after, page: 1 }) {
            Answer::Names(names) => names.first().map(ToString::to_string),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(page(&mut environment, None).as_deref(), Some("log/1"));
    environment.perform(&put("log/0", b""));
    environment.perform(&put("log/2", b""));
    environment.perform(&Request::Delete { name: "log/1".into() });
    assert_eq!(page(&mut environment, Some("log/1")).as_deref(), Some("log/2"));
    assert_eq!(page(&mut environment, Some("log/3")), None);
}
