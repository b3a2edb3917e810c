//! Taking over a job whose log, objects and targets are as its earlier processes have left them, and
//! as others change them meanwhile.

use std::sync::Mutex;

use steadfast_core::ErrorKind;
use steadfast_core::id::{ClaimId, Generation, Lineage, LogIndex};
use steadfast_core::target::{Marker, PlannedStep, TargetState};
use steadfast_protocol::names;

use super::*;
use crate::store::MemoryStore;
use scene::{
    LAYOUT, LINEAGE, Scene, Start, Table, candidate, locked, marker, named_targets, second, targets,
};

mod falling_back;
mod overtaken;
mod scene;
mod telling;

#[test]
fn what_any_kept_checkpoint_needs_outlives_the_take_over_and_nothing_else_does() {
    let scene = Scene::default();
    scene.begin(6, true);
    // As a process that died before its checkpoint leaves it.
    let orphan = scene.object(7).name;
    let recovered = scene.recover(&second(), Some(&Table::of(marker(1, 6), &[]))).unwrap();
    let kept = [4, 5, 6].map(|checkpoint| scene.object(checkpoint).name);
    assert_eq!(scene.names(names::DATA), kept, "{orphan} is needed by none");
    let log = scene.log();
    let range = log.look().unwrap();
    assert_eq!((range.first, range.next), (LogIndex(4), LogIndex(8)));
    let retained = recovered.retained.with(CheckpointId(8));
    assert_eq!(retained, [5, 6, 8].map(CheckpointId));
    for checkpoint in 4..7 {
        assert!(log.read(LogIndex(checkpoint)).unwrap().is_some(), "{checkpoint}");
    }
}

/// Somebody may want to look at what is left of what is damaged.
#[test]
fn nothing_is_deleted_where_a_checkpoint_was_skipped() {
    let scene = Scene::default();
    scene.begin(6, true);
    scene.object(7);
    scene.store.delete(&scene.object(6).name).unwrap();
    let before = scene.names("");
    let recovered = scene.recover(&second(), Some(&Table::of(marker(1, 5), &[]))).unwrap();
    let skipped: Vec<_> = recovered.skipped.iter().map(|(id, _)| *id).collect();
    assert_eq!(skipped, [CheckpointId(6)]);
    assert_eq!(recovered.restored.unwrap().checkpoint, CheckpointId(5));
    let after = scene.names("");
    let gone: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}

#[test]
fn output_that_is_damaged_after_it_was_checked_is_not_applied() {
    for damage in [&b"row 9"[..], b"row", b""] {
        let scene = Scene::default();
        scene.begin(3, true);
        let object = scene.object(3).name;
        let name = object.clone();
        // The first read is that of the check.
        let act = move |store: &MemoryStore| {
            store.delete(&name).unwrap();
            if !damage.is_empty() {
                store.put_if_absent(&name, damage).unwrap();
            }
        };
        scene.act_before_read(&object, 1, Box::new(act));
        let table = Table::of(marker(1, 2), &["row 2"]);
        let error = scene.recover(&second(), Some(&table)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        assert_eq!(locked(&table).rows, ["row 2"]);
        assert_eq!(locked(&table).marker(), Some(marker(1, 2)));
    }
}

/// Only what is seen afterwards says that a target is settled.
#[test]
fn a_target_that_says_done_and_shows_another_marker_is_asked_again() {
    let scene = Scene::default();
    scene.begin(3, true);
    let table = Table::of(marker(1, 2), &["row 2"]);
    locked(&table).lies = 2;
    let recovered = scene.recover(&second(), Some(&table)).unwrap();
    assert_eq!(locked(&table).rows, ["row 2", "row 3"]);
    let shown = locked(&table).marker();
    assert_eq!(shown.map(|marker| (marker.claim.nonce, marker.checkpoint.0)), Some((2, 3)));
    assert_eq!(recovered.targets.describe()["out"].marker, shown);
}

#[test]
fn a_terminal_that_turns_out_to_have_a_marker_is_not_settled() {
    let scene = Scene::default();
    scene.begin(3, false);
    let table = Table::unmarked();
    let state = TargetState::Owned { marker: marker(1, 3), created: true };
    locked(&table).instead = Some(state);
    let error = scene.recover(&second(), Some(&table)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("kind of target"), "{error}");
    assert!(scene.names("shown/").is_empty());
}

/// Whoever takes over deletes what only its predecessor needed.
#[test]
fn a_leader_that_is_overtaken_while_it_reads_says_so_and_does_not_call_the_store_damaged() {
    for (reads, applied) in [(0, 3), (0, 2), (1, 2)] {
        let scene = Scene::default();
        scene.begin(3, true);
        let object = scene.object(3).name;
        let name = object.clone();
        let act = move |store: &MemoryStore| {
            let entry = LAYOUT.entry(LogIndex(5));
            let claim = candidate(&Start { nonce: 3, ..Start::default() });
            let tail = crate::leadership::LogTail {
                next: LogIndex(5),
                lineage: Some(LINEAGE),
                origin: Some(Generation(1)),
                newest: Some(CheckpointId(3)),
            };
            let claim = steadfast_protocol::entry::LogEntry::Claim(claim.claim_after(&tail));
            store.put_if_absent(&entry, &claim.encode().unwrap()).unwrap();
            store.delete(&name).unwrap();
        };
        scene.act_before_read(&object, reads, Box::new(act));
        let table = Table::of(marker(1, applied), &[]);
        let error = scene.recover(&second(), Some(&table)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
        assert!(error.to_string().contains("by process 3"), "{error}");
    }
}

#[test]
fn a_sink_that_was_left_out_of_a_reset_is_emptied_when_it_comes_back_which_is_said() {
    let scene = Scene::default();
    scene.begin(3, true);
    let table = Table::of(marker(1, 3), &["row 2", "row 3"]);
    let reset = Start { reset: true, ..second() };
    assert!(scene.recover(&reset, None).unwrap().emptied.is_empty());
    let back = Start { nonce: 3, new: true, ..Start::default() };
    let preview = |start: &Start| {
        let mut targets = targets(Some(&table));
        scene.with_recovery(start, |recovery| recovery.preview(&*scene.log(), &mut targets))
    };
    let fate = "is emptied, because the job was reset without it: 2 rows".to_string();
    assert_eq!(preview(&back).unwrap().sinks, [("out".to_string(), fate)]);
    assert_eq!(locked(&table).rows.len(), 2, "a preview changes nothing");
    let recovered = scene.recover(&back, Some(&table)).unwrap();
    assert_eq!(recovered.emptied, [("out".to_string(), "2 rows".to_string())]);
    assert!(locked(&table).rows.is_empty());
    // Nobody is told twice, and not of what was asked for.
    let again = Start { nonce: 4, ..back };
    assert_eq!(preview(&again).unwrap().sinks, [("out".to_string(), "goes on".to_string())]);
    assert!(scene.recover(&again, Some(&table)).unwrap().emptied.is_empty());
    let reset = Start { nonce: 5, reset: true, ..Start::default() };
    let fate = "is emptied: 0 rows".to_string();
    assert_eq!(preview(&reset).unwrap().sinks, [("out".to_string(), fate)]);
    assert!(scene.recover(&reset, Some(&table)).unwrap().emptied.is_empty());
}

#[test]
fn a_preview_says_what_becomes_of_the_rows_of_a_target_that_is_adopted() {
    let elsewhere = Lineage(LINEAGE.0 + 1);
    let of_another_store = Table::of(Marker { lineage: elsewhere, ..marker(1, 3) }, &["row 3"]);
    let of_others = Table::of(marker(1, 0), &["theirs"]);
    locked(&of_others).state = Some(TargetState::Foreign("it has a row".into()));
    let beside = "the rows that are there stay, and new ones come beside them";
    for (table, fate) in [
        (&of_another_store, format!("is taken over from another store of this job: {beside}")),
        (&of_others, format!("is adopted as it is: it has a row; {beside}")),
    ] {
        let (scene, start) = (Scene::default(), Start { adopt: true, ..second() });
        let mut targets = targets(Some(table));
        let preview = |recovery: &Recovery<'_>| recovery.preview(&*scene.log(), &mut targets);
        let preview = scene.with_recovery(&start, preview).unwrap();
        assert_eq!(preview.sinks, [("out".to_string(), fate)]);
        assert_eq!(locked(table).rows.len(), 1, "a preview changes nothing");
    }
}

/// Whoever dies between showing and noting shows again; nobody notes what was not shown.
#[test]
fn a_terminal_is_printed_to_until_it_is_noted_that_it_was() {
    let scene = Scene::default();
    scene.begin(3, false);
    let table = Table::unmarked();
    let _ = scene.recover(&second(), Some(&table)).unwrap();
    assert_eq!(locked(&table).rows, ["row 3"]);
    let third = Start { nonce: 3, ..Start::default() };
    let _ = scene.recover(&third, Some(&table)).unwrap();
    assert_eq!(locked(&table).rows, ["row 3"]);
    // What was noted of another claim's checkpoint says nothing of this one.
    for name in scene.names("shown/") {
        scene.store.delete(&name).unwrap();
    }
    let other = ClaimId { generation: Generation(1), nonce: 99 };
    scene.store.put_if_absent(&LAYOUT.shown(CheckpointId(3), other), b"").unwrap();
    let fourth = Start { nonce: 4, ..Start::default() };
    let _ = scene.recover(&fourth, Some(&table)).unwrap();
    assert_eq!(locked(&table).rows, ["row 3", "row 3"]);
}

/// Whoever is running must not be fenced by a process that could not write anyway.
#[test]
fn every_target_is_asked_before_anybody_is_fenced() {
    use PlannedStep::{Acquire, Reset};
    let owned = || Some(TargetState::Owned { marker: marker(1, 0), created: true });
    for (state, reset, planned) in [
        (owned(), false, Acquire),
        (owned(), true, Reset),
        (None, false, Acquire),
        (None, true, Acquire),
    ] {
        let scene = Scene::default();
        let running = scene.begin(1, true);
        let refuses = Some(planned);
        let table = Arc::new(Mutex::new(Table { state, refuses, ..Table::default() }));
        let start = Start { reset, ..second() };
        let error = scene.recover(&start, Some(&table)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        running.held().confirm().unwrap();
    }
}

/// What has been moved cannot be taken back: the way out that the error names would be refused then.
#[test]
fn what_one_target_refuses_is_said_before_another_is_changed() {
    let scene = Scene::default();
    let first = scene.begin(3, true);
    scene.commit_for_two(&first, 4, Some(marker(1, 3)));
    let (more, out) = (Table::of(marker(1, 3), &[]), Table::of(marker(1, 9), &[]));
    let store = Arc::clone(&scene.store) as Arc<dyn Store>;
    let start = Start { also: Some("more"), ..second() };
    let error = scene.with_recovery(&start, |recovery| {
        let targets = named_targets([("more", &more), ("out", &out)]);
        recovery.run(&store, scene.log(), targets).err().unwrap()
    });
    assert!(error.to_string().contains("'out'"), "{error}");
    assert_eq!(locked(&more).marker(), Some(marker(1, 3)), "{error}");
}

/// Of two terminals one is left out of a run that dies at once. It has shown nothing when it is back.
#[test]
fn what_was_not_shown_everywhere_is_not_noted_as_shown() {
    let scene = Scene::default();
    let first = scene.begin(3, false);
    scene.commit_for_two(&first, 4, None);
    let table = Table::unmarked();
    for nonce in [2, 3] {
        let start = Start { nonce, forget: Some("more"), ..Start::default() };
        let _ = scene.recover(&start, Some(&table)).unwrap();
        assert!(scene.names("shown/").is_empty());
    }
    assert_eq!(locked(&table).rows, ["row 4", "row 4"]);
}

/// Row B1 of the attack of 2026-11-22: what can be seen is said before anybody is fenced.
#[test]
fn a_target_that_is_ahead_or_behind_is_refused_before_the_claim() {
    for found in [marker(1, 9), marker(1, 1)] {
        let scene = Scene::default();
        scene.begin(3, true);
        let next = scene.log().look().unwrap().next;
        let error = scene.recover(&second(), Some(&Table::of(found, &[]))).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        assert_eq!(scene.log().look().unwrap().next, next, "nobody has claimed anything");
    }
}
