//! What holds while several handles work at the same time.
//!
//! The threads wait for each other at a barrier and nowhere else; how they interleave is up to the
//! machine.

use std::sync::Barrier;
use std::thread;

use steadfast_core::store::Put;

use super::StoreFixture;
use crate::rule::Rule;

const ONE_WINS: Rule = Rule("of many writers of one name exactly one creates the object");
const WINNER_SEEN: Rule = Rule("a writer that lost sees all of the winner's bytes");
const WHOLE: Rule =
    Rule("whoever looks sees whole objects under their own names, and nothing else");
const EMPTIED: Rule = Rule("a folder can be written to while others delete in it");

const WRITERS: u8 = 8;
const ROUNDS: usize = 5;
/// Long enough to be written in several pieces.
const LENGTH: usize = 100_000;

pub(super) fn one_of_many_writers_wins(fixture: &impl StoreFixture) {
    for round in 0..ROUNDS {
        let name = &format!("race/{round}/1");
        let start = &Barrier::new(usize::from(WRITERS));
        let outcomes: Vec<(Put, Option<Vec<u8>>)> = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|n| {
                    let store = fixture.store();
                    scope.spawn(move || {
                        start.wait();
                        let put = ONE_WINS.answered(store.put_if_absent(name, &[n; LENGTH]));
                        (put, WINNER_SEEN.answered(store.get(name)))
                    })
                })
                .collect();
            writers.into_iter().map(|writer| ONE_WINS.answered(writer.join())).collect()
        });
        let winners: Vec<u8> = (0..WRITERS)
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.0 == Put::Created)
            .map(|(n, _)| n)
            .collect();
        let &[winner] = winners.as_slice() else {
            ONE_WINS.broken(&format!("the writers {winners:?} created it"));
        };
        for (_, seen) in &outcomes {
            WINNER_SEEN.equal(seen, &Some(vec![winner; LENGTH]));
        }
    }
}

pub(super) fn whoever_looks_sees_whole_objects(fixture: &impl StoreFixture) {
    const OBJECTS: usize = 20;
    let names: &Vec<String> = &(0..OBJECTS).map(|n| format!("whole/{n:03}")).collect();
    let start = &Barrier::new(3);
    thread::scope(|scope| {
        let writer = fixture.store();
        scope.spawn(move || {
            start.wait();
            for (n, name) in names.iter().enumerate() {
                WHOLE.answered(writer.put_if_absent(name, &vec![n as u8; LENGTH]));
            }
        });
        for _ in 0..2 {
            let reader = fixture.store();
            scope.spawn(move || {
                start.wait();
                for _ in 0..OBJECTS {
                    let listed = WHOLE.answered(reader.list("whole/"));
                    // One writer creates them in order, so a list has a beginning of the names.
                    let expected: Vec<&String> = names.iter().take(listed.len()).collect();
                    WHOLE.equal(&listed.iter().collect::<Vec<_>>(), &expected);
                    for (n, name) in listed.iter().enumerate() {
                        let bytes = WHOLE.answered(reader.get(name));
                        WHOLE.equal(&bytes, &Some(vec![n as u8; LENGTH]));
                    }
                }
            });
        }
    });
}

pub(super) fn a_folder_is_written_to_while_others_empty_it(fixture: &impl StoreFixture) {
    const HANDLES: usize = 3;
    let start = &Barrier::new(HANDLES);
    thread::scope(|scope| {
        for handle in 0..HANDLES {
            let store = fixture.store();
            scope.spawn(move || {
                start.wait();
                for round in 0..40 {
                    let name = format!("log/{:010}/{handle}-{round}", round / 8);
                    let put = EMPTIED.answered(store.put_if_absent(&name, name.as_bytes()));
                    EMPTIED.equal(&put, &Put::Created);
                    EMPTIED.equal(&EMPTIED.answered(store.get(&name)), &Some(name.clone().into()));
                    EMPTIED.answered(store.delete(&name));
                    EMPTIED.equal(&EMPTIED.answered(store.get(&name)), &None);
                }
            });
        }
    });
    let left = EMPTIED.answered(fixture.store().list(""));
    EMPTIED.holds(left.is_empty(), &left);
}
