//! What a collecting sink promises.

use serde::{Deserialize, Serialize};
use steadfast_core::ErrorKind;
use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, RejectedRows, Target, TargetIdentity,
    TargetState,
};
use steadfast_memory::Collect;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Item {
    name: String,
    numbers: Vec<i64>,
    maybe: Option<u8>,
}

fn item(name: &str) -> Item {
    Item { name: name.to_owned(), numbers: vec![-1, 0, i64::MAX], maybe: None }
}

fn staged(sink: &Collect<Item>, names: &[&str]) -> Vec<u8> {
    let mut writer = sink.writer().unwrap();
    let mut items = names.iter().map(|name| item(name)).collect();
    writer.write(&mut items).unwrap();
    assert!(items.is_empty());
    let size = writer.staged_bytes();
    let part = writer.take_staged();
    assert_eq!((part.len(), writer.staged_bytes()), (size, 0));
    part
}

fn open(sink: &Collect<Item>, name: &str) -> Box<dyn Target> {
    sink.target(&TargetIdentity { job: "job".into(), sink: name.into() }).unwrap()
}

const DONE: Conditional<()> = Conditional::Done(());

fn at(checkpoint: u64) -> Marker {
    let claim = ClaimId { generation: Generation(1), nonce: 11 };
    Marker { lineage: Lineage(1), claim, checkpoint: CheckpointId(checkpoint) }
}

fn apply(
    target: &mut Box<dyn Target>,
    (from, to): (Marker, Marker),
    chunks: &[Vec<u8>],
) -> steadfast_core::Result<Conditional<Applied>> {
    target.apply(&from, &to, &chunks, RejectedRows::Fail)
}

fn owned(marker: Marker) -> TargetState {
    TargetState::Owned { marker, created: true }
}

#[test]
fn applying_twice_collects_once_even_after_a_restart() {
    let sink = Collect::new();
    let collected = sink.collected();
    let chunks = [staged(&sink, &["a", "b"]), Vec::new(), staged(&sink, &["c"])];
    let mut target = open(&sink, "s");
    assert_eq!(target.look().unwrap(), TargetState::Absent);
    assert_eq!(target.guarantee(), DeliveryGuarantee::AppendOnce);
    let done = Conditional::Done(Applied::default());
    let unexpected = Conditional::Unexpected(None);
    assert_eq!(apply(&mut target, (at(0), at(2)), &chunks).unwrap(), unexpected);
    for _ in 0..2 {
        assert_eq!(target.acquire(None, &at(0), false).unwrap(), DONE);
    }
    for _ in 0..2 {
        assert_eq!(apply(&mut target, (at(0), at(2)), &chunks).unwrap(), done);
    }
    drop((target, sink));

    let sink = Collect::into_collected(&collected);
    let mut target = open(&sink, "s");
    assert_eq!(target.look().unwrap(), owned(at(2)));
    assert_eq!(apply(&mut target, (at(0), at(2)), &chunks).unwrap(), done);
    assert_eq!(apply(&mut target, (at(2), at(2)), &chunks).unwrap(), done);
    assert_eq!(apply(&mut target, (at(2), at(5)), &[]).unwrap(), done);
    assert_eq!(target.look().unwrap(), owned(at(5)));
    let all = vec![item("a"), item("b"), item("c")];
    assert_eq!(collected.items(), all);
    assert_eq!(target.contents().unwrap(), "3 items in memory");
    assert_eq!(collected.checkpoints(), [(CheckpointId(2), all), (CheckpointId(5), vec![])]);
}

#[test]
fn a_stranger_moves_nothing() {
    let sink = Collect::new();
    let mut target = open(&sink, "s");
    assert_eq!(target.acquire(None, &at(0), false).unwrap(), DONE);
    apply(&mut target, (at(0), at(5)), &[staged(&sink, &["a"])]).unwrap();
    let found = Some(at(5));
    let other_lineage = Marker { lineage: Lineage(2), ..at(5) };
    let other_nonce = Marker { claim: ClaimId { nonce: 12, ..at(5).claim }, ..at(5) };
    for stranger in [other_lineage, other_nonce, at(4), at(0)] {
        let to = Marker { checkpoint: CheckpointId(9), ..stranger };
        let applied = apply(&mut target, (stranger, to), &[staged(&sink, &["b"])]).unwrap();
        assert_eq!(applied, Conditional::Unexpected(found));
        for step in [
            target.reset(&stranger, &to).unwrap(),
            target.acquire(Some(&stranger), &to, true).unwrap(),
            target.acquire(None, &to, true).unwrap(),
        ] {
            assert_eq!(step, Conditional::Unexpected(found));
        }
        assert_eq!(target.look().unwrap(), owned(at(5)));
        assert_eq!(sink.collected().items(), [item("a")]);
    }
}

#[test]
fn damaged_chunks_change_nothing() {
    let sink = Collect::new();
    let mut target = open(&sink, "s");
    target.acquire(None, &at(0), false).unwrap();
    let good = staged(&sink, &["a", "b"]);
    let one = staged(&sink, &["a"]).len();
    for length in (1..good.len()).filter(|&length| length != one) {
        let chunks = [good.clone(), good[..length].to_vec()];
        let error = apply(&mut target, (at(0), at(1)), &chunks).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert_eq!((target.look().unwrap(), sink.collected().items()), (owned(at(0)), vec![]));
    }
}

#[test]
fn sinks_and_jobs_have_markers_and_resets_of_their_own() {
    let sink = Collect::new();
    let identity = TargetIdentity { job: "other".into(), sink: "1".into() };
    let mut targets = [open(&sink, "1"), open(&sink, "2"), sink.target(&identity).unwrap()];
    for (index, target) in targets.iter_mut().enumerate() {
        assert_eq!(target.look().unwrap(), TargetState::Absent);
        assert_eq!(target.acquire(None, &at(0), false).unwrap(), DONE);
        let chunk = staged(&sink, &[["a", "b", "c"][index]]);
        apply(target, (at(0), at(index as u64 + 1)), &[chunk]).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(targets[0].reset(&at(1), &at(0)).unwrap(), DONE);
    }
    assert_eq!(targets[0].look().unwrap(), owned(at(0)));
    assert_eq!(targets[1].look().unwrap(), owned(at(2)));
    assert_eq!(targets[2].look().unwrap(), owned(at(3)));
    assert_eq!(sink.collected().items(), [item("b"), item("c")]);
}
