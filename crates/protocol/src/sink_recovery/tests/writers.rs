//! Who wrote last to a target, and what follows where the log does not say it any more.

use super::*;

/// The output of checkpoint 7, which builds on what a process of generation 2 has left, of whom the log
/// knows nothing any more.
#[test]
fn a_writer_that_the_log_has_forgotten_is_known_from_the_checkpoint_that_builds_on_it() {
    let mut point = restore(ExactlyOnce, true);
    let RestorePoint::From { manifest, .. } = &mut point else { panic!("no checkpoint") };
    manifest.outputs.get_mut("out").unwrap().before = Some(marker(2, 3));
    let situation = Situation::at(point);
    assert_eq!(situation.fate(marker(2, 3)), "apply 7");
    assert_eq!(situation.fate(marker(3, 3)), "SF06", "nobody knows that one");
}

/// The last epoch had no output for the sink; what earlier ones have shown is missing all the same.
#[test]
fn a_target_that_another_store_has_taken_is_missed_if_anything_was_ever_written_there() {
    let mut situation = Situation::at(restore(ExactlyOnce, false));
    situation.permissions.adopt = true;
    let foreign = Marker { lineage: Lineage(2), ..marker(2, 3) };
    assert_eq!(situation.fate(foreign), "SF03");
    let RestorePoint::From { manifest, .. } = &mut situation.restore else {
        panic!("no checkpoint")
    };
    manifest.outputs.get_mut("out").unwrap().before = Some(marker(OLD, 0));
    assert_eq!(situation.fate(foreign), "acquire at 0");
}

/// What becomes of a target whose marker names a claim that cannot be read, in a job that goes on from
/// nothing in a history that began with the claim of `origin`.
fn of_an_unreadable_writer(origin: u64, found: Marker) -> Result<SinkRecovery> {
    let (own, permissions) = (claim(OWN, origin, ExactlyOnce), Permissions::default());
    let by = Successor {
        claim: &own,
        restore: &RestorePoint::Fresh,
        reset: false,
        permissions: &permissions,
        shown: false,
    };
    let state = TargetState::Owned { marker: found, created: true };
    let (sink, format, guarantee) = ("out", "lines", AppendOnce);
    let writer = Some(Writer::Unreadable);
    recover_sink(&by, SinkView { sink, state: &state, format, guarantee, writer })
}

/// It would empty what the job has written since.
#[test]
fn a_target_of_the_claim_that_has_reset_the_job_is_not_taken_for_one_from_before() {
    let found = marker(BETWEEN, 0);
    let acquire = SinkRecovery::Acquire { expected: Some(found), marker: marker(OWN, 0) };
    assert_eq!(of_an_unreadable_writer(BETWEEN, found).unwrap(), acquire);
    let error = of_an_unreadable_writer(BETWEEN, marker(BETWEEN, 9)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let before = of_an_unreadable_writer(BETWEEN, marker(OLD, 7)).unwrap();
    assert!(matches!(before, SinkRecovery::Reset { .. }), "{before:?}");
}

#[test]
fn what_an_unknown_process_has_written_is_emptied_only_with_both_flags() {
    let unknown = Marker { claim: ClaimId { nonce: 99, ..id(BETWEEN) }, ..marker(BETWEEN, 7) };
    for (reset, adopt) in [(false, false), (false, true), (true, false), (true, true)] {
        let permissions = Permissions { adopt, ..Permissions::default() };
        let fresh = Situation::at(RestorePoint::Fresh);
        let situation = Situation { reset, permissions, ..fresh };
        let expected = if reset && adopt { "reset" } else { "SF06" };
        assert_eq!(situation.fate(unknown), expected, "reset: {reset}, adopt: {adopt}");
    }
}

#[test]
fn a_sink_that_comes_back_after_its_writer_was_forgotten_begins_anew_where_it_is() {
    let mut situation = Situation::at(restore(ExactlyOnce, true));
    if let RestorePoint::From { manifest, .. } = &mut situation.restore {
        manifest.outputs.clear();
    }
    situation.permissions.new.insert("out".into());
    assert_eq!(situation.fate(marker(2, 3)), "acquire at 3");
    assert_eq!(situation.fate(marker(30, 31)), "SF06", "nobody can forget who comes later");
    let copied = Marker { claim: ClaimId { nonce: 99, ..id(OWN) }, ..marker(OWN, 7) };
    assert_eq!(situation.fate(copied), "SF06", "nor who says to be this process");
    let fresh = Situation { restore: RestorePoint::Fresh, ..situation };
    assert_eq!(fresh.fate(marker(2, 3)), "SF06", "there is no checkpoint to go on from");
}

#[test]
fn who_is_told_that_output_is_lost_is_told_how_much_is_there() {
    let situation = Situation::at(restore(ExactlyOnce, true));
    for (checkpoint, there) in [(0, "has no output"), (4, "has output up to checkpoint 4")] {
        let state = TargetState::Owned { marker: marker(OLD, checkpoint), created: true };
        let error = situation.decide(&state).unwrap_err().to_string();
        assert!(
            error.contains(there) && error.contains("builds on output up to checkpoint 5"),
            "{error}"
        );
    }
}
