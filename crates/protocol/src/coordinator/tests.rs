//! The coordinator, one observation at a time.

use serde_json::json;
use steadfast_core::id::{ClaimId, Generation, Lineage};
use steadfast_core::target::Marker;

use super::*;
use crate::manifest::{ObjectRef, SplitNumber, Splits, manifest_for_tests};

mod idle;

const SECOND: Duration = Duration::from_secs(1);

fn marker(generation: u64, checkpoint: u64) -> Marker {
    let claim = ClaimId { generation: Generation(generation), nonce: generation };
    Marker { lineage: Lineage(1), claim, checkpoint: CheckpointId(checkpoint) }
}

fn task(index: u32) -> TaskId {
    TaskId { stage: "s".into(), index }
}

fn coordinator(consistency: Consistency, records: Option<u64>) -> Coordinator {
    keeping(2, consistency, records)
}

fn keeping(limit: usize, consistency: Consistency, records: Option<u64>) -> Coordinator {
    begin(limit, consistency, records, None)
}

/// A coordinator that has ticked once.
fn begin(
    limit: usize,
    consistency: Consistency,
    records: Option<u64>,
    restored: Option<Manifest>,
) -> Coordinator {
    let settings = Settings {
        job: "j".into(),
        consistency,
        interval: Some(SECOND),
        records,
        key_groups: 8,
        parallelism: 2,
    };
    let init = CoordinatorInit {
        claim: ClaimId { generation: Generation(3), nonce: 3 },
        lineage: Lineage(1),
        origin: Generation(1),
        restored,
        retained: Retained::new(limit, []),
        tasks: BTreeSet::from([task(0), task(1)]),
        source_tasks: 2,
        // Of three splits, the last one has been taken by nobody.
        splits: BTreeMap::from([(
            "in".to_string(),
            numbered(&[(0, "a".into()), (1, "b".into()), (2, "c".into())]),
        )]),
        tables: BTreeSet::new(),
        modes: BTreeMap::new(),
        sinks: BTreeMap::from([(
            "out".to_string(),
            SinkInit { marker: Some(marker(3, 0)), format: "lines".into() },
        )]),
    };
    let mut coordinator = Coordinator::new(settings, init);
    coordinator.tick(Duration::ZERO, Timestamp(0), 0);
    coordinator
}

fn acknowledgement(index: u32, checkpoint: CheckpointId) -> Acknowledgement {
    let chunk = ObjectRef { name: format!("data/{checkpoint}-{index}"), bytes: 1, crc32c: 0 };
    Acknowledgement {
        task: task(index),
        checkpoint,
        state: vec![],
        outputs: vec![("out".into(), chunk)],
        written: BTreeSet::from(["out".to_string()]),
        splits: vec![TakenSplit {
            source: "in".into(),
            number: SplitNumber(u64::from(index)),
            split: Some(index.into()),
        }],
        watermark: Some(("in".into(), Timestamp(100 + i64::from(index)))),
        counters: Counters::from([("in".into(), BTreeMap::from([("records".into(), 5)]))]),
        align: Duration::ZERO,
        sync: Duration::ZERO,
    }
}

/// What the coordinator wants, by its first messages.
fn wants(coordinator: &mut Coordinator) -> Vec<Command> {
    std::iter::from_fn(|| coordinator.next_command()).collect()
}

fn barrier_of(commands: &[Command]) -> Barrier {
    match commands {
        [Command::Inject(barrier)] => *barrier,
        other => panic!("not one barrier: {other:?}"),
    }
}

fn numbered(splits: &[(u64, serde_json::Value)]) -> Splits {
    splits.iter().map(|(number, split)| (SplitNumber(*number), split.clone())).collect()
}

fn manifest_of(mut commands: Vec<Command>) -> Manifest {
    match commands.pop() {
        Some(Command::Commit(manifest)) if commands.is_empty() => *manifest,
        other => panic!("not one commit: {other:?}"),
    }
}

#[test]
fn a_checkpoint_is_committed_when_all_have_acknowledged_and_applied_when_it_is_confirmed() {
    let mut c = coordinator(Consistency::ExactlyOnce, None);
    assert!(wants(&mut c).is_empty());
    c.tick(SECOND, Timestamp(1), 0);
    let barrier = barrier_of(&wants(&mut c));
    assert_eq!((barrier.checkpoint.0, barrier.kind), (4, BarrierKind::Regular));
    c.acknowledged(SECOND, acknowledgement(0, barrier.checkpoint));
    // The same acknowledgement again, and one for another checkpoint, count for nothing.
    c.acknowledged(SECOND, acknowledgement(0, barrier.checkpoint));
    c.acknowledged(SECOND, acknowledgement(1, CheckpointId(9)));
    assert!(wants(&mut c).is_empty());
    c.acknowledged(SECOND, acknowledgement(1, barrier.checkpoint));
    let manifest = manifest_of(wants(&mut c));
    assert_eq!(manifest.outputs["out"].chunks.len(), 2);
    let splits = numbered(&[(0, json!(0)), (1, json!(1)), (2, json!("c"))]);
    assert_eq!(manifest.sources["in"], splits);
    assert_eq!(manifest.watermarks["in"].greatest(), Some(Timestamp(101)));
    assert_eq!(manifest.counters["in"]["records"], 10);
    assert!(c.latest().is_none(), "nothing is the newest checkpoint before it is applied");
    c.committed(SECOND, manifest.checkpoint);
    assert!(matches!(&wants(&mut c)[..], [Command::Apply(CheckpointId(4))]));
    c.applied(SECOND, CheckpointId(4));
    assert_eq!(c.latest().map(|m| m.checkpoint.0), Some(4));
}

#[test]
fn the_next_checkpoint_is_collected_but_not_committed_before_the_last_is_applied() {
    let mut c = coordinator(Consistency::ExactlyOnce, None);
    c.tick(SECOND, Timestamp(1), 0);
    let first = barrier_of(&wants(&mut c)).checkpoint;
    (0..2).for_each(|index| c.acknowledged(SECOND, acknowledgement(index, first)));
    let manifest = manifest_of(wants(&mut c));
    c.changed();
    c.tick(2 * SECOND, Timestamp(2), 0);
    let second = barrier_of(&wants(&mut c)).checkpoint;
    (0..2).for_each(|index| c.acknowledged(2 * SECOND, acknowledgement(index, second)));
    assert!(wants(&mut c).is_empty());
    c.committed(2 * SECOND, manifest.checkpoint);
    wants(&mut c).clear();
    c.applied(2 * SECOND, first);
    let next = manifest_of(wants(&mut c));
    assert_eq!(next.previous, Some(first));
    assert_eq!(manifest.outputs["out"].before, Some(marker(3, 0)));
    assert_eq!(next.outputs["out"].before, Some(marker(3, first.0)));
    assert_eq!((&manifest.retained[..], &next.retained[..]), (&[first][..], &[first, second][..]));
}

#[test]
fn whoever_accepts_repetition_applies_before_the_commit() {
    let mut c = coordinator(Consistency::AtLeastOnce, None);
    c.tick(SECOND, Timestamp(1), 0);
    let checkpoint = barrier_of(&wants(&mut c)).checkpoint;
    (0..2).for_each(|index| c.acknowledged(SECOND, acknowledgement(index, checkpoint)));
    assert!(matches!(&wants(&mut c)[..], [Command::Apply(_)]));
    c.applied(SECOND, checkpoint);
    let manifest = manifest_of(wants(&mut c));
    c.committed(SECOND, manifest.checkpoint);
    assert!(wants(&mut c).is_empty());
    assert!(c.latest().is_some());
}

#[test]
fn records_and_requests_trigger_too() {
    let mut c = coordinator(Consistency::ExactlyOnce, Some(100));
    assert_eq!(
        (c.due(), c.due_records()),
        (Some(SECOND), Some(100)),
        "nothing is looked for in between"
    );
    c.tick(Duration::ZERO, Timestamp(0), 99);
    assert!(wants(&mut c).is_empty());
    c.tick(Duration::ZERO, Timestamp(0), 100);
    barrier_of(&wants(&mut c));
    assert_eq!(c.due_records(), None, "one checkpoint at a time");
    let mut c = coordinator(Consistency::ExactlyOnce, None);
    assert_eq!(c.due(), Some(SECOND));
    c.request();
    c.tick(Duration::ZERO, Timestamp(0), 0);
    barrier_of(&wants(&mut c));
}

/// A split that was found while the job ran stays in the checkpoints after it, and one of which the source
/// remembers a few bytes does not.
#[test]
fn splits_come_and_go_while_the_job_runs() {
    let mut c = coordinator(Consistency::ExactlyOnce, None);
    let mut splits = |taken: &[(u64, Option<u64>)]| {
        c.request();
        c.tick(SECOND, Timestamp(1), 0);
        let barrier = barrier_of(&wants(&mut c));
        for index in 0..2 {
            let splits = if index == 1 { taken } else { &[] };
            let splits = splits.iter().map(|(number, split)| TakenSplit {
                source: "in".to_string(),
                number: SplitNumber(*number),
                split: split.map(Into::into),
            });
            let splits = splits.collect();
            c.acknowledged(
                SECOND,
                Acknowledgement { splits, ..acknowledgement(index, barrier.checkpoint) },
            );
        }
        let manifest = manifest_of(wants(&mut c));
        c.committed(SECOND, manifest.checkpoint);
        wants(&mut c);
        c.applied(SECOND, manifest.checkpoint);
        wants(&mut c);
        manifest.sources["in"].clone()
    };
    let before = |new: &[(u64, u64)]| {
        let mut splits = numbered(&[(1, "b".into()), (2, "c".into())]);
        splits.extend(new.iter().map(|(number, split)| (SplitNumber(*number), (*split).into())));
        splits
    };
    assert_eq!(splits(&[(0, None), (3, Some(7))]), before(&[(3, 7)]));
    assert_eq!(splits(&[]), before(&[(3, 7)]));
    assert_eq!(splits(&[(3, Some(9)), (4, Some(1))]), before(&[(3, 9), (4, 1)]));
    // Of what is both listed and forgotten, nothing is listed.
    assert_eq!(splits(&[(5, Some(2)), (5, None), (3, None)]), before(&[(4, 1)]));
}

#[test]
fn the_end_comes_when_all_sources_have_ended_and_only_once() {
    let mut c = coordinator(Consistency::ExactlyOnce, None);
    c.source_ended();
    c.tick(Duration::ZERO, Timestamp(0), 0);
    assert!(wants(&mut c).is_empty());
    c.source_ended();
    c.tick(Duration::ZERO, Timestamp(0), 0);
    let barrier = barrier_of(&wants(&mut c));
    assert_eq!(barrier.kind, BarrierKind::End);
    c.tick(10 * SECOND, Timestamp(9), 0);
    assert!(wants(&mut c).is_empty());
    (0..2).for_each(|index| c.acknowledged(SECOND, acknowledgement(index, barrier.checkpoint)));
    let manifest = manifest_of(wants(&mut c));
    c.committed(SECOND, manifest.checkpoint);
    wants(&mut c).clear();
    c.applied(SECOND, barrier.checkpoint);
    assert!(matches!(&wants(&mut c)[..], [Command::Finish(m)] if m.is_finished()));
}

/// Takes a checkpoint up to its commit, to which only the first task contributes output.
fn commit(c: &mut Coordinator, at: Duration, has_output: bool) -> Manifest {
    c.changed();
    c.tick(at, Timestamp(1), 0);
    let checkpoint = barrier_of(&wants(c)).checkpoint;
    for index in 0..2 {
        let mut acknowledgement = acknowledgement(index, checkpoint);
        if !has_output {
            (acknowledgement.written, acknowledgement.outputs) = (BTreeSet::new(), vec![]);
        }
        c.acknowledged(at, acknowledgement);
    }
    let manifest = manifest_of(wants(c));
    c.committed(at, checkpoint);
    assert!(matches!(&wants(c)[..], [Command::Apply(_)]));
    manifest
}

/// The next process holds the target against this; a claim that is not the one that wrote would make
/// it a stranger.
#[test]
fn the_marker_before_an_epoch_is_that_of_the_claim_that_wrote_last() {
    let mut c = coordinator(Consistency::ExactlyOnce, None);
    // As an earlier process has left it.
    c.latest.outputs.get_mut("out").unwrap().before = Some(marker(2, 1));
    let befores = [(true, marker(2, 1)), (false, marker(3, 4)), (true, marker(3, 4))];
    for (at, (has_output, before)) in (1..).zip(befores) {
        let manifest = commit(&mut c, at * SECOND, has_output);
        assert_eq!(manifest.outputs["out"].before, Some(before), "{at}");
        c.applied(at * SECOND, manifest.checkpoint);
        assert!(wants(&mut c).iter().all(|command| matches!(command, Command::Discard(_))));
    }
}

/// A target may be slow: until it holds the newest output, recovery may need the checkpoint before.
#[test]
fn nothing_is_discarded_before_the_newest_checkpoint_is_applied() {
    let mut c = keeping(1, Consistency::ExactlyOnce, None);
    let first = commit(&mut c, SECOND, true).checkpoint;
    c.applied(SECOND, first);
    assert!(wants(&mut c).is_empty(), "there is nothing before it");
    let second = commit(&mut c, 2 * SECOND, true).checkpoint;
    assert!(wants(&mut c).is_empty());
    c.applied(2 * SECOND, second);
    let names = (0..2).map(|index| format!("data/{first}-{index}")).collect::<Vec<_>>();
    match &wants(&mut c)[..] {
        [Command::Discard(gone)] => assert_eq!((&gone.objects, gone.log_before.0), (&names, 5)),
        other => panic!("not one discard: {other:?}"),
    }
}

#[test]
fn an_interval_longer_than_all_time_is_no_error() {
    let mut coordinator = coordinator(Consistency::ExactlyOnce, None);
    coordinator.settings.interval = Some(Duration::MAX);
    coordinator.tick(SECOND, Timestamp(0), 0);
    assert_eq!(coordinator.due(), Some(Duration::MAX));
}

#[test]
fn records_are_counted_anew_after_each_checkpoint() {
    let mut c = coordinator(Consistency::ExactlyOnce, Some(100));
    c.tick(Duration::ZERO, Timestamp(0), 130);
    let first = barrier_of(&wants(&mut c)).checkpoint;
    (0..2).for_each(|index| c.acknowledged(Duration::ZERO, acknowledgement(index, first)));
    wants(&mut c).clear();
    c.committed(Duration::ZERO, first);
    c.applied(Duration::ZERO, first);
    wants(&mut c).clear();
    assert_eq!(c.due_records(), Some(230));
    c.tick(Duration::ZERO, Timestamp(0), 229);
    assert!(wants(&mut c).is_empty());
    c.tick(Duration::ZERO, Timestamp(0), 230);
    barrier_of(&wants(&mut c));
}

/// Acknowledges all parts of the checkpoint that was just triggered, and takes its manifest.
fn draw(c: &mut Coordinator, now: Duration) -> Manifest {
    let checkpoint = barrier_of(&wants(c)).checkpoint;
    (0..2).for_each(|index| c.acknowledged(now, acknowledgement(index, checkpoint)));
    manifest_of(wants(c))
}

/// Takes a whole checkpoint.
fn complete(c: &mut Coordinator, now: Duration) -> Manifest {
    let manifest = draw(c, now);
    c.committed(now, manifest.checkpoint);
    c.applied(now, manifest.checkpoint);
    wants(c);
    manifest
}

#[test]
fn a_manifest_says_why_and_when_it_was_taken_and_how_long_that_took() {
    type Way = (fn(&mut Coordinator), u64, u64, Trigger, BarrierKind);
    let ends = |c: &mut Coordinator| (0..2).for_each(|_| c.source_ended());
    let ways: [Way; 5] = [
        (|_| (), 1, 0, Trigger::Periodic, BarrierKind::Regular),
        (|_| (), 0, 100, Trigger::Records, BarrierKind::Regular),
        (Coordinator::request, 0, 0, Trigger::Manual, BarrierKind::Regular),
        (Coordinator::request_stop, 0, 0, Trigger::Stop, BarrierKind::Stop),
        (ends, 0, 0, Trigger::EndOfInput, BarrierKind::End),
    ];
    for (ask, seconds, records, trigger, kind) in ways {
        let mut c = coordinator(Consistency::ExactlyOnce, Some(100));
        ask(&mut c);
        let now = Duration::from_secs(seconds);
        c.tick(now, Timestamp(7), records);
        let manifest = draw(&mut c, now + 3 * SECOND);
        assert_eq!((manifest.trigger, manifest.kind), (trigger, kind));
        assert_eq!(manifest.is_finished(), kind == BarrierKind::End);
        assert_eq!((manifest.triggered_at, manifest.durations.write_us), (Timestamp(7), 3_000_000));
    }
}

/// Counters of tasks begin again with each process, and say all that was counted since then.
#[test]
fn what_is_counted_goes_on_from_what_earlier_processes_have_counted() {
    let counters = Counters::from([("in".into(), BTreeMap::from([("records".into(), 100)]))]);
    let restored = Manifest { counters, ..manifest_for_tests(2, 1) };
    let mut c = begin(2, Consistency::ExactlyOnce, None, Some(restored));
    for at in 1..4 {
        c.changed();
        c.tick(at * SECOND, Timestamp(1), 0);
        let manifest = complete(&mut c, at * SECOND);
        assert_eq!(manifest.counters["in"]["records"], 110, "{at}");
    }
}

#[test]
fn before_it_has_taken_any_the_newest_checkpoint_is_the_restored_one() {
    let restored = Some(manifest_for_tests(2, 1));
    let mut c = begin(2, Consistency::ExactlyOnce, None, restored);
    assert_eq!(c.latest().map(|latest| latest.checkpoint), Some(CheckpointId(2)));
    c.tick(SECOND, Timestamp(1), 0);
    assert_eq!(complete(&mut c, SECOND).previous, Some(CheckpointId(2)));
    let mut fresh = coordinator(Consistency::ExactlyOnce, None);
    fresh.tick(SECOND, Timestamp(1), 0);
    assert_eq!(complete(&mut fresh, SECOND).previous, None);
}

#[test]
fn an_answer_that_was_not_asked_for_counts_for_nothing() {
    let mut c = coordinator(Consistency::ExactlyOnce, None);
    c.tick(SECOND, Timestamp(1), 0);
    let checkpoint = draw(&mut c, SECOND).checkpoint;
    c.applied(SECOND, checkpoint);
    c.committed(SECOND, CheckpointId(checkpoint.0 + 1));
    assert!(wants(&mut c).is_empty(), "it is not committed yet");
    c.committed(SECOND, checkpoint);
    assert!(matches!(&wants(&mut c)[..], [Command::Apply(_)]));
    c.committed(SECOND, checkpoint);
    c.applied(SECOND, CheckpointId(checkpoint.0 + 1));
    assert!(wants(&mut c).is_empty() && c.latest().is_none(), "it is not applied yet");
    c.applied(SECOND, checkpoint);
    assert_eq!(c.latest().map(|latest| latest.checkpoint), Some(checkpoint));
}

#[test]
fn an_interval_begins_at_the_trigger_before_it() {
    let mut c = coordinator(Consistency::ExactlyOnce, None);
    c.tick(3 * SECOND, Timestamp(1), 0);
    c.changed();
    assert_eq!((c.due(), c.due_records()), (None, None), "one checkpoint at a time");
    complete(&mut c, 3 * SECOND);
    assert_eq!(c.due(), Some(4 * SECOND));
    c.tick(4 * SECOND - Duration::from_nanos(1), Timestamp(2), 0);
    assert!(wants(&mut c).is_empty());
    c.tick(4 * SECOND, Timestamp(2), 0);
    barrier_of(&wants(&mut c));
}

#[test]
fn after_the_last_checkpoint_no_other_is_taken() {
    let mut c = coordinator(Consistency::ExactlyOnce, Some(100));
    c.request_stop();
    c.tick(SECOND, Timestamp(1), 0);
    complete(&mut c, SECOND);
    assert_eq!((c.due(), c.due_records()), (None, None));
    c.tick(9 * SECOND, Timestamp(9), 900);
    assert!(wants(&mut c).is_empty());
}
