//! What processes do to a folder, and whether users see what they should.
//!
//! The truth is in the slots: they say what was committed, in which order. Everything else is
//! checked against them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use steadfast_core::Result;
use steadfast_core::disk::Disk;
use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};
use steadfast_core::sink::Sink;
use steadfast_core::target::{
    Conditional, Marker, RejectedRows, Target, TargetIdentity, TargetState,
};
use steadfast_files::JsonLinesSink;

use crate::model_disk::{Loss, ModelDisk};

pub fn identity(sink: &str) -> TargetIdentity {
    TargetIdentity { job: "job".to_string(), sink: sink.to_string() }
}

/// What claim `claim` writes at `checkpoint`.
pub fn marker(claim: u64, checkpoint: u64) -> Marker {
    let claim = ClaimId { generation: Generation(claim), nonce: 0 };
    Marker { lineage: Lineage(1), claim, checkpoint: CheckpointId(checkpoint) }
}

/// The output of a checkpoint: every third has none.
pub fn output(marker: &Marker) -> Vec<u8> {
    if marker.checkpoint.0.is_multiple_of(3) {
        Vec::new()
    } else {
        format!("\"{marker}\"\n").into_bytes()
    }
}

pub fn open(disk: Arc<dyn Disk>) -> Box<dyn Target> {
    JsonLinesSink::<u64>::on_disk(disk, "out").target(&identity("sink")).unwrap()
}

/// The marker in the folder.
pub fn found(target: &mut dyn Target) -> Result<Option<Marker>> {
    Ok(match target.look()? {
        TargetState::Owned { marker, .. } => Some(marker),
        _ => None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Acquire,
    Apply,
    Reset,
}

/// A change from one marker to another.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub step: Step,
    pub expected: Option<Marker>,
    pub marker: Marker,
}

impl Change {
    /// What `claim` would do after `expected`.
    pub fn after(step: Step, expected: Option<Marker>, claim: u64) -> Self {
        let held = expected.map_or(0, |marker| marker.checkpoint.0);
        let marker = match step {
            Step::Acquire => marker(claim, held),
            Step::Apply => marker(claim, held + 1),
            Step::Reset => marker(claim, 0),
        };
        Change { step, expected, marker }
    }

    /// Whether it took place.
    pub fn make(&self, target: &mut dyn Target) -> Result<bool> {
        let Change { expected, marker, .. } = self;
        let expected = expected.as_ref();
        Ok(match self.step {
            Step::Acquire => target.acquire(expected, marker, false)? == Conditional::Done(()),
            Step::Reset => target.reset(expected.unwrap(), marker)? == Conditional::Done(()),
            Step::Apply => {
                let bytes = output(marker);
                let chunks = [bytes[..bytes.len() / 2].to_vec(), bytes[bytes.len() / 2..].to_vec()];
                let applied =
                    target.apply(expected.unwrap(), marker, &chunks, RejectedRows::Fail)?;
                matches!(applied, Conditional::Done(_))
            }
        })
    }
}

/// Looks, and then takes `steps` one after the other. Each must succeed.
pub fn take(disk: Arc<dyn Disk>, claim: u64, steps: &[Step]) {
    let mut target = open(disk);
    let mut expected = found(&mut *target).unwrap();
    for step in steps {
        let change = Change::after(*step, expected, claim);
        assert!(change.make(&mut *target).unwrap(), "{change:?}");
        expected = Some(change.marker);
    }
}

/// The slots in order.
pub fn slots(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<Value> {
    let slots = files.iter().filter(|(path, _)| {
        path.starts_with("out/.steadfast/slots") && !name(path).starts_with(".tmp-")
    });
    let slots: Vec<Value> = slots
        .map(|(_, bytes)| {
            let text = std::str::from_utf8(bytes).unwrap();
            serde_json::from_str(text.split_once('\n').unwrap().1).unwrap()
        })
        .collect();
    for (at, slot) in slots.iter().enumerate() {
        assert_eq!(slot["number"], at + 1, "a hole");
    }
    slots
}

pub fn marker_of(slot: &Value) -> Marker {
    serde_json::from_value(slot["marker"].clone()).unwrap()
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Whether exactly the parts can be seen that the slots speak of. If the newest is `unsettled`, it
/// need not have come about.
pub fn check(disk: &ModelDisk, unsettled: bool, when: &str) {
    let files = disk.files();
    let slots = slots(&files);
    let mut right = BTreeMap::new();
    let mut before = BTreeMap::new();
    for slot in &slots {
        before = right.clone();
        let number = slot["number"].as_u64().unwrap();
        if slot["step"] == "reset" {
            right.clear();
        } else if slot["step"]["part"].is_object() {
            right.insert(format!("part-{number:010}.jsonl"), output(&marker_of(slot)));
        }
    }
    let visible: BTreeMap<_, _> = files
        .iter()
        .filter(|(path, _)| path.parent() == Some(Path::new("out")))
        .map(|(path, bytes)| (name(path).to_string(), bytes.clone()))
        .collect();
    if unsettled {
        // Between the two, and whole.
        let is_right = |(name, bytes): (&String, &Vec<u8>)| {
            right.get(name).or(before.get(name)) == Some(bytes)
        };
        assert!(visible.iter().all(is_right), "{when}: {visible:?}");
        assert!(
            right
                .keys()
                .filter(|name| before.contains_key(*name))
                .all(|name| visible.contains_key(name)),
            "{when}"
        );
    } else {
        assert_eq!(visible, right, "{when}: {slots:#?}");
    }
}

/// Whether every part that was committed is there: where users look, or where a reset keeps it.
pub fn check_kept(disk: &ModelDisk, when: &str) {
    let files = disk.files();
    for slot in slots(&files).iter().filter(|slot| slot["step"]["part"].is_object()) {
        let part = slot["step"]["part"]["name"].as_str().unwrap();
        let is_it = |(path, bytes): (&PathBuf, &Vec<u8>)| {
            name(path) == part && *bytes == output(&marker_of(slot))
        };
        assert!(files.iter().any(is_it), "{when}: {part} is lost");
    }
}

/// What was staged and is not visible yet, or never will be.
pub fn staged(disk: &ModelDisk) -> Vec<PathBuf> {
    let files = disk.files().into_keys();
    files.filter(|path| path.starts_with("out/.steadfast/staged")).collect()
}

/// Whether the next process brings everything in order and leaves nothing behind.
pub fn check_after_recovery(disk: &ModelDisk, when: &str) {
    take(disk.process(), 99, &[Step::Acquire]);
    check(disk, false, when);
    let files = disk.files();
    let is_left = |path: &&PathBuf| {
        name(path).starts_with(".tmp-") || path.starts_with("out/.steadfast/staged")
    };
    assert_eq!(files.keys().find(is_left), None, "{when}");
    let before = disk.copy();
    before.restart(Loss::Everything);
    check(&before, false, when);
    take(disk.process(), 100, &[Step::Acquire, Step::Apply, Step::Apply]);
    check(disk, false, when);
}
