//! The folder target against a disk that fails.

use std::fs;

use steadfast_core::ErrorKind as Kind;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::source::BadRecord;

use super::*;
use crate::{DeadLetterSink, JsonLinesSink};

fn identity(job: &str, sink: &str) -> TargetIdentity {
    TargetIdentity { job: job.to_string(), sink: sink.to_string() }
}

fn open(folder: &Path) -> Box<dyn Target> {
    JsonLinesSink::<u64>::new(folder).target(&identity("job", "sink")).unwrap()
}

fn staged(items: &[u64]) -> Vec<u8> {
    let mut writer = JsonLinesSink::<u64>::new("").writer().unwrap();
    writer.write(&mut items.to_vec()).unwrap();
    writer.take_staged()
}

/// The names in the folder, hidden ones included.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_cut_becomes_one_part_and_applying_it_again_or_an_older_one_has_no_effect() {
    let dir = tempfile::tempdir().unwrap();
    let mut target = open(dir.path());
    assert_eq!(target.applied().unwrap(), None);
    target.apply(CheckpointId(3), &[staged(&[1, 2]), Vec::new(), staged(&[3])]).unwrap();
    assert_eq!(target.applied().unwrap(), Some(CheckpointId(3)));
    target.apply(CheckpointId(3), &[staged(&[7])]).unwrap();
    target.apply(CheckpointId(2), &[staged(&[8])]).unwrap();
    assert_eq!(names(dir.path()), [MARKER, "part-0000000003.jsonl"]);
    let part = fs::read_to_string(dir.path().join("part-0000000003.jsonl")).unwrap();
    assert_eq!(part, "1\n2\n3\n");
}

#[test]
fn a_cut_without_output_moves_only_the_marker() {
    let dir = tempfile::tempdir().unwrap();
    let mut target = open(dir.path());
    target.apply(CheckpointId(1), &[Vec::new()]).unwrap();
    assert_eq!(target.applied().unwrap(), Some(CheckpointId(1)));
    assert_eq!(names(dir.path()), [MARKER]);
}

#[test]
fn after_a_crash_between_part_and_marker_the_same_cut_leaves_the_same_folder() {
    let dir = tempfile::tempdir().unwrap();
    let mut target = open(dir.path());
    target.apply(CheckpointId(1), &[staged(&[1])]).unwrap();
    let marker = fs::read(dir.path().join(MARKER)).unwrap();
    target.apply(CheckpointId(2), &[staged(&[2])]).unwrap();
    let before = names(dir.path());
    // The crash: the part is there, the marker is not yet.
    fs::write(dir.path().join(MARKER), marker).unwrap();
    let mut target = open(dir.path());
    assert_eq!(target.applied().unwrap(), Some(CheckpointId(1)));
    target.apply(CheckpointId(2), &[staged(&[2])]).unwrap();
    assert_eq!(names(dir.path()), before);
    assert_eq!(fs::read(dir.path().join("part-0000000002.jsonl")).unwrap(), b"2\n");
}

#[test]
fn opening_removes_what_a_dead_process_left_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).apply(CheckpointId(1), &[staged(&[1])]).unwrap();
    let before = names(dir.path());
    fs::write(dir.path().join(".tmp-part-0000000002.jsonl-99-0"), b"half").unwrap();
    open(dir.path());
    assert_eq!(names(dir.path()), before);
}

#[test]
fn a_reset_removes_parts_and_marker_and_keeps_what_others_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let mut target = open(dir.path());
    for checkpoint in 1..4 {
        target.apply(CheckpointId(checkpoint), &[staged(&[checkpoint])]).unwrap();
    }
    let others = ["notes.txt", "part-5.jsonl", "part-00000000xx.jsonl"];
    others.iter().for_each(|name| fs::write(dir.path().join(name), b"").unwrap());
    target.reset().unwrap();
    target.reset().unwrap();
    let mut others = others.map(String::from);
    others.sort();
    assert_eq!(names(dir.path()), others);
    assert_eq!(target.applied().unwrap(), None);
    target.apply(CheckpointId(1), &[staged(&[1])]).unwrap();
    assert_eq!(target.applied().unwrap(), Some(CheckpointId(1)));
}

#[test]
fn a_folder_belongs_to_one_sink_of_one_job() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).apply(CheckpointId(1), &[]).unwrap();
    let sink = JsonLinesSink::<u64>::new(dir.path());
    for other in [identity("job", "other"), identity("other", "sink")] {
        let error = sink.target(&other).err().unwrap();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.to_string().contains("job"), "{error}");
    }
}

#[test]
fn a_marker_that_is_not_one_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(MARKER), b"{").unwrap();
    let target = JsonLinesSink::<u64>::new(dir.path()).target(&identity("job", "sink"));
    assert_eq!(target.err().unwrap().kind(), Kind::Damaged);
}

#[test]
fn dead_letters_hold_the_exact_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let sink = DeadLetterSink::new(dir.path());
    let bad = |raw: &[u8], line| BadRecord {
        raw: raw.to_vec(),
        place: "in.jsonl".to_string(),
        offset: 7,
        line,
        reason: "why".to_string(),
    };
    let mut writer = sink.writer().unwrap();
    writer.write(&mut vec![bad(b"{\"a\"\r", Some(2)), bad(b"\xff\x00a", None)]).unwrap();
    let mut target = sink.target(&identity("job", "dead")).unwrap();
    target.apply(CheckpointId(1), &[writer.take_staged()]).unwrap();
    let written = fs::read_to_string(dir.path().join("dead-0000000001.jsonl")).unwrap();
    let expected = concat!(
        r#"{"place":"in.jsonl","offset":7,"line":2,"reason":"why","raw":"{\"a\"\r"}"#,
        "\n",
        r#"{"place":"in.jsonl","offset":7,"reason":"why","raw_hex":"ff0061"}"#,
        "\n",
    );
    assert_eq!(written, expected);
}
