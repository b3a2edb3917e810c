//! Input that is not what it should be, as users of a job meet it: real processes, real files.

mod process;

use std::fs;
use std::io::Write;

use process::Folder;

const FAIL: [&str; 6] = ["run", "--quiet", "--bad-input", "fail", "--parallelism", "1"];

/// The message goes to a terminal: what somebody has put into the input must do nothing there.
#[test]
fn control_characters_of_input_reach_no_terminal() {
    let folder = Folder::of("payments");
    let line = "{\"event_id\":\"\u{1b}[2J\u{9b}\u{202e}gone\"}\n";
    fs::write(folder.path("in.jsonl"), line).unwrap();
    let ended = folder.job(&[&FAIL[..], &["--input", "in.jsonl"]].concat()).exits(4);
    let shown = "in.jsonl: line 1, byte 0: ";
    assert!(ended.err.contains(shown) && ended.err.contains("[SF01"), "{}", ended.err);
    assert!(ended.err.contains("\\u{1b}[2J\\u{9b}\\u{202e}gone"), "{}", ended.err);
    assert!(!ended.err.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{:?}", ended.err);
}

#[test]
fn a_file_that_is_cut_off_is_bad_input_and_no_damaged_checkpoint() {
    let folder = Folder::of("payments");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    for number in 0..1000 {
        writeln!(gzip, "{{\"no\":{number}}}").unwrap();
    }
    let bytes = gzip.finish().unwrap();
    fs::write(folder.path("in.jsonl.gz"), &bytes[..bytes.len() / 2]).unwrap();
    let args = ["run", "--quiet", "--bad-input", "skip", "--max-bad", "none"];
    let ended = folder.job(&[&args[..], &["--input", "in.jsonl.gz"]].concat()).exits(4);
    assert!(ended.err.contains("in.jsonl.gz") && ended.err.contains("cut off"), "{}", ended.err);
}

/// All of it would be dead letters, and the run would end as if all were well.
#[test]
fn a_gzip_file_under_the_name_of_a_plain_one_ends_the_job() {
    let folder = Folder::of("payments");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..10_000 {
        writeln!(gzip, "{{\"event_id\":\"{:x}\"}}", random.u128(..)).unwrap();
    }
    fs::write(folder.path("in.jsonl"), gzip.finish().unwrap()).unwrap();
    let args = ["run", "--quiet", "--input", "in.jsonl"];
    let ended = folder.job(&args).exits(4);
    for words in
        ["the first 100 inputs are all bad", "[SF0104]", "--max-bad none", "in.jsonl, byte 0:"]
    {
        assert!(ended.err.contains(words), "{words}: {}", ended.err);
    }
    assert!(ended.err.contains("dead letters go to sink 'dead-letters'"), "{}", ended.err);
    assert!(ended.err.contains("payments.sqlite.dead-letters"), "{}", ended.err);
    assert!(!ended.err.chars().any(|c| c.is_control() && c != '\n'), "{:?}", ended.err);
    let run = |more: &[&str]| folder.job(&[&args[..], more].concat());
    for ended in
        [run(&["--max-bad", "7"]), folder.start_with(&args, &[("STEADFAST_MAX_BAD", "7")]).wait()]
    {
        assert!(ended.exits(4).err.contains("[SF0105]"));
    }
    let shown = folder.job(&["run", "--input", "in.jsonl", "--max-bad", "none"]).exits(0).err;
    assert!(shown.contains("in 'dead-letters'"), "the summary says where they are: {shown}");
    assert!(shown.contains("payments.sqlite.dead-letters"), "{shown}");
}
