//! The library that stands between the job and its C library: how it is built and told what to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::job::{Call, Sink};
use crate::recording::{self, LOG, Noted};

/// The shim, built.
pub(crate) struct Shim {
    library: PathBuf,
}

/// What the shim does at some of the calls.
#[derive(Clone, Copy, Default)]
pub(crate) struct Orders<'a> {
    /// Holds the process at these.
    pub(crate) held_at: &'a [&'a Call],
    /// Lets this one meet a fault, which `shim/fault.c` knows by this word.
    pub(crate) fault: Option<(&'a Call, &'a str)>,
    /// Gives names to reads and to calls to the input, too.
    pub(crate) names_all: bool,
    /// Where entries of the log stay when they are deleted.
    pub(crate) keeps_log_in: Option<&'a Path>,
}

/// The files by which one process is held and let go.
pub(crate) struct Rein {
    pub(crate) record: PathBuf,
    reached: PathBuf,
    go: PathBuf,
}

/// Kinds of path, first match first; `JOB` is the folder of the job.
const KINDS: [(&str, &str); 29] = [
    ("input", "*/payments-of-the-drill.jsonl"),
    ("store-temporary", "JOB/checkpoints/*/.tmp-*"),
    (LOG, "JOB/checkpoints/*/log"),
    (LOG, "JOB/checkpoints/*/log/*"),
    ("store-closed", "JOB/checkpoints/*/closed*"),
    ("store-dropped", "JOB/checkpoints/*/dropped*"),
    ("store-data", "JOB/checkpoints/*/data*"),
    ("store", "JOB/checkpoints*"),
    ("dead-temporary", "JOB/target/output.dead-letters/*/.tmp-*"),
    ("dead-slot", "JOB/target/output.dead-letters/.steadfast/slots*"),
    ("dead-staged", "JOB/target/output.dead-letters/.steadfast/staged*"),
    ("dead-reset", "JOB/target/output.dead-letters/.steadfast/reset-*"),
    ("dead-hidden", "JOB/target/output.dead-letters/.steadfast*"),
    ("dead-part", "JOB/target/output.dead-letters/*"),
    ("dead-folder", "JOB/target/output.dead-letters"),
    ("sqlite-wal", "JOB/target/output-wal"),
    ("sqlite-shm", "JOB/target/output-shm"),
    ("sqlite-journal", "JOB/target/output-journal"),
    ("part-temporary", "JOB/target/output/*/.tmp-*"),
    ("slot", "JOB/target/output/.steadfast/slots*"),
    ("staged", "JOB/target/output/.steadfast/staged*"),
    ("reset", "JOB/target/output/.steadfast/reset-*"),
    ("hidden", "JOB/target/output/.steadfast*"),
    ("part", "JOB/target/output/*"),
    ("TARGET", "JOB/target/output"),
    ("target-folder", "JOB/target"),
    ("elsewhere", "JOB/elsewhere*"),
    ("job-folder", "JOB"),
    ("other", "JOB/*"),
];

/// How long each read of the input takes, in microseconds.
const PACE: &str = "2500";

impl Shim {
    /// Builds it with the C compiler that the project needs anyway.
    pub(crate) fn build(folder: &Path) -> Result<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shim");
        let files = ["names.c", "hold.c", "fault.c", "calls.c"].map(|file| source.join(file));
        let library = folder.join("shim.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&library)
            .args(files)
            .args(["-ldl", "-lpthread"])
            .output()
            .context("the drill needs a C compiler called cc")?;
        ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Ok(Shim { library })
    }

    /// Has `command` write its calls down, and do what it is told at some of them.
    pub(crate) fn put(
        &self,
        command: &mut Command,
        job: &Path,
        sink: Sink,
        rein: &Rein,
        orders: &Orders<'_>,
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
            .env("SHIM_RULES", rules.join("\n"))
            .env("SHIM_PACE", PACE)
            .env("SHIM_RECORD", &rein.record);
        if !orders.held_at.is_empty() {
            let calls: Vec<_> = orders.held_at.iter().map(|call| call.as_str()).collect();
            command.env("SHIM_AT", calls.join("\n"));
            command.env("SHIM_REACHED", &rein.reached).env("SHIM_GO", &rein.go);
        }
        if orders.names_all {
            command.env("SHIM_ALL", "1");
        }
        if let Some((call, fault)) = orders.fault {
            command.env("SHIM_FAULT", format!("{call}\t{fault}"));
        }
        if let Some(folder) = orders.keeps_log_in {
            command.env("SHIM_KEEP", folder);
        }
    }
}

impl Rein {
    /// The rein of one process.
    pub(crate) fn new(notes: &Path, who: &str) -> Self {
        let file = |what: &str| notes.join(format!("{who}.{what}"));
        Rein { record: file("record"), reached: file("reached"), go: file("go") }
    }

    /// Whether the process is held at this one of its calls, counted from 1, or was.
    pub(crate) fn has_reached(&self, number: usize) -> bool {
        numbered(&self.reached, number).exists()
    }

    /// Lets the process go on from this one of its calls.
    pub(crate) fn release(&self, number: usize) -> Result<()> {
        Ok(fs::write(numbered(&self.go, number), b"")?)
    }

    /// What the process has done so far.
    pub(crate) fn noted(&self) -> Result<Vec<Noted>> {
        recording::read(&self.record)
    }
}

fn numbered(file: &Path, number: usize) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(format!("-{number}"));
    name.into()
}
