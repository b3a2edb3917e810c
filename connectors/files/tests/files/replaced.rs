//! Files that something happens to while they are followed, or between the look at them and their first reading.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use serde::Deserialize;
use steadfast_core::source::{PollLimit, Polled, Resumed, Source, SplitReader};
use steadfast_core::time::Timestamp;
use steadfast_files::{Csv, FileSplit, JsonLines, Replaced};

use crate::followed_logs::*;
use crate::silent_disk::SilentDisk;
use crate::support::*;

/// `rsync`, `sed -i` and editors do so; what was read already is in the new file too.
#[test]
fn a_file_that_is_written_again_while_it_is_read_is_gone_on_with() {
    for size in [3, 2_000] {
        let mut logs = Logs::new(Naming::Behind, 0);
        let mut job = Job::new(followed(&logs.folder), 1).unwrap();
        for _ in 0..4 {
            logs.write(size, true);
            job.catch_up().unwrap();
            logs.write(size, true);
            logs.rewrite();
            job.catch_up().unwrap();
        }
        job.take_checkpoint();
        logs.rewrite();
        job.die().unwrap();
        logs.write(1, false);
        job.settle().unwrap();
        assert_eq!(job.seen.records, (0..logs.written).collect::<Vec<_>>());
    }
}

/// A look sees both at once.
#[test]
fn a_file_that_was_written_again_and_copied_is_read_once() {
    let mut logs = Logs::new(Naming::Behind, 0);
    let mut job = Job::new(followed(&logs.folder), 1).unwrap();
    for _ in 0..3 {
        logs.write(2_000, false);
        job.catch_up().unwrap();
        logs.rewrite();
        logs.write(10, false);
        logs.shift();
        fs::copy(logs.path("app.log"), logs.rotated(1)).unwrap();
        job.catch_up().unwrap();
        fs::File::create(logs.path("app.log")).unwrap();
        job.catch_up().unwrap();
    }
    assert_eq!(job.seen.records, (0..logs.written).collect::<Vec<_>>());
}

/// A look sees both at once, the copy not yet whole, whichever name comes first.
#[test]
fn a_new_log_and_the_beginning_of_its_copy_are_read_once() {
    for naming in [Naming::Behind, Naming::Within] {
        let mut logs = Logs::new(naming, 0);
        let mut job = Job::new(followed(&logs.folder), 1).unwrap();
        logs.write(5_000, false);
        let bytes = fs::read(logs.path("app.log")).unwrap();
        fs::write(logs.rotated(1), &bytes[..bytes.len() / 2]).unwrap();
        job.catch_up().unwrap();
        fs::write(logs.rotated(1), &bytes).unwrap();
        fs::File::create(logs.path("app.log")).unwrap();
        logs.write(10, false);
        job.catch_up().unwrap();
        assert_eq!(job.seen.records, (0..logs.written).collect::<Vec<_>>(), "{naming:?}");
    }
}

/// A look comes while the new one is only half there.
#[test]
fn a_file_that_is_copied_over_one_that_is_gone_is_waited_for() {
    let mut logs = Logs::new(Naming::Behind, 0);
    logs.write(2_000, false);
    let mut job = Job::new(followed(&logs.folder), 1).unwrap();
    job.catch_up().unwrap();
    let path = logs.path("app.log");
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    for part in [&bytes[..bytes.len() / 2], &bytes[..], &[&bytes[..], b"2000\n"].concat()[..]] {
        let mut file = fs::File::options().append(true).create(true).open(&path).unwrap();
        let there = file.metadata().unwrap().len() as usize;
        file.write_all(&part[there..]).unwrap();
        job.catch_up().unwrap();
    }
    assert_eq!(job.seen.records, (0..2_001).collect::<Vec<_>>());
}

/// Another one that only has its name is another.
#[test]
fn what_follows_a_deleted_file_under_its_name_is_read() {
    let logs = Logs::new(Naming::Behind, 0);
    let mut job = Job::new(followed(&logs.folder), 1).unwrap();
    let path = logs.path("app.log");
    for text in ["", "1\n", "2\n", "3\n4\n", "", "5\n"] {
        fs::write(&path, text).unwrap();
        job.catch_up().unwrap();
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(job.seen.records, [1, 2, 3, 4, 5]);
}

/// The number of a deleted file is given to the next one, all between two looks.
#[test]
fn a_copy_under_the_number_of_a_finished_file_is_gone_on_with() {
    let mut logs = Logs::new(Naming::Behind, 0);
    let mut job = Job::new(followed(&logs.folder), 1).unwrap();
    for finished in [0, 3] {
        logs.write(finished, false);
        logs.rename();
        logs.write(3, false);
        job.settle().unwrap();
        logs.write(3, false);
        job.catch_up().unwrap();
        logs.write(1, false);
        // Written into the file that is there, as if its number had been given again.
        fs::write(logs.rotated(1), fs::read(logs.path("app.log")).unwrap()).unwrap();
        fs::File::create(logs.path("app.log")).unwrap();
        job.take_checkpoint();
        logs.write(1, false);
        // The reader comes before the look.
        job.read(1000).unwrap();
        job.settle().unwrap();
        assert_eq!(job.seen.records, (0..logs.written).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_being_compressed_while_a_job_starts_is_no_other_file() {
    for was_read in [false, true] {
        let mut logs = Logs::new(Naming::Behind, 0);
        let mut job = Job::new(followed(&logs.folder), 1).unwrap();
        logs.write(3_000, false);
        if was_read {
            job.step(100).unwrap();
            assert!(!job.seen.records.is_empty());
        }
        job.take_checkpoint();
        logs.rename();
        let text = fs::read(logs.rotated(1)).unwrap();
        let whole = packed(&logs.compressed(1), &text);
        fs::write(logs.compressed(1), &whole[..whole.len() / 2]).unwrap();
        job.die().unwrap();
        job.catch_up().unwrap();
        fs::write(logs.compressed(1), &whole).unwrap();
        job.catch_up().unwrap();
        fs::remove_file(logs.rotated(1)).unwrap();
        job.settle().unwrap();
        assert_eq!(job.seen.records, (0..logs.written).collect::<Vec<_>>());
    }
}

/// A rotation that comes between a start's look at the files and its comparing them.
#[test]
fn a_rotation_in_the_middle_of_a_start_stops_nobody() {
    let rotations: [fn(&mut Logs); 3] = [
        |logs| logs.rename(),
        |logs| {
            fs::copy(logs.path("app.log"), logs.rotated(1)).unwrap();
            fs::File::create(logs.path("app.log")).unwrap();
        },
        |logs| {
            logs.rename();
            logs.compress();
        },
    ];
    for rotation in rotations {
        let disk = Arc::new(SilentDisk::default());
        let logs = Logs::new(Naming::Behind, 0);
        let (on_disk, source) = (Arc::clone(&disk), followed(&logs.folder));
        let mut job = Job::new(move || source().on_disk(on_disk.clone()), 1).unwrap();
        let logs = Arc::new(Mutex::new(logs));
        logs.lock().unwrap().write(1_000, false);
        job.catch_up().unwrap();
        logs.lock().unwrap().write(1_000, false);
        job.take_checkpoint();
        let rotated = Arc::clone(&logs);
        let happens = move || rotation(&mut rotated.lock().unwrap());
        *disk.before_open.lock().unwrap() = Some(Box::new(happens));
        job.die().unwrap();
        logs.lock().unwrap().write(1, false);
        job.settle().unwrap();
        let mut seen = job.seen.records;
        seen.sort_unstable();
        assert_eq!(seen, (0..2_001).collect::<Vec<_>>());
    }
}

/// A rotation that comes between a start's look at the files and its opening them.
#[test]
fn a_rotation_before_files_are_opened_stops_nobody() {
    for case in 0..16 {
        let [finished, half, copied, shifted] = [1, 2, 4, 8].map(|bit| case & bit != 0);
        // Half a line that has become old counts as one.
        let half = half && !finished;
        let mut logs = Logs::new(Naming::Behind, 0);
        let mut job = Job::new(followed(&logs.folder), case).unwrap();
        logs.write(1_000, half);
        job.catch_up().unwrap();
        if finished {
            job.settle().unwrap();
        } else {
            logs.write(1_000, half);
        }
        job.take_checkpoint();
        let half_compressed = |logs: &Logs| {
            let text = fs::read(logs.rotated(1)).unwrap();
            let whole = packed(&logs.compressed(1), &text);
            fs::write(logs.compressed(1), &whole[..whole.len() / 2]).unwrap();
            whole
        };
        if copied {
            job.die().unwrap();
            logs.shift();
            fs::copy(logs.path("app.log"), logs.rotated(1)).unwrap();
            fs::File::create(logs.path("app.log")).unwrap();
        } else {
            logs.rename();
            let whole = half_compressed(&logs);
            job.die().unwrap();
            fs::write(logs.compressed(1), whole).unwrap();
            fs::remove_file(logs.rotated(1)).unwrap();
        }
        if shifted {
            logs.write(1, false);
            logs.rename();
        }
        logs.write(1, false);
        job.settle().unwrap();
        let mut seen = job.seen.records;
        seen.sort_unstable();
        assert_eq!(seen, (0..logs.written).collect::<Vec<_>>(), "{finished} {half} {copied}");
    }
}

/// Its reader may have read it before it was truncated, and not have said so.
#[test]
fn a_copy_of_what_nothing_was_read_of_waits_for_what_its_reader_says() {
    for is_read in [false, true] {
        let mut logs = Logs::new(Naming::Within, 0);
        let mut job = Job::new(followed(&logs.folder), 1).unwrap();
        logs.write(3, false);
        let found = job.discovery.poll(job.now).unwrap().splits.remove(0);
        let mut reader = job.source.open(found, Waker::noop()).unwrap();
        fs::copy(logs.path("app.log"), logs.rotated(1)).unwrap();
        if !is_read {
            fs::File::create(logs.path("app.log")).unwrap();
        }
        assert!(job.discovery.poll(job.now).unwrap().splits.is_empty());
        for _ in 0..3 {
            // It has come to its end, and is asked.
            reader.poll(PollLimit::records(10), job.now, &mut job.seen).unwrap();
        }
        let found = job.discovery.poll(job.now).unwrap().splits;
        assert_eq!(found.len(), usize::from(!is_read));
        job.waiting.extend(found.into_iter().map(|split| (split, false)));
        fs::File::create(logs.path("app.log")).unwrap();
        job.active.push(reader);
        job.catch_up().unwrap();
        assert_eq!(job.seen.records, [0, 1, 2]);
    }
}

#[test]
fn a_compressed_file_that_is_read_may_get_more() {
    let logs = Logs::new(Naming::Behind, 0);
    let mut job = Job::new(followed(&logs.folder), 1).unwrap();
    let path = logs.path("app.log.gz");
    for line in 0..6 {
        append(&path, format!("{line}\n").as_bytes());
        if line == 2 {
            job.take_checkpoint();
            job.die().unwrap();
        }
        job.catch_up().unwrap();
        job.now = Timestamp(job.now.0 + 2_000);
        job.catch_up().unwrap();
        assert_eq!(job.seen.records, (0..=line).collect::<Vec<_>>());
    }
    assert!(job.ended.is_empty(), "it is not old");
}

#[test]
fn a_split_is_named_for_people() {
    let folder = Folder::new();
    let path = folder.write("in.jsonl", "1\n2\n").canonicalize().unwrap();
    let whole = JsonLines::<u64>::new([&path]);
    assert_eq!(whole.describe_split(&first_split(&whole)), path.display().to_string());
    let parts = JsonLines::<u64>::new([&path]).split_bytes(2);
    let part = format!("{}, bytes 0 to 2", path.display());
    assert_eq!(parts.describe_split(&first_split(&parts)), part);
}

/// Event time waits for files that are open.
#[test]
fn a_renamed_log_is_closed_soon_after_its_successor_was_begun() {
    for copied in [false, true] {
        let mut logs = Logs::new(Naming::Within, 0);
        let mut job = Job::new(followed(&logs.folder), 1).unwrap();
        logs.write(3, false);
        job.catch_up().unwrap();
        if copied {
            fs::copy(logs.path("app.log"), logs.rotated(1)).unwrap();
            fs::File::create(logs.path("app.log")).unwrap();
        } else {
            logs.rename();
        }
        job.catch_up().unwrap();
        job.now = Timestamp(job.now.0 + 60_000);
        job.catch_up().unwrap();
        assert!(job.ended.is_empty(), "nobody writes to another");
        logs.write(1, false);
        job.now = Timestamp(job.now.0 + 11_000);
        job.catch_up().unwrap();
        job.now = Timestamp(job.now.0 + 11_000);
        job.catch_up().unwrap();
        let ended: Vec<_> = job.ended.iter().map(|split| split.path.clone()).collect();
        assert_eq!(ended, [logs.rotated(1).canonicalize().unwrap()]);
        // Whoever writes to the old one all the same is heard.
        append(&logs.rotated(1), b"7\n");
        job.catch_up().unwrap();
        assert_eq!(job.seen.records, [0, 1, 2, 3, 7]);
    }
}

#[test]
#[cfg(unix)]
fn a_link_is_followed_to_where_it_leads_now() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    for (day, line) in [("monday", "1\n"), ("tuesday", "2\n")] {
        fs::create_dir(folder.path(day)).unwrap();
        fs::write(folder.path(day).join("app.log"), line).unwrap();
    }
    let (file, dir) = (folder.path("current.log"), folder.path("current"));
    for given in [file.clone(), dir.join("app.log"), dir.join("*.log"), dir.clone()] {
        let point_to = |day: &str| {
            let _ = (fs::remove_file(&file), fs::remove_file(&dir));
            symlink(folder.path(day).join("app.log"), &file).unwrap();
            symlink(folder.path(day), &dir).unwrap();
        };
        point_to("monday");
        let one = given.clone();
        let make = move || JsonLines::new([one.clone()]).follow().look_every(Duration::ZERO);
        let mut job = Job::new(make, 1).unwrap();
        job.catch_up().unwrap();
        point_to("tuesday");
        job.catch_up().unwrap();
        assert_eq!(job.seen.records, [1, 2], "{}", given.display());
    }
}

fn first_split<S: Source<Split = FileSplit>>(source: &S) -> FileSplit {
    source.plan(Resumed::default(), 1).unwrap().splits.remove(0).split
}

/// It would be cut off at the length of the one that was looked at.
#[test]
fn a_file_that_is_replaced_between_the_look_and_its_first_reading_is_read_to_its_end() {
    for name in ["in.jsonl", "in.jsonl.gz", "in.csv"] {
        let folder = Folder::new();
        let path = folder.write(name, "1\n2\n");
        let replace = || {
            fs::write(folder.path("other"), packed(&path, b"3\n4\n5\n6\n")).unwrap();
            // Both may have been written in one tick of the clock.
            let other = fs::File::options().write(true).open(folder.path("other")).unwrap();
            other.set_modified(std::time::UNIX_EPOCH).unwrap();
            fs::rename(folder.path("other"), &path).unwrap();
        };
        let read = |source: &dyn Fn(FileSplit) -> (Vec<u64>, FileSplit), planned: FileSplit| {
            replace();
            let (records, split) = source(planned);
            assert_eq!(records, [3, 4, 5, 6], "{name}");
            assert_eq!(split.end, Some(split.next), "{name}");
        };
        let lines = JsonLines::<u64>::new([&path]);
        let rows = Csv::<Row>::new([&path]).without_header(["number"]);
        let planned = first_split(&lines);
        match name {
            "in.csv" => read(&|split| read_split(&rows, split, |row| row.number), planned),
            _ => read(&|split| read_split(&lines, split, |number| number), planned),
        }
    }
    // Other parts may have been read already.
    let folder = Folder::new();
    let path = folder.write("in.jsonl", "1\n2\n");
    let parts = JsonLines::<u64>::new([&path]).split_bytes(2);
    let planned = first_split(&parts);
    fs::write(folder.path("other"), "3\n4\n5\n6\n").unwrap();
    fs::rename(folder.path("other"), &path).unwrap();
    let error = parts.open(planned, Waker::noop()).err().unwrap();
    assert_eq!(error.code(), "SF0322", "{error}");
    assert!(error.to_string().contains("start the job again"), "{error}");
    // One that has grown meanwhile is read up to where it was.
    let lines = JsonLines::<u64>::new([&path]);
    let planned = first_split(&lines);
    append(&path, b"7\n");
    assert_eq!(read_split(&lines, planned, |number| number).0, [3, 4, 5, 6]);
}

#[derive(Deserialize)]
struct Row {
    number: u64,
}

fn read_split<S: Source<Split = FileSplit>>(
    source: &S,
    split: FileSplit,
    number: impl Fn(S::Item) -> u64,
) -> (Vec<u64>, FileSplit) {
    let (mut seen, mut reader) = (Seen::new(), source.open(split, Waker::noop()).unwrap());
    while reader.poll(PollLimit::records(2), NOW, &mut seen).unwrap() != Polled::End {}
    (seen.records.into_iter().map(number).collect(), reader.split())
}

#[test]
fn the_rest_of_a_line_that_was_too_long_is_no_line_of_a_copy() {
    let logs = Logs::new(Naming::Behind, 0);
    let make = followed(&logs.folder);
    let mut job = Job::new(move || make().longest_line(10), 1).unwrap();
    logs.append(&format!("1\n{}", "9".repeat(30)));
    job.catch_up().unwrap();
    logs.append("12\n2\n");
    fs::copy(logs.path("app.log"), logs.rotated(1)).unwrap();
    fs::write(logs.path("app.log"), "3\n").unwrap();
    job.catch_up().unwrap();
    assert_eq!(job.seen.records, [1, 2, 3]);
}

#[test]
fn what_is_new_for_a_user_is_gone_on_with_when_its_folder_is_back() {
    let folder = Folder::new();
    let inner = folder.path("in");
    fs::create_dir(&inner).unwrap();
    let (log, given) = (inner.join("app.log"), inner.join("app.log*"));
    fs::write(&log, "1\n2\n3\n").unwrap();
    let make = move || {
        let source = JsonLines::new([given.clone()]).follow().look_every(Duration::ZERO);
        source.replaced_files(Replaced::AreNew)
    };
    let mut job = Job::new(make, 1).unwrap();
    job.catch_up().unwrap();
    job.take_checkpoint();
    fs::rename(&inner, folder.path("away")).unwrap();
    for _ in 0..2 {
        job.die().unwrap();
        job.catch_up().unwrap();
        job.take_checkpoint();
    }
    fs::rename(folder.path("away"), &inner).unwrap();
    append(&log, b"4\n");
    job.catch_up().unwrap();
    assert_eq!(job.seen.records, [1, 2, 3, 4]);
}

/// As `logrotate` does with the oldest one, between two runs that have an end.
#[test]
fn a_rotation_that_drops_the_oldest_log_is_no_replacement() {
    let folder = Folder::new();
    let number = |number: usize| folder.path(&format!("app.log.{number}"));
    let source = || JsonLines::<u64>::new([folder.path("app.log*")]);
    let (mut stops, mut seen) = (Stops::default(), Seen::new());
    for day in 0..6 {
        let _ = fs::remove_file(number(3));
        for older in (1..3).rev() {
            let _ = fs::rename(number(older), number(older + 1));
        }
        let _ = fs::rename(folder.path("app.log"), number(1));
        let lines: String =
            (day * 2_000..(day + 1) * 2_000).map(|line| format!("{line}\n")).collect();
        fs::write(folder.path("app.log"), lines).unwrap();
        let (mut dice, source) = (Dice(1), source());
        (stops, _) = run(&source, stops, 1, usize::MAX, &mut dice, &mut seen).unwrap();
        stops.remember(&source, &mut dice);
    }
    seen.records.sort_unstable();
    assert_eq!(seen.records, (0..12_000).collect::<Vec<_>>());
}

#[cfg(unix)]
#[test]
fn what_a_link_led_to_is_gone_on_with_at_the_next_start() {
    for is_stopped in [false, true] {
        let folder = Folder::new();
        let (link, given) = (folder.path("current.log"), folder.path("current.log"));
        let lead = |to: &str| {
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(folder.path(to), &link).unwrap();
        };
        fs::create_dir(folder.path("days")).unwrap();
        fs::write(folder.path("days/1.log"), "1\n2\n").unwrap();
        fs::write(folder.path("days/2.log"), "4\n").unwrap();
        lead("days/1.log");
        let make = move || JsonLines::new([given.clone()]).follow().look_every(Duration::ZERO);
        let mut job = Job::new(make, 1).unwrap();
        job.catch_up().unwrap();
        if is_stopped {
            job.take_checkpoint();
        }
        append(&folder.path("days/1.log"), b"3\n");
        lead("days/2.log");
        if !is_stopped {
            job.catch_up().unwrap();
            job.take_checkpoint();
        }
        job.die().unwrap();
        job.catch_up().unwrap();
        job.seen.records.sort_unstable();
        assert_eq!(job.seen.records, [1, 2, 3, 4]);
    }
}

#[test]
fn an_empty_log_that_is_renamed_while_the_job_is_down_is_read() {
    let folder = Folder::new();
    fs::write(folder.path("app.log"), "").unwrap();
    let given = folder.path("");
    let make = move || JsonLines::new([given.clone()]).follow().look_every(Duration::ZERO);
    let mut job = Job::new(make, 1).unwrap();
    job.catch_up().unwrap();
    job.take_checkpoint();
    fs::rename(folder.path("app.log"), folder.path("yesterday")).unwrap();
    append(&folder.path("yesterday"), b"1\n");
    job.die().unwrap();
    job.catch_up().unwrap();
    assert_eq!(job.seen.records, [1]);
}

/// Exports that are numbered or dated look like rotations of one another.
#[test]
fn compressed_files_that_begin_alike_are_several() {
    for (name, header_only) in [("gz", true), ("zst", true), ("gz", false)] {
        let folder = Folder::new();
        let header: String = (0..5_000).map(|line| format!("{line}\n")).collect();
        let export = |day: u64| folder.path(&format!("export-2026-11-2{day}.jsonl.{name}"));
        let text = |day: u64| match (day, header_only) {
            (0, true) => header.clone(),
            _ => format!("{header}{}\n", 100_000 + day),
        };
        let given = folder.path("");
        let make = move || JsonLines::new([given.clone()]).follow().look_every(Duration::ZERO);
        let mut job = Job::new(make, 1).unwrap();
        for day in 0..3 {
            fs::write(export(day), packed(&export(day), text(day).as_bytes())).unwrap();
            job.settle().unwrap();
            let days = (u64::from(header_only)..=day).filter(|_| !header_only || day > 0).count();
            assert_eq!(job.seen.records.len(), 5_000 * (day as usize + 1) + days, "{name}");
        }
    }
}

/// `rotate 1`: the one before is deleted, and each begins with the same banner.
#[test]
fn a_log_that_begins_as_a_deleted_one_is_read() {
    let folder = Folder::new();
    let (log, old) = (folder.path("app.log"), folder.path("app.log.1"));
    let banner: String = (0..2_000).map(|line| format!("{line}\n")).collect();
    let mut job = Job::new(followed(&folder), 1).unwrap();
    let mut expected = 0;
    for day in 0..4_usize {
        let text = format!("{banner}{}", "7\n".repeat(100 - 20 * day));
        fs::write(&log, &text).unwrap();
        expected += text.lines().count();
        job.settle().unwrap();
        assert_eq!(job.seen.records.len(), expected, "day {day}");
        let _ = fs::remove_file(&old);
        fs::rename(&log, &old).unwrap();
    }
}

/// One for each day; the number of yesterday's passes to that of today before anybody has looked.
#[test]
fn a_log_that_was_compressed_is_known_whoever_has_its_number() {
    let folder = Folder::new();
    let mut job = Job::new(followed(&folder), 1).unwrap();
    let name = |day: u64| folder.path(&format!("app.log-2026112{day}"));
    let lines = |day: u64| -> String {
        (day * 2_000..(day + 1) * 2_000).map(|line| format!("{line}\n")).collect()
    };
    for day in 0..5_u64 {
        if let Some(yesterday) = day.checked_sub(1) {
            let compressed = folder.path(&format!("app.log-2026112{yesterday}.gz"));
            fs::write(&compressed, packed(&compressed, lines(yesterday).as_bytes())).unwrap();
            fs::remove_file(name(yesterday)).unwrap();
        }
        fs::write(name(day), lines(day)).unwrap();
        job.settle().unwrap();
    }
    assert_eq!(job.seen.records, (0..10_000).collect::<Vec<_>>());
}

#[test]
fn a_copy_that_was_made_by_hand_stays_one_when_its_original_is_rotated() {
    for naming in [Naming::Behind, Naming::Within] {
        let mut logs = Logs::new(naming, 0);
        logs.write(2_000, false);
        let mut job = Job::new(followed(&logs.folder), 1).unwrap();
        job.catch_up().unwrap();
        fs::copy(logs.path("app.log"), logs.path("app.log.bak")).unwrap();
        job.catch_up().unwrap();
        logs.shift();
        fs::rename(logs.path("app.log"), logs.rotated(1)).unwrap();
        logs.write(10, false);
        job.settle().unwrap();
        assert_eq!(job.seen.records, (0..logs.written).collect::<Vec<_>>(), "{naming:?}");
    }
}

/// `gzip` deletes what it has compressed while a look compares the two.
#[test]
fn an_original_that_is_deleted_in_the_middle_of_a_look_is_gone_on_with() {
    for opens in 0..12 {
        let mut logs = Logs::new(Naming::Behind, 0);
        let disk = Arc::new(SilentDisk::default());
        let (make, of_job) = (followed(&logs.folder), Arc::clone(&disk));
        let mut job = Job::new(move || make().on_disk(Arc::clone(&of_job) as _), 1).unwrap();
        logs.write(3_000, false);
        job.catch_up().unwrap();
        logs.shift();
        fs::rename(logs.path("app.log"), logs.rotated(1)).unwrap();
        logs.write(10, false);
        job.catch_up().unwrap();
        let (plain, compressed) = (logs.rotated(1), logs.compressed(1));
        fs::write(&compressed, packed(&compressed, &fs::read(&plain).unwrap())).unwrap();
        job.step(1000).unwrap();
        remove_after(&disk, opens, plain);
        job.settle().unwrap();
        assert_eq!(job.seen.records, (0..logs.written).collect::<Vec<_>>(), "{opens} opens");
    }
}

/// Deletes a file when so many others have been opened.
fn remove_after(disk: &Arc<SilentDisk>, opens: u32, path: PathBuf) {
    let then = Arc::clone(disk);
    *disk.before_open.lock().unwrap() = Some(Box::new(move || match opens {
        0 => fs::remove_file(path).unwrap(),
        _ => remove_after(&then, opens - 1, path),
    }));
}
