//! What is too much for memory goes through it in pieces: the real binary, measured from outside.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use steadfast_drills::payments;

/// So much memory a run may take, in MiB.
const MOST_MIB: u64 = 300;
/// The tests' own: an epoch of 240 MB. `docs/verification.md` has 600 MB.
const LINES: usize = 16;
const LINE_BYTES: usize = 15_000_000;

/// The most memory that the process has had so far, in MiB; none if it has ended.
fn peak_mib(process: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

/// How many bytes the files in a folder have together.
fn bytes_in(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    files.filter(|file| file.is_file()).map(|file| file.len()).sum()
}

#[test]
fn an_epoch_of_long_lines_that_is_larger_than_memory_may_be_gets_through_it() {
    let (binary, folder) = (payments::build(), tempfile::tempdir().unwrap());
    let input = folder.path().join("long.jsonl");
    let mut file = BufWriter::new(File::create(&input).unwrap());
    let line = format!("{{\"bad\": \"{}\"}}\n", "x".repeat(LINE_BYTES));
    (0..LINES).for_each(|_| file.write_all(line.as_bytes()).unwrap());
    file.into_inner().unwrap().sync_all().unwrap();
    for (sink, letters) in
        [("jsonl:out", "out.dead-letters"), ("sqlite:out.db", "out.db.dead-letters")]
    {
        let mut run = Command::new(&binary)
            .current_dir(folder.path())
            .args(["run", "--input", "long.jsonl", "--sink", sink, "--quiet"])
            .args(["--checkpoints", &format!("checkpoints-{}", &sink[..5])])
            .args(["--checkpoint-interval", "none", "--parallelism", "2"])
            // All of it is bad.
            .args(["--max-bad", "none"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut peak = 0;
        while run.try_wait().unwrap().is_none() {
            peak = peak.max(peak_mib(&run).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(run.wait().unwrap().success(), "{sink}");
        let letters = folder.path().join(letters);
        // Each letter keeps its line, and says what is wrong with it.
        assert!(bytes_in(&letters) > (LINES * LINE_BYTES) as u64, "{sink}");
        println!("{sink}: at most {peak} MiB");
        assert!(peak < MOST_MIB, "{sink}: {peak} MiB");
        assert!(peak > 10, "{sink}: it was not measured");
    }
}
