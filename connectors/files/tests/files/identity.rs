//! Which file is which: by what was read of it, whatever it is called.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use steadfast_core::source::{Resumed, Source};
use steadfast_core::{Error, ErrorKind};
use steadfast_files::{Csv, FileSplit, JsonLines, Replaced};

use crate::support::*;

/// Lines that no other file of the test has.
fn lines(of: u64, count: u64) -> String {
    (0..count).map(|line| format!("{}\n", of * 1_000_000 + line)).collect()
}

fn source(paths: &[PathBuf]) -> JsonLines<u64> {
    JsonLines::new(paths)
}

fn one(path: &Path) -> JsonLines<u64> {
    JsonLines::new([path])
}

/// Reads `lines` of what there is and stops there.
fn read_some(source: &JsonLines<u64>, lines: usize) -> Stops {
    let mut seen = Seen::new();
    let status = source.splits(Vec::new(), 1).unwrap().remove(0);
    let mut reader = source.open(status.split, std::task::Waker::noop()).unwrap();
    use steadfast_core::source::{PollLimit, SplitReader, SplitStatus};
    reader.poll(PollLimit::records(lines), NOW, &mut seen).unwrap();
    assert_eq!(seen.records.len(), lines);
    vec![stored(&SplitStatus { split: reader.split(), finished: false, done: 0 })].into()
}

/// Reads everything; what is finished is remembered in a few bytes.
fn read_all(source: &JsonLines<u64>) -> Stops {
    let (_, splits) = read_on(source, Vec::new()).unwrap();
    let finished = splits.iter().map(|split| source.remember(split).unwrap()).collect();
    Stops { finished, ..Stops::default() }
}

/// What is read from there on.
fn read_rest(source: &JsonLines<u64>, stops: Stops) -> Result<Vec<u64>, Error> {
    let mut seen = Seen::new();
    run(source, stops, 1, usize::MAX, &mut Dice(1), &mut seen)?;
    assert!(seen.bad.is_empty());
    Ok(seen.records)
}

/// Small ones are told apart by all of their bytes, large ones by their first and last ones.
const SIZES: [u64; 2] = [20, 5_000];

fn numbers(of: u64, from: u64, to: u64) -> Vec<u64> {
    (from..to).map(|line| of * 1_000_000 + line).collect()
}

#[test]
fn a_file_that_was_renamed_is_gone_on_with() {
    for size in SIZES {
        let folder = Folder::new();
        let [old, new] = ["app.log", "2026.log"].map(|name| folder.path(name));
        fs::write(&old, lines(1, size)).unwrap();
        let half_read = read_some(&one(&old), 10);
        let all_read = read_all(&one(&old));
        fs::rename(&old, &new).unwrap();
        // Another file has its name by now.
        fs::write(&old, lines(2, size)).unwrap();
        let both = source(&[old.clone(), new.clone()]);
        let mut rest = read_rest(&both, half_read).unwrap();
        rest.sort_unstable();
        let second = numbers(2, 0, size);
        assert_eq!(rest, [numbers(1, 10, size), second.clone()].concat());
        assert_eq!(read_rest(&both, all_read).unwrap(), second);
    }
}

#[test]
fn a_file_that_was_rotated_by_copying_is_gone_on_with() {
    for size in SIZES {
        let folder = Folder::new();
        let [old, copy] = ["app.log", "app.log.1"].map(|name| folder.path(name));
        fs::write(&old, lines(1, size)).unwrap();
        let half_read = read_some(&one(&old), 10);
        let all_read = read_all(&one(&old));
        fs::copy(&old, &copy).unwrap();
        fs::write(&old, lines(2, 30)).unwrap();
        let both = source(&[folder.path("app.log*")]);
        let mut rest = read_rest(&both, half_read).unwrap();
        rest.sort_unstable();
        assert_eq!(rest, [numbers(1, 10, size), numbers(2, 0, 30)].concat());
        assert_eq!(read_rest(&both, all_read).unwrap(), numbers(2, 0, 30));
    }
}

#[test]
fn a_file_that_was_compressed_after_its_rotation_is_not_read_again() {
    let folder = Folder::new();
    let [old, rotated] = ["app.log", "app.log.1.gz"].map(|name| folder.path(name));
    for size in SIZES {
        fs::write(&old, lines(1, size)).unwrap();
        let all_read = read_all(&one(&old));
        let half_read = read_some(&one(&old), 10);
        fs::write(&rotated, gzip(lines(1, size).as_bytes())).unwrap();
        fs::remove_file(&old).unwrap();
        let both = source(&[folder.path("app.log*")]);
        assert_eq!(read_rest(&both, all_read).unwrap(), Vec::<u64>::new());
        assert_eq!(read_rest(&both, half_read).unwrap(), numbers(1, 10, size));
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What is done to a file that was read, and what is said of it.
type Mischief = (&'static str, fn(&Path, u64), &'static str);

const MISCHIEF: [Mischief; 4] = [
    ("replaced", |path, size| fs::write(path, lines(2, size)).unwrap(), "has changed"),
    ("shortened", |path, _| fs::write(path, lines(1, 5)).unwrap(), "has become shorter"),
    (
        "changed at its beginning",
        |path, size| {
            let text = lines(1, size).replacen("1000001", "1000009", 1);
            fs::write(path, text).unwrap();
        },
        "has changed",
    ),
    (
        "replaced under another number",
        |path, size| {
            let other = path.with_extension("other");
            fs::write(&other, lines(2, size + 1)).unwrap();
            fs::rename(other, path).unwrap();
        },
        "has changed",
    ),
];

#[test]
fn a_file_that_is_not_the_one_that_was_read_is_refused_or_counts_as_new() {
    for size in SIZES {
        for (what, mischief, said) in MISCHIEF {
            let folder = Folder::new();
            let path = folder.path("app.log");
            fs::write(&path, lines(1, size)).unwrap();
            let half_read = read_some(&one(&path), 10);
            let all_read = read_all(&one(&path));
            mischief(&path, size);
            for stops in [half_read, all_read] {
                let error = read_rest(&one(&path), stops.clone()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Configuration, "{what}: {error}");
                let text = error.to_string();
                assert!(text.contains(said) && text.contains("app.log"), "{what}: {error}");
                assert!(text.contains("--reset") && text.contains("AreNew"), "{what}: {error}");
                let lenient = one(&path).replaced_files(Replaced::AreNew);
                let expected = fs::read_to_string(&path).unwrap();
                let expected: Vec<u64> =
                    expected.lines().map(|line| line.parse().unwrap()).collect();
                assert_eq!(read_rest(&lenient, stops).unwrap(), expected, "{what}");
            }
        }
    }
}

#[test]
fn a_file_that_was_copied_back_is_the_same() {
    for size in SIZES {
        let folder = Folder::new();
        let [path, saved] = ["app.log", "saved"].map(|name| folder.path(name));
        fs::write(&path, lines(1, size)).unwrap();
        let half_read = read_some(&one(&path), 10);
        let all_read = read_all(&one(&path));
        fs::copy(&path, &saved).unwrap();
        fs::remove_file(&path).unwrap();
        fs::rename(&saved, &path).unwrap();
        assert_eq!(read_rest(&one(&path), half_read).unwrap(), numbers(1, 10, size));
        let again = one(&path);
        let planned =
            again.plan(Resumed { splits: vec![], finished: all_read.finished }, 1).unwrap();
        assert!(planned.splits.is_empty() && planned.finished.len() == 1);
        assert_eq!(planned.done, fs::metadata(&path).unwrap().len());
    }
}

#[test]
fn two_files_that_are_there_together_are_two_whatever_they_hold() {
    for size in SIZES {
        let folder = Folder::new();
        let paths = ["a.log", "b.log"].map(|name| folder.path(name));
        fs::write(&paths[0], lines(1, size)).unwrap();
        let all_read = read_all(&source(&paths[..1]));
        fs::copy(&paths[0], &paths[1]).unwrap();
        let expected = numbers(1, 0, size);
        assert_eq!(read_rest(&source(&paths), all_read).unwrap(), expected);
        let twice = read_rest(&source(&paths), Stops::default()).unwrap();
        assert_eq!(twice, [expected.clone(), expected].concat());
    }
}

#[test]
fn one_file_under_several_names_is_one() {
    let folder = Folder::new();
    let [path, link, hard] = ["a.log", "link.log", "hard.log"].map(|name| folder.path(name));
    fs::write(&path, lines(1, 20)).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    fs::hard_link(&path, &hard).unwrap();
    let dotted =
        folder.0.path().join("../").join(folder.0.path().file_name().unwrap()).join("a.log");
    for paths in [vec![path.clone(), link, hard, dotted], vec![folder.path("*.log")]] {
        assert_eq!(read_rest(&source(&paths), Stops::default()).unwrap(), numbers(1, 0, 20));
    }
}

#[test]
fn links_in_a_folder_are_what_they_lead_to() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    fs::write(elsewhere.path("a.log"), lines(1, 20)).unwrap();
    std::os::unix::fs::symlink(elsewhere.path("a.log"), folder.path("a.log")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path("gone.log"), folder.path("b.log")).unwrap();
    std::os::unix::fs::symlink(elsewhere.0.path(), folder.path("c.log")).unwrap();
    for path in [folder.0.path().to_path_buf(), folder.path("*.log")] {
        assert_eq!(read_rest(&source(&[path]), Stops::default()).unwrap(), numbers(1, 0, 20));
    }
}

#[test]
fn a_path_need_not_be_text() {
    use std::os::unix::ffi::OsStringExt;

    let folder = Folder::new();
    let odd = std::ffi::OsString::from_vec(b"\xffodd.jsonl".to_vec());
    let odd = folder.0.path().join(odd);
    fs::write(&odd, lines(1, 20)).unwrap();
    let half_read = read_some(&one(&odd), 10);
    assert_eq!(read_rest(&one(&odd), half_read).unwrap(), numbers(1, 10, 20));
    assert_eq!(read_rest(&source(&[folder.path("*.jsonl")]), Stops::default()).unwrap().len(), 20);
}

#[test]
fn a_folder_is_all_its_files_but_hidden_ones() {
    let folder = Folder::new();
    for (name, of) in [("a", 1), ("b", 2), (".hidden", 3)] {
        fs::write(folder.path(name), lines(of, 2)).unwrap();
    }
    fs::create_dir(folder.path("c")).unwrap();
    let mut all = read_rest(&source(&[folder.0.path().into()]), Stops::default()).unwrap();
    all.sort_unstable();
    assert_eq!(all, [numbers(1, 0, 2), numbers(2, 0, 2)].concat());
}

/// It would be read as if it were empty.
#[test]
fn a_pipe_is_no_file_and_refused() {
    let folder = Folder::new();
    let pipe = folder.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let error = source(&[pipe]).splits(Vec::new(), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(
        error.to_string().contains("pipe") && error.to_string().contains("LineStream"),
        "{error}"
    );
}

#[test]
fn ten_thousand_finished_files_are_few_bytes_and_are_not_opened_again() {
    let folder = Folder::new();
    let count = 10_000;
    for file in 0..count {
        fs::write(folder.path(&format!("{file:05}.log")), lines(file, 3)).unwrap();
    }
    let all = source(&[folder.path("*.log")]);
    let stops = read_all(&all);
    assert_eq!(stops.finished.len(), count as usize);
    assert!(stops.finished.iter().all(|finished| finished.0.len() == 40));
    let resumed = Resumed { splits: Vec::new(), finished: stops.finished.clone() };
    let planned = all.plan(resumed, 1).unwrap();
    assert!(planned.splits.is_empty());
    assert_eq!(planned.finished.len(), stops.finished.len());
}

/// What `cp -p`, `rsync -t` and `tar` do.
#[test]
fn a_finished_file_that_has_changed_and_has_its_old_time_is_opened() {
    let set_time = |path: &Path, time| {
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    for name in ["in.jsonl.gz", "in.jsonl.zst"] {
        let folder = Folder::new();
        let path = folder.write(name, lines(1, 5_000));
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let all_read = read_all(&one(&path));
        append(&path, b"7\n");
        set_time(&path, modified);
        assert_eq!(read_rest(&one(&path), all_read.clone()).unwrap(), [7]);
        // As long as it was, and another.
        folder.write(name, lines(1, 5_000).replace('1', "2"));
        set_time(&path, modified);
        let error = read_rest(&one(&path), all_read).unwrap_err();
        assert_eq!(error.code(), "SF0322", "{error}");
    }
}

/// The time of its last change can be set, that of the change of anything about it cannot.
#[test]
fn a_finished_file_that_was_changed_unseen_is_refused_before_it_is_read_on() {
    for size in SIZES {
        let folder = Folder::new();
        let path = folder.path("in.jsonl");
        fs::write(&path, lines(1, size)).unwrap();
        let all_read = read_all(&one(&path));
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, lines(2, size)).unwrap();
        // Its time alone tells.
        let error = read_rest(&one(&path), all_read.clone()).unwrap_err();
        assert_eq!(error.code(), "SF0322", "{error}");
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        let error = read_rest(&one(&path), all_read.clone()).unwrap_err();
        assert_eq!(error.code(), "SF0322", "{error}");
        append(&path, b"7\n");
        // Whatever its time is.
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        let error = read_rest(&one(&path), all_read).unwrap_err();
        assert_eq!(error.code(), "SF0322", "{error}");
    }
}

/// Only its contents far behind the beginning tell.
#[test]
fn a_compressed_file_that_was_replaced_by_one_that_begins_alike_is_refused() {
    for name in ["in.jsonl.gz", "in.jsonl.zst"] {
        let folder = Folder::new();
        let path = folder.write(name, lines(1, 5_000));
        let all_read = read_all(&one(&path));
        folder.write(name, lines(1, 1_000) + &lines(2, 9_000));
        let error = read_rest(&one(&path), all_read.clone()).unwrap_err();
        assert_eq!(error.code(), "SF0322", "{error}");
        // One that ends before.
        folder.write(name, lines(1, 1_000));
        let error = read_rest(&one(&path), all_read.clone()).unwrap_err();
        assert_eq!(error.code(), "SF0322", "{error}");
        folder.write(name, lines(1, 6_000));
        assert_eq!(read_rest(&one(&path), all_read).unwrap(), numbers(1, 5_000, 6_000));
    }
}

/// What is remembered of a file that has grown must fit the file, too: it is compared when it was touched.
#[test]
fn a_file_that_grew_and_was_touched_is_the_same() {
    fn check<S: Source<Split = FileSplit>>(source: &S, path: &Path, rows: impl Fn(u64) -> String) {
        let mut stops = Stops::default();
        for round in 0..3 {
            append(path, rows(round).as_bytes());
            let mut seen = Seen::new();
            let (read, _) = run(source, stops, 1, usize::MAX, &mut Dice(round), &mut seen).unwrap();
            assert_eq!(seen.records.len(), 3_000, "{}, round {round}", path.display());
            let finished =
                read.splits.iter().map(|split| source.remember(split).unwrap()).collect();
            stops = Stops { finished, ..Stops::default() };
            // Another stamp, and the same contents.
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
            let resumed = Resumed { splits: Vec::new(), finished: stops.finished.clone() };
            source.plan(resumed, 1).unwrap();
        }
    }
    #[derive(Deserialize)]
    struct Row {
        #[serde(rename = "number")]
        _number: u64,
    }
    let folder = Folder::new();
    for packing in ["", ".gz", ".zst"] {
        let path = folder.write(&format!("in.jsonl{packing}"), "");
        check(&one(&path), &path, |round| lines(round + 1, 3_000));
        let path = folder.write(&format!("in.csv{packing}"), "");
        let rows = |round| lines(round + 1, 3_000);
        check(&Csv::<Row>::new([&path]).without_header(["number"]), &path, rows);
    }
}
