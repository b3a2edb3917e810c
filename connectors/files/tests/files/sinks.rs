//! Sinks that meet: in one folder, and with the sources.

use std::fs;
use std::path::{Path, PathBuf};

use steadfast_core::ErrorKind;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::source::BadRecord;
use steadfast_core::target::{
    Conditional, DeliveryGuarantee, RejectedRows, Target, TargetIdentity, TargetState,
};
use steadfast_files::{DeadLetterSink, JsonLines, JsonLinesSink, StdoutSink};

use crate::history::{identity, marker};
use crate::support::*;

const DONE: Conditional<()> = Conditional::Done(());

fn open(folder: impl AsRef<Path>, sink: &str) -> Box<dyn Target> {
    JsonLinesSink::<u8>::new(folder.as_ref()).target(&identity(sink)).unwrap()
}

/// Acquires, and applies one part.
fn write(target: &mut dyn Target, part: Vec<u8>) {
    assert_eq!(target.acquire(None, &marker(1, 0), false).unwrap(), DONE);
    apply(target, 1, &part);
}

fn apply(target: &mut dyn Target, checkpoint: u64, part: &[u8]) {
    let (expected, marker) = (marker(1, checkpoint - 1), marker(1, checkpoint));
    let applied = target.apply(&expected, &marker, &[part.to_vec()], RejectedRows::Fail);
    assert!(matches!(applied, Ok(Conditional::Done(_))), "{applied:?}");
}

/// What users see.
fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let all = fs::read_dir(folder).unwrap();
    let mut all: Vec<_> = all.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.retain(|name| name != ".steadfast");
    all.sort();
    all
}

#[test]
fn a_sink_that_is_opened_or_looked_at_creates_nothing() {
    let folder = Folder::new();
    let out = folder.path("deep/out");
    let mut target = open(&out, "sink");
    assert_eq!(target.look().unwrap(), TargetState::Absent);
    assert_eq!(target.contents().unwrap(), format!("0 parts (0 bytes) in {}", out.display()));
    assert!(!folder.path("deep").exists());
    write(&mut *target, b"1\n".to_vec());
    let owned = TargetState::Owned { marker: marker(1, 1), created: true };
    assert_eq!(target.look().unwrap(), owned);
    assert!(target.contents().unwrap().starts_with("1 part (2 bytes) in"));
}

#[test]
fn a_folder_of_others_is_refused_or_adopted_and_their_files_stay() {
    let folder = Folder::new();
    folder.write("notes.txt", "x");
    let out = folder.path("");
    let mut target = open(&out, "sink");
    assert!(matches!(target.look().unwrap(), TargetState::Foreign(why) if why.contains("notes")));
    let error = target.acquire(None, &marker(1, 0), false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("--adopt") && !folder.path(".steadfast").exists());
    // A name that the sink will need is better refused now than in the middle of a job.
    let taken = folder.write("part-0000000900.jsonl", "x");
    let error = target.acquire(None, &marker(1, 0), true).unwrap_err();
    assert!(error.to_string().contains("part-0000000900.jsonl"), "{error}");
    fs::remove_file(taken).unwrap();
    assert_eq!(target.acquire(None, &marker(1, 0), true).unwrap(), DONE);
    apply(&mut *target, 1, b"1\n");
    let owned = TargetState::Owned { marker: marker(1, 1), created: false };
    assert_eq!(target.look().unwrap(), owned);
    assert_eq!(target.reset(&marker(1, 1), &marker(1, 0)).unwrap(), DONE);
    assert_eq!(names(&out), ["notes.txt"]);
}

#[test]
fn two_sinks_in_one_folder_know_each_other_and_reset_only_their_own() {
    let folder = Folder::new();
    let out = folder.path("out");
    let (mut one, mut two) = (open(&out, "one"), open(&out, "two"));
    write(&mut *one, b"1\n".to_vec());
    let state = two.look().unwrap();
    assert!(matches!(state, TargetState::Foreign(why) if why.contains("sink 'one' of job 'job'")));
    let error = two.acquire(None, &marker(1, 0), false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    // The same markers, but of another sink.
    let applied = two.apply(&marker(1, 1), &marker(1, 2), &[], RejectedRows::Fail).unwrap();
    assert_eq!(applied, Conditional::Unexpected(None));
    assert_eq!(two.acquire(None, &marker(1, 0), true).unwrap(), DONE);
    apply(&mut *two, 1, b"2\n");
    assert_eq!(one.reset(&marker(1, 1), &marker(1, 0)).unwrap(), Conditional::Unexpected(None));
    assert_eq!(two.reset(&marker(1, 1), &marker(1, 0)).unwrap(), DONE);
    assert_eq!(names(&out), ["part-0000000002.jsonl"]);
}

/// A folder has one chain of steps, so it has one writer.
#[test]
fn a_folder_that_another_job_adopts_is_taken_from_the_first_which_is_told() {
    let folder = Folder::new();
    let out = folder.path("out");
    let mut first = open(&out, "sink");
    write(&mut *first, b"1\n".to_vec());
    let other = TargetIdentity { job: "other".to_string(), sink: "sink".to_string() };
    let mut other = JsonLinesSink::<u8>::new(&out).target(&other).unwrap();
    let error = other.acquire(None, &marker(1, 0), false).unwrap_err().to_string();
    assert!(error.contains("--adopt (RunOptions::adopt) to take this one"), "{error}");
    assert!(error.contains("job 'job' can write to it no more"), "{error}");
    assert_eq!(other.acquire(None, &marker(1, 0), true).unwrap(), DONE);
    let refused = first.apply(&marker(1, 1), &marker(1, 2), &[b"2\n".to_vec()], RejectedRows::Fail);
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("taken over by sink 'sink' of job 'other'"), "{error}");
    apply(&mut *other, 1, b"3\n");
    assert_eq!(names(&out), ["part-0000000002.jsonl", "part-0000000004.jsonl"]);
}

#[test]
fn a_folder_that_is_away_is_waited_for_and_one_without_its_slots_is_refused() {
    let folder = Folder::new();
    let (out, away) = (folder.path("out"), folder.path("away"));
    let mut target = open(&out, "sink");
    write(&mut *target, b"1\n".to_vec());
    let mut refused = || {
        let (expected, marker) = (marker(1, 1), marker(1, 2));
        target.apply(&expected, &marker, &[b"2\n".to_vec()], RejectedRows::Fail).unwrap_err()
    };
    fs::rename(&out, &away).unwrap();
    let error = refused();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("the folder of the sink is gone"), "{error}");
    assert!(!out.exists(), "it was made again, and cannot come back");
    // Such as the place where it is mounted at other times.
    fs::create_dir(&out).unwrap();
    assert_eq!(refused().kind(), ErrorKind::Damaged);
    fs::remove_dir(&out).unwrap();
    fs::rename(&away, &out).unwrap();
    apply(&mut *target, 2, b"2\n");
    assert_eq!(names(&out), ["part-0000000002.jsonl", "part-0000000003.jsonl"]);
}

#[test]
fn a_file_of_others_in_the_way_of_a_part_is_named_and_kept() {
    let folder = Folder::new();
    let out = folder.path("out");
    let mut target = open(&out, "sink");
    write(&mut *target, b"1\n".to_vec());
    let taken = folder.write("out/part-0000000003.jsonl", "mine");
    let marker_now = marker(1, 1);
    let applied = target.apply(&marker_now, &marker(1, 2), &[b"2\n".to_vec()], RejectedRows::Fail);
    assert!(applied.unwrap_err().to_string().contains("part-0000000003.jsonl"));
    assert_eq!(fs::read(&taken).unwrap(), b"mine");
    fs::remove_file(taken).unwrap();
    apply(&mut *target, 2, b"2\n");
    // A reader may take parts away: they do not come back.
    fs::remove_file(folder.path("out/part-0000000003.jsonl")).unwrap();
    assert_eq!(
        open(&out, "sink").acquire(Some(&marker(1, 2)), &marker(2, 2), false).unwrap(),
        DONE
    );
    assert_eq!(names(&out), ["part-0000000002.jsonl"]);
}

#[test]
fn damage_to_a_slot_is_named() {
    let folder = Folder::new();
    let mut target = open(folder.path("out"), "sink");
    write(&mut *target, b"1\n".to_vec());
    let slot = folder.path("out/.steadfast/slots/000000/0000000002");
    let whole = fs::read(&slot).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        for damaged in [&whole[..at], &flipped] {
            fs::write(&slot, damaged).unwrap();
            let error = target.look().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
            assert!(error.to_string().contains("0000000002"), "{error}");
        }
    }
    fs::write(&slot, whole).unwrap();
    fs::remove_file(folder.path("out/.steadfast/slots/000000/0000000001")).unwrap();
    assert_eq!(open(folder.path("out"), "sink").look().unwrap_err().kind(), ErrorKind::Damaged);
}

#[test]
fn thousands_of_slots_lie_in_several_folders_and_the_newest_is_found() {
    let disk = crate::model_disk::ModelDisk::default();
    let mut target = crate::history::open(disk.process());
    assert_eq!(target.acquire(None, &marker(1, 0), false).unwrap(), DONE);
    for checkpoint in 1..4200 {
        apply(&mut *target, checkpoint, b"");
    }
    let process = disk.process();
    let found = crate::history::found(&mut *crate::history::open(process.clone())).unwrap();
    assert_eq!(found, Some(marker(1, 4199)));
    assert!(process.calls() < 40, "{}", process.calls());
    assert!(disk.files().contains_key(Path::new("out/.steadfast/slots/000001/0000004200")));
    disk.restart(crate::model_disk::Loss::Everything);
    assert_eq!(crate::history::slots(&disk.files()).len(), 4200);
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
    write(&mut *sink.target(&identity("sink")).unwrap(), part);
    let source = JsonLines::<String>::new([folder.path("out/part-0000000002.jsonl")]);
    assert_eq!(read(&source).unwrap().records, ["a\nb", "\u{2028}\""]);
}

#[test]
fn dead_letters_give_back_the_bytes_of_what_was_bad() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    let path = folder.write("in.jsonl", [&bytes[..], b"\n{\"half\":\r\n"].concat());
    let mut bad: Vec<BadRecord> = read(&JsonLines::<u8>::new([&path])).unwrap().bad;
    let sink: DeadLetterSink = DeadLetterSink::new(folder.path("dead"));
    let mut writer = sink.writer().unwrap();
    writer.write(&mut bad).unwrap();
    let mut target = sink.target(&identity("dead")).unwrap();
    let staged = writer.take_staged();
    write(&mut *target, staged);
    let written = fs::read_to_string(folder.path("dead/dead-0000000002.jsonl")).unwrap();
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
    assert_eq!(target.look().unwrap(), TargetState::Unmarked);
    apply(&mut *target, 1, b"");
    assert_eq!(target.reset(&marker(1, 1), &marker(1, 0)).unwrap(), DONE);
    assert_eq!(target.guarantee(), DeliveryGuarantee::AtLeastOnce);
    let folder = Folder::new();
    let files = JsonLinesSink::<u8>::new(folder.path("out")).target(&identity("out")).unwrap();
    assert_eq!(files.guarantee(), DeliveryGuarantee::AppendOnce);
}

/// Row A4 of the attack of 2026-11-22: a part whose slot was lost must not stay among what comes.
#[test]
fn a_reset_after_the_newest_slot_was_lost_names_the_part_that_it_cannot_take_away() {
    let folder = Folder::new();
    let out = folder.path("out");
    let mut target = open(&out, "sink");
    write(&mut *target, b"1\n".to_vec());
    fs::remove_file(out.join(".steadfast/slots/000000/0000000002")).unwrap();
    let mut target = open(&out, "sink");
    let error = target.reset(&marker(1, 0), &marker(2, 0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("part-0000000002.jsonl"), "{error}");
    fs::remove_file(out.join("part-0000000002.jsonl")).unwrap();
    assert_eq!(target.reset(&marker(1, 0), &marker(2, 0)).unwrap(), DONE);
    assert!(names(&out).is_empty());
}

/// Writes one part as a process does that is killed between its slot and its part. Returns where it was
/// staged, which is not there.
fn write_and_die(out: &Path) -> PathBuf {
    write(&mut *open(out, "sink"), b"1\n".to_vec());
    let slot = fs::read_to_string(out.join(".steadfast/slots/000000/0000000002")).unwrap();
    let staged = slot.split("\"staged\":\"").nth(1).unwrap().split('"').next().unwrap();
    fs::remove_file(out.join("part-0000000002.jsonl")).unwrap();
    out.join(".steadfast/staged").join(staged)
}

#[test]
fn a_file_that_somebody_puts_in_the_place_of_a_part_is_not_taken_for_it() {
    let folder = Folder::new();
    let out = folder.path("out");
    let staged = write_and_die(&out);
    fs::write(&staged, b"1\n").unwrap();
    let part = folder.write("out/part-0000000002.jsonl", "2\n");
    let acquire = || open(&out, "sink").acquire(Some(&marker(1, 1)), &marker(2, 1), false);
    let error = acquire().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("part-0000000002.jsonl"), "{error}");
    assert_eq!(fs::read(&part).unwrap(), b"2\n");
    // The way out that it names.
    fs::remove_file(&part).unwrap();
    assert_eq!(acquire().unwrap(), DONE);
    assert_eq!(fs::read(&part).unwrap(), b"1\n");
    assert!(!staged.exists());
}

/// Row A5 of the attack of 2026-11-22: what waited to become visible may have changed on the disk.
#[test]
fn a_part_that_was_damaged_before_it_was_visible_never_is() {
    let folder = Folder::new();
    let out = folder.path("out");
    let staged = write_and_die(&out);
    for damaged in [&b"2\n"[..], b"1", b""] {
        fs::write(&staged, damaged).unwrap();
        let mut target = open(&out, "sink");
        let error = target.acquire(Some(&marker(1, 1)), &marker(2, 1), false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        assert!(names(&out).is_empty());
    }
    assert_eq!(open(&out, "sink").reset(&marker(1, 1), &marker(2, 0)).unwrap(), DONE);
    assert!(names(&out).is_empty());
    assert!(!staged.exists());
}

#[test]
fn what_json_does_not_have_is_refused_and_not_written_as_null() {
    #[derive(serde::Serialize)]
    struct Reading {
        sensor: &'static str,
        at: (u8, Option<f32>),
        values: Values,
    }
    #[derive(serde::Serialize)]
    struct Values {
        mean: Option<f64>,
    }
    let write = |at, mean| {
        let mut writer = JsonLinesSink::<Reading>::new("out").writer().unwrap();
        let reading = Reading { sensor: "a", at: (1, at), values: Values { mean } };
        writer.write(&mut vec![reading]).map(|()| String::from_utf8(writer.take_staged()).unwrap())
    };
    let missing = "{\"sensor\":\"a\",\"at\":[1,null],\"values\":{\"mean\":null}}\n";
    assert_eq!(write(None, None).unwrap(), missing);
    assert!(write(Some(0.5), Some(2.5)).unwrap().contains("[1,0.5]"));
    for (at, mean, what) in [
        (None, Some(f64::NAN), "field 'values.mean': NaN"),
        (Some(f32::NEG_INFINITY), None, "field 'at': -inf"),
    ] {
        let error = write(at, mean).unwrap_err();
        assert_eq!(error.code(), "SF0203");
        let told = format!("{what} is a number that JSON cannot hold");
        assert!(error.message().ends_with(&told), "{error}");
    }
}
