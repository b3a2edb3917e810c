//! Every step is taken on the condition that the marker is the expected one, and takes the marker
//! with it or leaves nothing.

mod support;

use steadfast_core::ErrorKind;
use steadfast_core::id::{ClaimId, Lineage};
use steadfast_core::target::{Conditional, Marker};
use support::*;

const DONE: Conditional<()> = Conditional::Done(());

#[test]
fn a_stranger_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = append(&path, "t");
    let chunks = [staged(&sink, &[("a", 1)])];
    apply(&mut acquired(&sink, "s"), (at(0), at(5)), &chunks);
    let other_lineage = Marker { lineage: Lineage(2), ..at(5) };
    let other_nonce = Marker { claim: ClaimId { nonce: 12, ..at(5).claim }, ..at(5) };
    for stranger in [other_lineage, other_nonce, next(5), at(4), at(6), at(0)] {
        for checkpoint in [0, 5, 9] {
            let to = Marker { checkpoint: steadfast_core::id::CheckpointId(checkpoint), ..next(0) };
            let mut target = open(&sink, "s");
            let unexpected = Some(at(5));
            let applied = try_apply(&mut target, (stranger, to), &chunks).unwrap();
            assert_eq!(applied, Conditional::Unexpected(unexpected), "{stranger}");
            for step in [
                target.reset(&stranger, &to).unwrap(),
                target.acquire(Some(&stranger), &to, true).unwrap(),
                target.acquire(None, &to, true).unwrap(),
            ] {
                assert_eq!(step, Conditional::Unexpected(unexpected), "{stranger}");
            }
            assert_eq!(target.look().unwrap(), created(at(5)));
            assert_eq!(read(&path, "t"), owned(&[("a", 1)]));
        }
    }
}

#[test]
fn a_repeated_call_is_done_and_does_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.db");
    let sink = append(&path, "t");
    let chunks = [staged(&sink, &[("a", 1)])];
    for _ in 0..2 {
        assert_eq!(open(&sink, "s").acquire(None, &at(0), false).unwrap(), DONE);
        assert_eq!(open(&sink, "s").look().unwrap(), created(at(0)));
    }
    for _ in 0..2 {
        apply(&mut open(&sink, "s"), (at(0), at(3)), &chunks);
        assert_eq!(read(&path, "t"), owned(&[("a", 1)]));
    }
    // Nothing lies between a checkpoint and itself.
    apply(&mut open(&sink, "s"), (at(3), at(3)), &chunks);
    assert_eq!(read(&path, "t"), owned(&[("a", 1)]));
    for _ in 0..2 {
        assert_eq!(open(&sink, "s").acquire(Some(&at(3)), &next(3), false).unwrap(), DONE);
        assert_eq!(read(&path, "t"), owned(&[("a", 1)]));
    }
    for _ in 0..2 {
        assert_eq!(open(&sink, "s").reset(&next(3), &next(0)).unwrap(), DONE);
        assert_eq!(read(&path, "t"), []);
    }
    apply(&mut open(&sink, "s"), (next(0), next(4)), &chunks);
    let late = open(&sink, "s").reset(&next(3), &next(0)).unwrap();
    assert_eq!(late, Conditional::Unexpected(Some(next(4))));
    assert_eq!(read(&path, "t"), owned(&[("a", 1)]));
}

#[test]
fn a_failure_between_rows_and_marker_leaves_neither() {
    let folder = tempfile::tempdir().unwrap();
    let fault = "CREATE TRIGGER fault BEFORE UPDATE ON steadfast_markers
        BEGIN SELECT RAISE(ABORT, 'fault'); END";
    let path = folder.path().join("out.db");
    for (table, sink) in [("t", append(&path, "t")), ("u", upsert(&path, "u"))] {
        let mut target = acquired(&sink, table);
        apply(&mut target, (at(0), at(1)), &[staged(&sink, &[("a", 1)])]);
        by_hand(&path, fault);
        let chunks = [staged(&sink, &[("b", 2)])];
        for error in [
            try_apply(&mut target, (at(1), at(2)), &chunks).unwrap_err(),
            target.reset(&at(1), &next(0)).unwrap_err(),
            target.acquire(Some(&at(1)), &next(1), false).unwrap_err(),
        ] {
            assert!(error.to_string().contains("fault"), "{error}");
            assert_eq!(target.look().unwrap(), created(at(1)));
            assert_eq!(read(&path, table), owned(&[("a", 1)]));
        }
        by_hand(&path, "DROP TRIGGER fault");
        apply(&mut target, (at(1), at(2)), &chunks);
        assert_eq!(read(&path, table), owned(&[("a", 1), ("b", 2)]));
    }
    let path = folder.path().join("first.db");
    acquired(&append(&path, "t"), "other");
    by_hand(&path, &fault.replace("UPDATE", "INSERT"));
    let mut target = open(&append(&path, "new"), "s");
    target.acquire(None, &at(0), false).unwrap_err();
    assert_eq!(target.look().unwrap(), steadfast_core::target::TargetState::Absent);
}

/// Two processes go through their steps in every order. The first owns the target; the second takes
/// it over from whatever it finds when its turn comes.
#[test]
fn whatever_the_order_of_two_processes_no_row_is_doubled_and_the_loser_changes_nothing() {
    for order in 0_u32..1 << 6 {
        if order.count_ones() != 3 {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.db");
        let sink = append(&path, "t");
        let mut old = acquired(&sink, "s");
        let mut new = open(&sink, "s");
        // What should be in the table, by a model that knows nothing of SQLite.
        let (mut marker, mut rows) = (at(0), Vec::new());
        let (mut old_step, mut new_step) = (0, 0);
        for turn in 0..6 {
            let by_new = order & (1 << turn) != 0;
            let steps = if by_new { &mut new_step } else { &mut old_step };
            *steps += 1;
            let step: u32 = *steps;
            let (target, own): (_, fn(u64) -> Marker) =
                if by_new { (&mut new, next) } else { (&mut old, at) };
            let name = if by_new { "new" } else { "old" };
            // The old one goes on from where it believes to be; the new one looks once, at first.
            let (from, to) = match (by_new, step) {
                (true, 1) => (marker, own(marker.checkpoint.0)),
                (true, _) => (marker_of(step, marker, own), own(10 + u64::from(step))),
                (false, step) => (own(u64::from(step) - 1), own(u64::from(step))),
            };
            let expected =
                if marker == from { DONE } else { Conditional::Unexpected(Some(marker)) };
            let resets = !by_new && step == 2 || by_new && step == 3;
            let taken = match (by_new && step == 1, resets) {
                (true, _) => target.acquire(Some(&from), &to, false).unwrap(),
                (false, true) => target.reset(&from, &to).unwrap(),
                (false, false) => {
                    let chunks = [staged(&sink, &[(name, i64::from(step))])];
                    match try_apply(target, (from, to), &chunks).unwrap() {
                        Conditional::Done(_) => DONE,
                        Conditional::Unexpected(found) => Conditional::Unexpected(found),
                    }
                }
            };
            assert_eq!(taken, expected, "order {order:06b}, turn {turn}");
            if taken == DONE {
                marker = to;
                if resets {
                    rows.clear();
                } else if !(by_new && step == 1) {
                    rows.push((name.to_owned(), i64::from(step)));
                }
            }
            rows.sort();
            assert_eq!(read(&path, "t"), rows, "order {order:06b}, turn {turn}");
            assert_eq!(open(&sink, "s").look().unwrap(), created(marker));
        }
        // Once the new one has begun, the old one can do nothing any more.
        assert_eq!(marker.claim, next(0).claim, "order {order:06b}");
    }
}

/// What the new process believes the marker to be: its own last one.
fn marker_of(step: u32, marker: Marker, own: fn(u64) -> Marker) -> Marker {
    if step > 2 { own(9 + u64::from(step)) } else { Marker { claim: own(0).claim, ..marker } }
}

/// What one process believes, and what it would write next.
struct Process {
    name: &'static str,
    own: fn(u64) -> Marker,
    believed: Marker,
}

/// Two processes that both saw the same marker, and every sequence of three steps: whoever moves the
/// marker first is the only one whose next step counts, until the other has looked again.
#[test]
fn only_the_step_that_expects_the_marker_is_taken_in_every_sequence() {
    let folder = fast_folder();
    for sequence in 0..6_u32.pow(3) {
        let path = folder.path().join(format!("{sequence}.db"));
        let sink = append(&path, "t");
        let mut targets = [acquired(&sink, "s"), open(&sink, "s")];
        let mut processes = [("old", at as fn(u64) -> Marker), ("new", next)]
            .map(|(name, own)| Process { name, own, believed: at(0) });
        let (mut marker, mut rows) = (at(0), Vec::new());
        for turn in 0..3_u32 {
            let choice = sequence / 6_u32.pow(turn) % 6;
            let who = usize::from(choice >= 3);
            let (target, process) = (&mut targets[who], &mut processes[who]);
            // Never a marker that was there before, so that no step is taken for a repetition.
            let (from, to) = (process.believed, (process.own)(u64::from(turn) + 1));
            let row = (process.name, i64::from(turn));
            let taken = match choice % 3 {
                0 => target.acquire(Some(&from), &to, false).unwrap(),
                1 => match try_apply(target, (from, to), &[staged(&sink, &[row])]).unwrap() {
                    Conditional::Done(_) => DONE,
                    Conditional::Unexpected(found) => Conditional::Unexpected(found),
                },
                _ => target.reset(&from, &to).unwrap(),
            };
            if from == marker {
                assert_eq!(taken, DONE, "sequence {sequence}, turn {turn}");
                (marker, process.believed) = (to, to);
                match choice % 3 {
                    1 => rows.push((row.0.to_owned(), row.1)),
                    2 => rows.clear(),
                    _ => {}
                }
            } else {
                let unexpected = Conditional::Unexpected(Some(marker));
                assert_eq!(taken, unexpected, "sequence {sequence}, turn {turn}");
                if choice % 3 == 0 {
                    process.believed = marker;
                }
            }
        }
        rows.sort();
        assert_eq!(read(&path, "t"), rows, "sequence {sequence}");
        assert_eq!(targets[0].look().unwrap(), created(marker), "sequence {sequence}");
    }
}

/// Found by a drill: an input/output error in a look at the file was taken for a file that is gone.
#[cfg(unix)]
#[test]
fn a_database_that_cannot_be_looked_at_is_not_taken_for_a_replaced_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let sink = append(&path, "t");
    let mut target = acquired(&sink, "s");
    let away = folder.path().join("away.db");
    std::fs::rename(&path, &away).unwrap();
    // No look at a link to itself comes to an end.
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let error = try_apply(&mut target, (at(0), at(1)), &[staged(&sink, &[("a", 1)])]);
    assert_eq!(error.unwrap_err().kind(), steadfast_core::ErrorKind::Unavailable);
    std::fs::rename(&away, &path).unwrap();
    apply(&mut target, (at(0), at(1)), &[staged(&sink, &[("a", 1)])]);
}

/// Found by the second attack: rows went on into a file that nobody could see any more.
#[cfg(unix)]
#[test]
fn a_database_that_is_replaced_under_its_writer_is_refused_and_one_that_is_away_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let sink = append(&path, "t");
    let mut target = acquired(&sink, "s");
    apply(&mut target, (at(0), at(1)), &[staged(&sink, &[("a", 1)])]);
    let away = folder.path().join("away.db");
    let mut refused = |expected, replaced: bool| {
        std::fs::rename(&path, &away).unwrap();
        if replaced {
            by_hand(&path, "CREATE TABLE t(id, n)");
        }
        let chunks = [staged(&sink, &[("b", 2)])];
        let refused = try_apply(&mut target, (at(expected), at(2)), &chunks).unwrap_err();
        std::fs::rename(&away, &path).unwrap();
        // The same call once more, after it is back.
        if !replaced {
            apply(&mut target, (at(expected), at(2)), &chunks);
        }
        refused.kind()
    };
    assert_eq!(refused(1, false), ErrorKind::Unavailable);
    assert_eq!(read(&path, "t"), owned(&[("a", 1), ("b", 2)]));
    assert_eq!(refused(2, true), ErrorKind::Damaged);
}
