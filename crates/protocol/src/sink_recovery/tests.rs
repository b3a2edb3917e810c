//! Every combination of what a checkpoint says and what a target holds.

use std::collections::BTreeMap;

use steadfast_core::ErrorKind;
use steadfast_core::id::{ClaimId, Lineage};
use steadfast_core::time::Timestamp;

use super::*;
use crate::manifest::{ObjectRef, manifest_for_tests};

mod writers;

use Consistency::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use DeliveryGuarantee::{AppendOnce, UpsertOnce};

const LINEAGE: Lineage = Lineage(1);
/// The claim that took checkpoint 7, that of the process that takes over, and one in between.
const OLD: u64 = 4;
const BETWEEN: u64 = 8;
const OWN: u64 = 9;

fn id(generation: u64) -> ClaimId {
    ClaimId { generation: Generation(generation), nonce: generation }
}

fn claim(generation: u64, origin: u64, consistency: Consistency) -> Claim {
    Claim {
        job: "j".into(),
        id: id(generation),
        lineage: LINEAGE,
        origin: Generation(origin),
        newest: None,
        consistency,
        holder: "somewhere".into(),
        at: Timestamp(0),
    }
}

fn marker(generation: u64, checkpoint: u64) -> Marker {
    Marker { lineage: LINEAGE, claim: id(generation), checkpoint: CheckpointId(checkpoint) }
}

/// Checkpoint 7 by the old claim, whose output builds on what was there up to 5.
fn restore(level: Consistency, written: bool) -> RestorePoint {
    let chunk = ObjectRef { name: "data/1".into(), bytes: 1, crc32c: 0 };
    let chunks = if written && level == ExactlyOnce { vec![chunk] } else { vec![] };
    let (before, format) = (Some(marker(OLD, 5)), "lines".to_string());
    let output = StagedOutput { written, chunks, before, format };
    let outputs = BTreeMap::from([("out".to_string(), output)]);
    let manifest = manifest_for_tests(7, OLD);
    let origin = Generation(1);
    let manifest = Manifest { origin, consistency: level, outputs, ..manifest };
    RestorePoint::From { manifest: Box::new(manifest), skipped: vec![] }
}

/// One situation; the claims of the log are those above, under the levels given.
struct Situation {
    restore: RestorePoint,
    origin: u64,
    own_level: Consistency,
    between_level: Consistency,
    guarantee: DeliveryGuarantee,
    reset: bool,
    permissions: Permissions,
    /// Whether entries before the origin can still be read.
    remembers: bool,
    shown: bool,
}

impl Situation {
    fn at(restore: RestorePoint) -> Self {
        Situation {
            restore,
            origin: 1,
            own_level: ExactlyOnce,
            between_level: ExactlyOnce,
            guarantee: AppendOnce,
            reset: false,
            permissions: Permissions::default(),
            remembers: true,
            shown: false,
        }
    }

    fn decide(&self, state: &TargetState) -> Result<SinkRecovery> {
        let own = claim(OWN, self.origin, self.own_level);
        let by = Successor {
            claim: &own,
            restore: &self.restore,
            reset: self.reset,
            permissions: &self.permissions,
            shown: self.shown,
        };
        let view = SinkView {
            sink: "out",
            state,
            format: "lines",
            guarantee: self.guarantee,
            writer: None,
        };
        match recover_sink(&by, view)? {
            SinkRecovery::ReadClaim(Generation(generation)) => {
                let known = [(OLD, ExactlyOnce), (BETWEEN, self.between_level), (12, ExactlyOnce)];
                let found = known.iter().find(|(claim, _)| *claim == generation);
                let found = found.filter(|_| self.remembers || generation >= self.origin);
                let found = found.map(|(generation, level)| claim(*generation, 1, *level));
                let writer = found.as_ref().map_or(Writer::Absent, Writer::Known);
                recover_sink(&by, SinkView { writer: Some(writer), ..view })
            }
            decision => Ok(decision),
        }
    }

    /// What becomes of a target with this marker, in one word.
    fn fate(&self, found: Marker) -> String {
        match self.decide(&TargetState::Owned { marker: found, created: true }) {
            Ok(SinkRecovery::Settled) => "settled".into(),
            Ok(SinkRecovery::Acquire { expected, marker }) => {
                assert_eq!((expected, marker.claim), (Some(found), id(OWN)));
                format!("acquire at {}", marker.checkpoint)
            }
            Ok(SinkRecovery::Apply { expected, marker }) => {
                assert_eq!((expected, marker.claim), (found, id(OWN)));
                format!("apply {}", marker.checkpoint)
            }
            Ok(SinkRecovery::Reset { expected, marker }) => {
                assert_eq!((expected, marker), (found, self::marker(OWN, 0)));
                "reset".into()
            }
            Ok(other) => format!("{other:?}"),
            Err(error) => error.kind().code().into(),
        }
    }
}

#[test]
fn a_target_is_given_exactly_what_it_lacks() {
    let with_output = Situation::at(restore(ExactlyOnce, true));
    assert_eq!(with_output.fate(marker(OLD, 7)), "acquire at 7");
    assert_eq!(with_output.fate(marker(OLD, 5)), "apply 7");
    assert_eq!(with_output.fate(marker(OLD, 4)), "SF06", "it has lost rows");
    assert_eq!(with_output.fate(marker(OLD, 8)), "SF06", "going on would append twice");
    assert_eq!(with_output.fate(marker(OWN, 7)), "settled");
    assert_eq!(with_output.fate(marker(OWN, 5)), "apply 7");
    // A process in between has moved the marker, before or after applying, and died.
    assert_eq!(with_output.fate(marker(BETWEEN, 5)), "apply 7");
    assert_eq!(with_output.fate(marker(BETWEEN, 7)), "acquire at 7");
    let without_output = Situation::at(restore(ExactlyOnce, false));
    assert_eq!(without_output.fate(marker(OLD, 5)), "acquire at 5");
    assert_eq!(without_output.fate(marker(OLD, 4)), "SF06");
    let upserts = Situation { guarantee: UpsertOnce, ..with_output };
    assert_eq!(upserts.fate(marker(OLD, 8)), "acquire at 7", "other rows for the same keys");
    assert_eq!(upserts.fate(marker(OLD, 4)), "SF06");
}

#[test]
fn the_level_under_which_output_was_written_decides() {
    // At least once: it was applied before the commit, and may be ahead of it.
    let repeated =
        Situation { between_level: AtLeastOnce, ..Situation::at(restore(AtLeastOnce, true)) };
    assert_eq!(repeated.fate(marker(OLD, 7)), "acquire at 7");
    assert_eq!(repeated.fate(marker(OLD, 8)), "acquire at 7");
    // The marker goes back: a later process of another level could not tell whose rows they were.
    assert_eq!(repeated.fate(marker(BETWEEN, 9)), "acquire at 7");
    assert_eq!(repeated.fate(marker(OLD, 5)), "SF06", "it had been applied: rows are lost");
    // At most once: what was not applied never is, and nothing is repeated.
    let dropped = Situation::at(restore(AtMostOnce, true));
    assert_eq!(dropped.fate(marker(OLD, 7)), "acquire at 7");
    assert_eq!(dropped.fate(marker(OLD, 5)), "acquire at 5");
    assert_eq!(dropped.fate(marker(OLD, 8)), "SF06", "row C2: a fallback would repeat output");
    // Row C3: what was committed exactly once is applied whatever the job promises from now on.
    for own_level in [ExactlyOnce, AtLeastOnce, AtMostOnce] {
        let changed = Situation { own_level, ..Situation::at(restore(ExactlyOnce, true)) };
        assert_eq!(changed.fate(marker(OLD, 5)), "apply 7", "{own_level:?}");
        assert_eq!(changed.fate(marker(OLD, 7)), "acquire at 7", "{own_level:?}");
        // An attempt at at-least-once after checkpoint 7 is ahead of the log, not damaged.
        let repeated = Situation { between_level: AtLeastOnce, ..changed };
        assert_eq!(repeated.fate(marker(BETWEEN, 9)), "acquire at 7", "{own_level:?}");
        // But a claim has not written what is no later than itself: that was committed by others,
        // under a level that nobody can tell.
        assert_eq!(repeated.fate(marker(BETWEEN, BETWEEN)), "SF06", "{own_level:?}");
    }
}

#[test]
fn strangers_and_later_claims_are_told_apart() {
    let situation = Situation::at(restore(ExactlyOnce, true));
    assert_eq!(situation.fate(marker(12, 13)), "SF05", "a later claim of this log");
    assert_eq!(situation.fate(marker(30, 31)), "SF06", "the store is an old copy");
    let copied = Marker { claim: ClaimId { nonce: 99, ..id(BETWEEN) }, ..marker(BETWEEN, 7) };
    assert_eq!(situation.fate(copied), "SF06", "another process in a copy of the store");
    let foreign = Marker { lineage: Lineage(2), ..marker(OLD, 7) };
    assert_eq!(situation.fate(foreign), "SF03", "what this job wrote was taken by another");
    let fresh = Situation { restore: RestorePoint::Fresh, ..situation };
    assert_eq!(fresh.fate(foreign), "SF03", "row B4");
    let owned = TargetState::Owned { marker: foreign, created: true };
    let error = fresh.decide(&owned).unwrap_err().to_string();
    assert!(error.contains("what is appended from the same input is there twice then"), "{error}");
    let adopt = Permissions { adopt: true, ..Permissions::default() };
    let adopting = Situation { permissions: adopt, ..fresh };
    assert_eq!(adopting.fate(foreign), "acquire at 0");
    assert_eq!(Situation { reset: true, origin: OWN, ..adopting }.fate(foreign), "reset");
}

#[test]
fn a_reset_is_finished_by_whoever_comes_next_and_only_once() {
    let mut reset = Situation {
        restore: RestorePoint::Fresh,
        origin: OWN,
        reset: true,
        ..Situation::at(RestorePoint::Fresh)
    };
    assert_eq!(reset.fate(marker(OLD, 7)), "reset");
    assert_eq!(reset.fate(marker(OWN, 0)), "settled");
    // The claim before the reset has been forgotten by the log.
    reset.remembers = false;
    assert_eq!(reset.fate(marker(OLD, 7)), "reset");
    // The process that reset the job was the one in between; it died before or after it had emptied
    // the target.
    let next = Situation { origin: BETWEEN, reset: false, remembers: true, ..reset };
    assert_eq!(next.fate(marker(OLD, 7)), "reset");
    assert_eq!(next.fate(marker(BETWEEN, 0)), "acquire at 0");
    assert_eq!(next.fate(marker(BETWEEN, 9)), "SF06", "output without a checkpoint");
    let repeated = Situation { between_level: AtLeastOnce, ..next };
    assert_eq!(repeated.fate(marker(BETWEEN, 9)), "acquire at 0");
}

#[test]
fn what_is_not_there_is_created_only_if_nothing_is_lost() {
    let create = SinkRecovery::Acquire { expected: None, marker: marker(OWN, 0) };
    let fresh = Situation::at(RestorePoint::Fresh);
    assert_eq!(fresh.decide(&TargetState::Absent).unwrap(), create);
    let foreign = TargetState::Foreign("somebody's table".into());
    let error = fresh.decide(&foreign).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("--adopt"), "{error}");
    let adopt = Permissions { adopt: true, ..Permissions::default() };
    let adopting = Situation { permissions: adopt.clone(), ..fresh };
    assert_eq!(adopting.decide(&foreign).unwrap(), create);
    let mistyped = Situation::at(restore(ExactlyOnce, true)).decide(&foreign).unwrap_err();
    assert_eq!(mistyped.kind(), ErrorKind::Configuration);
    let mut gone = Situation { permissions: adopt, ..Situation::at(restore(ExactlyOnce, true)) };
    for state in [TargetState::Absent, foreign] {
        assert_eq!(gone.decide(&state).unwrap_err().kind(), ErrorKind::Damaged);
    }
    // Nothing had reached the target yet: all of it lies in the checkpoint.
    if let RestorePoint::From { manifest, .. } = &mut gone.restore {
        manifest.outputs.get_mut("out").unwrap().before = Some(marker(OLD, 0));
    }
    assert_eq!(gone.decide(&TargetState::Absent).unwrap(), create);
    assert_eq!(gone.fate(marker(OWN, 0)), "apply 7");
}

#[test]
fn a_sink_that_is_new_in_mid_life_must_be_accepted() {
    let mut situation = Situation::at(restore(ExactlyOnce, true));
    if let RestorePoint::From { manifest, .. } = &mut situation.restore {
        manifest.outputs.clear();
    }
    let error = situation.decide(&TargetState::Absent).unwrap_err();
    assert!(error.to_string().contains("--new out"), "{error}");
    situation.permissions.new.insert("out".into());
    let create = SinkRecovery::Acquire { expected: None, marker: marker(OWN, 0) };
    assert_eq!(situation.decide(&TargetState::Absent).unwrap(), create);
    assert_eq!(situation.fate(marker(BETWEEN, 0)), "acquire at 0");
}

/// A fallback to before it came: what it has shown since would be shown again.
#[test]
fn a_sink_that_came_after_the_restored_checkpoint_shows_nothing_twice() {
    let mut situation = Situation::at(restore(ExactlyOnce, true));
    if let RestorePoint::From { manifest, .. } = &mut situation.restore {
        manifest.outputs.clear();
    }
    situation.permissions.new.insert("out".into());
    // Output of before it was left out is not shown again.
    assert_eq!(situation.fate(marker(OLD, 6)), "acquire at 6");
    assert_eq!(situation.fate(marker(OLD, 9)), "SF06");
    situation.guarantee = UpsertOnce;
    assert_eq!(situation.fate(marker(OLD, 9)), "acquire at 7", "what is ahead comes again");
}

/// As [`restore`], of a sink whose target keeps no marker.
fn restore_unmarked(written: bool) -> RestorePoint {
    let mut restore = restore(ExactlyOnce, written);
    if let RestorePoint::From { manifest, .. } = &mut restore {
        manifest.outputs.get_mut("out").unwrap().before = None;
    }
    restore
}

#[test]
fn a_terminal_is_printed_to_again_unless_it_is_known_that_it_was() {
    let situation = Situation::at(restore_unmarked(true));
    assert_eq!(situation.decide(&TargetState::Unmarked).unwrap(), SinkRecovery::Repeat);
    let shown = Situation { shown: true, ..situation };
    assert_eq!(shown.decide(&TargetState::Unmarked).unwrap(), SinkRecovery::Settled);
    let nothing = Situation::at(restore_unmarked(false));
    assert_eq!(nothing.decide(&TargetState::Unmarked).unwrap(), SinkRecovery::Settled);
}

/// Found by the second attack: a run into a terminal, and back to the table, lost rows in silence.
#[test]
fn a_sink_does_not_change_its_kind_of_target_unasked() {
    for (restore, state) in [
        (restore(ExactlyOnce, true), TargetState::Unmarked),
        (restore_unmarked(false), TargetState::Owned { marker: marker(OLD, 5), created: true }),
        (restore_unmarked(true), TargetState::Absent),
    ] {
        let error = Situation::at(restore).decide(&state).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("--new out"), "{error}");
    }
    // The table was left out of checkpoint 7, which builds on what was there up to 5.
    let upserts = Situation { guarantee: UpsertOnce, ..Situation::at(restore(ExactlyOnce, false)) };
    assert_eq!(upserts.fate(marker(OLD, 6)), "SF06");
}

#[test]
fn output_of_one_format_is_never_applied_in_another() {
    let own = claim(OWN, 1, ExactlyOnce);
    let (restore, permissions) = (restore(ExactlyOnce, true), Permissions::default());
    let by = Successor {
        claim: &own,
        restore: &restore,
        reset: false,
        permissions: &permissions,
        shown: false,
    };
    let state = TargetState::Owned { marker: marker(OLD, 5), created: true };
    let error = admit(&by, "out", &state, "rows").unwrap_err();
    assert!(error.to_string().contains("'lines'"), "{error}");
    admit(&by, "out", &state, "lines").unwrap();
    // What has been applied already does not matter any more.
    let state = TargetState::Owned { marker: marker(OLD, 7), created: true };
    admit(&by, "out", &state, "rows").unwrap();
}

#[test]
fn a_claim_that_cannot_be_read_is_no_reason_to_refuse_what_is_complete() {
    let own = claim(OWN, 1, ExactlyOnce);
    let (restore, permissions) = (restore(ExactlyOnce, true), Permissions::default());
    let by = Successor {
        claim: &own,
        restore: &restore,
        reset: false,
        permissions: &permissions,
        shown: false,
    };
    let decide = |checkpoint| {
        let state = TargetState::Owned { marker: marker(BETWEEN, checkpoint), created: true };
        let writer = Some(Writer::Unreadable);
        let (sink, format, guarantee) = ("out", "lines", AppendOnce);
        recover_sink(&by, SinkView { sink, state: &state, format, guarantee, writer })
    };
    assert!(matches!(decide(7), Ok(SinkRecovery::Acquire { .. })));
    assert!(matches!(decide(5), Ok(SinkRecovery::Apply { .. })));
    assert_eq!(decide(9).unwrap_err().kind(), ErrorKind::Damaged);
}

/// A target that keeps a marker is believed, and not what was noted beside the log.
#[test]
fn what_is_said_to_be_shown_does_not_matter_to_a_target_with_a_marker() {
    let shown = Situation { shown: true, ..Situation::at(restore(ExactlyOnce, true)) };
    assert_eq!(shown.fate(marker(OLD, 5)), "apply 7");
}

/// Row A1 of the attack of 2026-11-22: what was before a reset goes, also where its claim is damaged.
#[test]
fn a_reset_empties_a_target_whose_writer_cannot_be_read_any_more() {
    let claim = claim(OWN, OWN, ExactlyOnce);
    let permissions = Permissions::default();
    let by = Successor {
        claim: &claim,
        restore: &RestorePoint::Fresh,
        reset: true,
        permissions: &permissions,
        shown: false,
    };
    for guarantee in [AppendOnce, UpsertOnce] {
        for checkpoint in [0, 5, 7] {
            let state = TargetState::Owned { marker: marker(OLD, checkpoint), created: true };
            let writer = Some(Writer::Unreadable);
            let view = SinkView { sink: "out", state: &state, format: "lines", guarantee, writer };
            let decision = recover_sink(&by, view).unwrap();
            assert!(matches!(decision, SinkRecovery::Reset { .. }), "{decision:?}");
        }
    }
}

/// Row A10 of the attack of 2026-11-22: a first checkpoint may have been applied before another store came.
#[test]
fn a_target_that_another_store_has_taken_is_not_given_the_same_output_again() {
    let mut point = restore(ExactlyOnce, true);
    let RestorePoint::From { manifest, .. } = &mut point else { panic!("no checkpoint") };
    let output = manifest.outputs.get_mut("out").unwrap();
    output.before = Some(marker(OLD, 0));
    let mut situation = Situation::at(point);
    situation.permissions.adopt = true;
    let other = Marker { lineage: Lineage(2), ..marker(2, 3) };
    let taken = TargetState::Owned { marker: other, created: true };
    let error = situation.decide(&taken).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("--adopt (RunOptions::adopt) cannot help"), "{error}");
    // With nothing written so far there is nothing that could come twice.
    let RestorePoint::From { manifest, .. } = &mut situation.restore else {
        panic!("no checkpoint")
    };
    let output = manifest.outputs.get_mut("out").unwrap();
    (output.written, output.chunks) = (false, vec![]);
    assert!(matches!(situation.decide(&taken), Ok(SinkRecovery::Acquire { .. })));
}

#[test]
fn what_the_first_checkpoint_has_shown_is_missed_at_every_level() {
    for level in [ExactlyOnce, AtLeastOnce, AtMostOnce] {
        let mut point = restore(level, true);
        let RestorePoint::From { manifest, .. } = &mut point else { panic!("no checkpoint") };
        manifest.outputs.get_mut("out").unwrap().before = Some(marker(OLD, 0));
        let decision = Situation::at(point).decide(&TargetState::Absent);
        // Staged output can still be applied; what was shown is gone.
        match level {
            ExactlyOnce => assert!(matches!(decision, Ok(SinkRecovery::Acquire { .. }))),
            _ => assert_eq!(decision.unwrap_err().kind(), ErrorKind::Damaged, "{level:?}"),
        }
    }
}

/// Found by the simulation (seed 3797): the marker stayed ahead, and the next look refused it.
#[test]
fn a_sink_that_came_since_and_repeats_is_settled_after_one_step() {
    for found in [marker(BETWEEN, 9), marker(BETWEEN, 7), marker(BETWEEN, 3)] {
        let RestorePoint::From { mut manifest, .. } = restore(AtLeastOnce, true) else {
            panic!("no checkpoint")
        };
        manifest.outputs.clear();
        let point = RestorePoint::From { manifest, skipped: vec![] };
        let mut situation = Situation { between_level: AtLeastOnce, ..Situation::at(point) };
        situation.permissions.new = BTreeSet::from(["out".to_string()]);
        let mut state = TargetState::Owned { marker: found, created: true };
        let decision = situation.decide(&state).unwrap();
        let SinkRecovery::Acquire { marker, .. } = decision else { panic!("{decision:?}") };
        state = TargetState::Owned { marker, created: true };
        assert_eq!(situation.decide(&state).unwrap(), SinkRecovery::Settled, "{found}");
    }
}
