//! The library that stands between the job and its C library: how it is built and told what to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::case::{Call, Sink};

/// The shim, built.
pub(super) struct Shim {
    library: PathBuf,
}

/// One line of what the shim writes down.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    /// `call` or `held` before it, `done` or `failed` after it where that matters.
    pub(super) what: String,
    pub(super) call: Call,
    pub(super) path: String,
}

/// The files by which one process is held and let go.
pub(super) struct Rein {
    pub(super) record: PathBuf,
    reached: PathBuf,
    go: PathBuf,
}

/// The kind of path under which the shim looks for names that make something committed.
pub(super) const LOG: &str = "store-log";

/// Kinds of path, first match first; `JOB` is the folder of the job.
const KINDS: [(&str, &str); 27] = [
    ("input", "*/payments-of-the-pauses.jsonl"),
    ("store-temporary", "JOB/checkpoints/*/.tmp-*"),
    (LOG, "JOB/checkpoints/*/log"),
    (LOG, "JOB/checkpoints/*/log/*"),
    ("store-closed", "JOB/checkpoints/*/closed*"),
    ("store-dropped", "JOB/checkpoints/*/dropped*"),
    ("store-data", "JOB/checkpoints/*/data*"),
    ("store", "JOB/checkpoints*"),
    ("dead-temporary", "JOB/output.dead-letters/*/.tmp-*"),
    ("dead-slot", "JOB/output.dead-letters/.steadfast/slots*"),
    ("dead-staged", "JOB/output.dead-letters/.steadfast/staged*"),
    ("dead-reset", "JOB/output.dead-letters/.steadfast/reset-*"),
    ("dead-hidden", "JOB/output.dead-letters/.steadfast*"),
    ("dead-part", "JOB/output.dead-letters/*"),
    ("dead-folder", "JOB/output.dead-letters"),
    ("sqlite-wal", "JOB/output-wal"),
    ("sqlite-shm", "JOB/output-shm"),
    ("sqlite-journal", "JOB/output-journal"),
    ("part-temporary", "JOB/output/*/.tmp-*"),
    ("slot", "JOB/output/.steadfast/slots*"),
    ("staged", "JOB/output/.steadfast/staged*"),
    ("reset", "JOB/output/.steadfast/reset-*"),
    ("hidden", "JOB/output/.steadfast*"),
    ("part", "JOB/output/*"),
    ("TARGET", "JOB/output"),
    ("elsewhere", "JOB/elsewhere*"),
    ("other", "JOB/*"),
];

/// How long each read of the input takes, in microseconds.
const PACE: &str = "2500";

impl Shim {
    /// Builds it with the C compiler that the project needs anyway.
    pub(super) fn build(folder: &Path) -> Result<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shim/pause.c");
        let library = folder.join("pause.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&library)
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .output()
            .context("the drill needs a C compiler called cc")?;
        ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Ok(Shim { library })
    }

    /// Has `command` write its calls down and, be held at those given.
    pub(super) fn put(
        &self,
        command: &mut Command,
        job: &Path,
        sink: Sink,
        rein: &Rein,
        at: &[&Call],
    ) {
        let target = if sink.is_database() { "sqlite" } else { "folder" };
        let job = job.to_str().expect("the drill chooses plain names");
        let rules: Vec<_> = KINDS
            .iter()
            .map(|(kind, pattern)| format!("{kind}={}", pattern.replace("JOB", job)))
            .map(|rule| rule.replace("TARGET", target))
            .collect();
        command
            .env("LD_PRELOAD", &self.library)
            .env("PAUSE_RULES", rules.join("\n"))
            .env("PAUSE_PACE", PACE)
            .env("PAUSE_RECORD", &rein.record);
        if !at.is_empty() {
            let calls: Vec<_> = at.iter().map(|call| call.as_str()).collect();
            command.env("PAUSE_AT", calls.join("\n"));
            command.env("PAUSE_REACHED", &rein.reached).env("PAUSE_GO", &rein.go);
        }
    }
}

impl Rein {
    /// The rein of one process.
    pub(super) fn new(notes: &Path, who: &str) -> Self {
        let file = |what: &str| notes.join(format!("{who}.{what}"));
        Rein { record: file("record"), reached: file("reached"), go: file("go") }
    }

    /// Whether the process is held at this one of its calls, counted from 1, or was.
    pub(super) fn has_reached(&self, number: usize) -> bool {
        numbered(&self.reached, number).exists()
    }

    /// Lets the process go on from this one of its calls.
    pub(super) fn release(&self, number: usize) -> Result<()> {
        Ok(fs::write(numbered(&self.go, number), b"")?)
    }

    /// What the process has done so far.
    pub(super) fn noted(&self) -> Result<Vec<Noted>> {
        if !self.record.exists() {
            return Ok(Vec::new());
        }
        let record = fs::read_to_string(&self.record)?;
        let noted = record.lines().filter_map(|line| {
            let mut fields = line.split('\t').map(str::to_string);
            Some(Noted { what: fields.next()?, call: fields.next()?, path: fields.next()? })
        });
        Ok(noted.collect())
    }
}

fn numbered(file: &Path, number: usize) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(format!("-{number}"));
    name.into()
}

impl Noted {
    /// It has given a log entry its name: something was claimed or committed.
    pub(super) fn appended_to_log(&self) -> bool {
        self.what == "done" && self.call.split(':').nth(2) == Some(LOG)
    }
}
