//! What a collecting sink promises.

use serde::{Deserialize, Serialize};
use steadfast_core::ErrorKind;
use steadfast_core::id::CheckpointId;
use steadfast_core::sink::{DeliveryGuarantee, Sink, SinkWriter, Target, TargetIdentity};
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

#[test]
fn applying_twice_collects_once_even_after_a_restart() {
    let sink = Collect::new();
    let collected = sink.collected();
    let parts = [staged(&sink, &["a", "b"]), Vec::new(), staged(&sink, &["c"])];
    let mut target = open(&sink, "s");
    assert_eq!(
        (target.applied().unwrap(), target.guarantee()),
        (None, DeliveryGuarantee::AppendOnce)
    );
    target.apply(CheckpointId(2), &parts).unwrap();
    target.apply(CheckpointId(2), &parts).unwrap();
    target.apply(CheckpointId(1), &parts).unwrap();
    drop((target, sink));

    let sink = Collect::into_collected(&collected);
    let mut target = open(&sink, "s");
    assert_eq!(target.applied().unwrap(), Some(CheckpointId(2)));
    target.apply(CheckpointId(2), &parts).unwrap();
    target.apply(CheckpointId(5), &[]).unwrap();
    assert_eq!(target.applied().unwrap(), Some(CheckpointId(5)));
    let all = vec![item("a"), item("b"), item("c")];
    assert_eq!(collected.items(), all);
    assert_eq!(collected.checkpoints(), [(CheckpointId(2), all), (CheckpointId(5), vec![])]);
}

#[test]
fn damaged_parts_change_nothing() {
    let sink = Collect::new();
    let mut target = open(&sink, "s");
    let good = staged(&sink, &["a", "b"]);
    for checkpoint in 1..good.len() {
        match target.apply(CheckpointId(1), &[good.clone(), good[..checkpoint].to_vec()]) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Damaged),
            Ok(()) => {
                assert_eq!(checkpoint, staged(&sink, &["a"]).len());
                target.reset().unwrap();
            }
        }
        assert_eq!((target.applied().unwrap(), sink.collected().items()), (None, vec![]));
    }
}

#[test]
fn sinks_have_markers_and_resets_of_their_own() {
    let sink = Collect::new();
    let (mut one, mut two) = (open(&sink, "1"), open(&sink, "2"));
    one.apply(CheckpointId(1), &[staged(&sink, &["a"])]).unwrap();
    two.apply(CheckpointId(9), &[staged(&sink, &["b"])]).unwrap();
    one.reset().unwrap();
    assert_eq!((one.applied().unwrap(), two.applied().unwrap()), (None, Some(CheckpointId(9))));
    assert_eq!(sink.collected().items(), [item("b")]);
}
