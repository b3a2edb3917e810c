//! Every combination of what the log says and what a target holds.

use std::collections::BTreeMap;

use steadfast_core::id::Generation;
use steadfast_core::message::BarrierKind;
use steadfast_core::time::Timestamp;

use super::*;
use crate::manifest::{Claim, Durations, LogEntry, ObjectRef, StagedOutput, Trigger};

fn checkpoint(number: u64, chunks: usize, before: Option<u64>) -> Manifest {
    let part = |n| ObjectRef { name: format!("data/{n}"), bytes: 1, crc32c: 0 };
    let output =
        StagedOutput { chunks: (0..chunks).map(part).collect(), before: before.map(CheckpointId) };
    Manifest {
        job: "j".into(),
        checkpoint: CheckpointId(number),
        generation: Generation(1),
        previous: None,
        trigger: Trigger::Periodic,
        kind: BarrierKind::Regular,
        consistency: Consistency::ExactlyOnce,
        triggered_at: Timestamp(0),
        key_groups: 8,
        parallelism: 1,
        sources: BTreeMap::new(),
        state: BTreeMap::new(),
        outputs: BTreeMap::from([("out".to_string(), output)]),
        counters: BTreeMap::new(),
        durations: Durations::default(),
    }
}

fn claim(number: u64, reset: bool) -> (u64, Result<LogEntry>) {
    let claim = Claim { job: "j".into(), holder: "h".into(), at: Timestamp(0), reset };
    (number, Ok(LogEntry::Claim(claim)))
}

fn entry(manifest: Manifest) -> (u64, Result<LogEntry>) {
    (manifest.checkpoint.0, Ok(LogEntry::Checkpoint(Box::new(manifest))))
}

/// `number` of the checkpoint that is begun at, and those that were skipped.
fn begin(view: &LogView, damaged: &[u64]) -> Result<(Option<u64>, Vec<u64>)> {
    let check = |manifest: &Manifest| {
        let is_damaged = damaged.contains(&manifest.checkpoint.0);
        if is_damaged { Err(Error::damaged("bits")) } else { Ok(()) }
    };
    Ok(match decide(view, check)? {
        Start::Fresh { .. } => (None, vec![]),
        Start::From { manifest, skipped } => {
            (Some(manifest.checkpoint.0), skipped.iter().map(|(id, _)| id.0).collect())
        }
    })
}

#[test]
fn the_newest_intact_cut_wins_and_the_skipped_ones_are_named() {
    let unreadable = (4, Err(Error::damaged("torn")));
    let view = LogView::new(vec![
        claim(1, false),
        entry(checkpoint(2, 0, None)),
        entry(checkpoint(3, 0, None)),
        unreadable,
        claim(5, false),
    ]);
    assert_eq!(begin(&view, &[]).unwrap(), (Some(3), vec![4]));
    assert_eq!(begin(&view, &[3]).unwrap(), (Some(2), vec![4, 3]));
    let error = begin(&view, &[2, 3]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "beginning at the start would repeat output");
    assert_eq!(view.next_number(), 6);
}

#[test]
fn a_store_that_is_away_is_not_taken_for_damage() {
    let view = LogView::new(vec![entry(checkpoint(2, 0, None)), entry(checkpoint(3, 0, None))]);
    let error = decide(&view, |_| Err(Error::unavailable("no answer"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn nothing_before_a_new_beginning_counts() {
    let view = LogView::new(vec![claim(1, false), entry(checkpoint(2, 0, None)), claim(3, true)]);
    assert_eq!(begin(&view, &[]).unwrap(), (None, vec![]));
    let start = decide(&view, |_| Ok(())).unwrap();
    assert!(matches!(start, Start::Fresh { reset: true }));
    let catch_up =
        catch_up(&start, target(Some(2), DeliveryGuarantee::AppendOnce), EXACTLY).unwrap();
    assert!(matches!(catch_up, SinkRecovery::Reset));
}

const EXACTLY: Consistency = Consistency::ExactlyOnce;

fn target(applied: Option<u64>, guarantee: DeliveryGuarantee) -> TargetView<'static> {
    TargetView { sink: "out", applied: applied.map(CheckpointId), guarantee }
}

/// What becomes of a target with this marker: `a`pply, `n`othing, or the code of the error.
fn fate(manifest: Manifest, applied: Option<u64>, guarantee: DeliveryGuarantee) -> &'static str {
    let start = Start::From { manifest: Box::new(manifest), skipped: vec![] };
    match catch_up(&start, target(applied, guarantee), EXACTLY) {
        Ok(SinkRecovery::Apply(permit)) => {
            assert_eq!(permit.checkpoint().0, 7);
            "apply"
        }
        Ok(SinkRecovery::Nothing) => "nothing",
        Ok(SinkRecovery::Reset) => "reset",
        Err(error) => error.kind().code(),
    }
}

#[test]
fn a_target_is_given_exactly_what_it_lacks() {
    use DeliveryGuarantee::{AppendOnce, AtLeastOnce, UpsertOnce};
    let with_output = || checkpoint(7, 1, Some(5));
    let without_output = || checkpoint(7, 0, Some(5));
    // The marker says: this checkpoint, the one before it, an older one, a newer one, none.
    assert_eq!(fate(with_output(), Some(7), AppendOnce), "nothing");
    assert_eq!(fate(with_output(), Some(5), AppendOnce), "apply");
    assert_eq!(fate(with_output(), Some(4), AppendOnce), "SF06");
    assert_eq!(fate(with_output(), Some(8), AppendOnce), "SF06");
    assert_eq!(fate(with_output(), Some(8), UpsertOnce), "nothing");
    assert_eq!(fate(with_output(), None, AppendOnce), "SF06");
    assert_eq!(fate(without_output(), Some(5), AppendOnce), "nothing");
    assert_eq!(fate(without_output(), Some(4), UpsertOnce), "SF06");
    assert_eq!(fate(checkpoint(7, 1, None), None, AppendOnce), "apply");
    // A terminal has no marker: it is printed to again.
    assert_eq!(fate(with_output(), None, AtLeastOnce), "apply");
    assert_eq!(fate(without_output(), None, AtLeastOnce), "nothing");
}

#[test]
fn a_target_with_output_but_no_store_is_not_written_to() {
    let start = Start::Fresh { reset: false };
    let error =
        catch_up(&start, target(Some(3), DeliveryGuarantee::UpsertOnce), EXACTLY).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let nothing = catch_up(&start, target(None, DeliveryGuarantee::UpsertOnce), EXACTLY).unwrap();
    assert!(matches!(nothing, SinkRecovery::Nothing));
}
