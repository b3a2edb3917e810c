//! Sinks that meet: in one folder, and with the sources.

use std::fs;

use steadfast_core::ErrorKind;
use steadfast_core::id::CheckpointId;
use steadfast_core::sink::{DeliveryGuarantee, Sink, SinkWriter, TargetIdentity};
use steadfast_core::source::BadRecord;
use steadfast_files::{DeadLetterSink, JsonLines, JsonLinesSink, StdoutSink};

use crate::support::*;

fn identity(sink: &str) -> TargetIdentity {
    TargetIdentity { job: "job".to_string(), sink: sink.to_string() }
}

#[test]
fn of_two_sinks_that_open_one_empty_folder_the_second_is_refused_when_it_writes() {
    let folder = Folder::new();
    let out = folder.path("out");
    let mut records = JsonLinesSink::<u8>::new(&out).target(&identity("records")).unwrap();
    let mut dead = DeadLetterSink::new(&out).target(&identity("dead")).unwrap();
    records.apply(CheckpointId(1), &[b"1\n".to_vec()]).unwrap();
    // Without this, the marker of the one would tell the other that all is done already.
    assert_eq!(dead.applied().unwrap_err().kind(), ErrorKind::Configuration);
    let error = dead.apply(CheckpointId(1), &[b"2\n".to_vec()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("'records'"), "{error}");
    assert_eq!(dead.reset().unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(records.applied().unwrap(), Some(CheckpointId(1)));
}

#[test]
fn a_marker_that_is_damaged_is_named_also_when_the_folder_is_open() {
    let folder = Folder::new();
    let mut target =
        JsonLinesSink::<u8>::new(folder.path("out")).target(&identity("sink")).unwrap();
    target.apply(CheckpointId(1), &[b"1\n".to_vec()]).unwrap();
    let marker = folder.path("out/.steadfast-marker.json");
    let whole = fs::read(&marker).unwrap();
    for length in 0..whole.len() {
        fs::write(&marker, &whole[..length]).unwrap();
        let error = target.apply(CheckpointId(2), &[b"2\n".to_vec()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("marker.json"), "{error}");
        let opened = JsonLinesSink::<u8>::new(folder.path("out")).target(&identity("sink"));
        assert_eq!(opened.err().unwrap().kind(), ErrorKind::Damaged);
    }
    assert!(!folder.path("out/part-0000000002.jsonl").exists());
}

#[test]
fn what_a_sink_writes_a_source_reads() {
    let folder = Folder::new();
    let sink = JsonLinesSink::<String>::new(folder.path("out"));
    let mut writer = sink.writer().unwrap();
    let mut items = vec!["a\nb".to_string(), "\u{2028}\"".to_string()];
    writer.write(&mut items).unwrap();
    assert!(items.is_empty());
    assert_eq!(writer.staged_bytes(), "\"a\\nb\"\n\"\u{2028}\\\"\"\n".len());
    let part = writer.take_staged();
    assert_eq!((writer.staged_bytes(), writer.take_staged()), (0, Vec::new()));
    sink.target(&identity("sink")).unwrap().apply(CheckpointId(7), &[part]).unwrap();
    let source = JsonLines::<String>::new([folder.path("out/part-0000000007.jsonl")]);
    assert_eq!(read(&source).unwrap().records, ["a\nb", "\u{2028}\""]);
}

#[test]
fn dead_letters_give_back_the_bytes_of_what_was_bad() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    let path = folder.write("in.jsonl", [&bytes[..], b"\n{\"half\":\r\n"].concat());
    let mut bad: Vec<BadRecord> = read(&JsonLines::<u8>::new([&path])).unwrap().bad;
    let sink = DeadLetterSink::new(folder.path("dead"));
    let mut writer = sink.writer().unwrap();
    writer.write(&mut bad).unwrap();
    let mut target = sink.target(&identity("dead")).unwrap();
    target.apply(CheckpointId(1), &[writer.take_staged()]).unwrap();
    let written = fs::read_to_string(folder.path("dead/dead-0000000001.jsonl")).unwrap();
    let letters: Vec<serde_json::Value> =
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(letters.len(), 2);
    assert_eq!((&letters[0]["raw_hex"], &letters[0]["raw"]), (&hex.into(), &().into()));
    assert_eq!((&letters[1]["raw"], &letters[1]["offset"]), (&"{\"half\":\r".into(), &256.into()));
    assert_eq!(letters[1]["place"], path.display().to_string());
}

#[test]
fn a_terminal_promises_no_more_than_it_can_keep() {
    let mut target = StdoutSink::<u8>::new().target(&identity("out")).unwrap();
    target.apply(CheckpointId(1), &[]).unwrap();
    assert_eq!(target.applied().unwrap(), None);
    assert_eq!(target.guarantee(), DeliveryGuarantee::AtLeastOnce);
    let folder = Folder::new();
    let files = JsonLinesSink::<u8>::new(folder.path("out")).target(&identity("out")).unwrap();
    assert_eq!(files.guarantee(), DeliveryGuarantee::AppendOnce);
}
