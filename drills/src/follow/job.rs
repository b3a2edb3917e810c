//! The job that follows the logs, from the outside: it is started, killed and asked for its checkpoints.
//!
//! It knows nothing of what is written, and judges nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::case::Case;
use crate::process::{Ended, Process};

/// See the module.
pub(super) struct Job {
    binary: PathBuf,
    folder: PathBuf,
    pattern: &'static str,
    is_naive: bool,
    running: Option<Process>,
    starts: u32,
}

/// Where its table is, in the folder of the round.
pub(super) const TABLE: &str = "output";

impl Job {
    pub(super) fn new(binary: &Path, folder: &Path, case: &Case) -> Self {
        let (binary, folder) = (binary.to_path_buf(), folder.to_path_buf());
        let (pattern, is_naive) = (case.naming.pattern(), case.naive);
        Job { binary, folder, pattern, is_naive, running: None, starts: 0 }
    }

    fn name(&self) -> &'static str {
        if self.is_naive { "payments-naive" } else { "payments" }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// How often it was started.
    pub(super) fn starts(&self) -> u32 {
        self.starts
    }

    /// Starts it. Returns what the process is called.
    pub(super) fn start(&mut self, interval: &str, parallelism: u32) -> Result<String> {
        self.starts += 1;
        let mut command = Command::new(&self.binary);
        command
            .current_dir(&self.folder)
            .args(["run", "--json", "--follow", "--input", self.pattern, "--bad-input", "fail"])
            .args(["--sink", &format!("sqlite:{TABLE}")])
            .args(["--checkpoint-interval", interval])
            .args(["--parallelism", &parallelism.to_string()]);
        if self.is_naive {
            command.arg("--naive");
        }
        let who = format!("job-{}", self.starts);
        self.running = Some(Process::start(&mut command, &self.folder, &who)?);
        Ok(who)
    }

    /// Lets it run for so long. Returns how it has ended, if it has.
    pub(super) fn run_for(&mut self, time: Duration) -> Result<Option<Ended>> {
        let Some(process) = &mut self.running else {
            std::thread::sleep(time);
            return Ok(None);
        };
        let ended = process.wait(time)?;
        if ended.is_some() {
            self.running = None;
        }
        Ok(ended)
    }

    /// Tells it to end, once it listens: before that, a signal just ends it. Returns how it has ended by itself,
    /// if it has.
    pub(super) fn terminate(&mut self, at_most: Duration) -> Result<Option<Ended>> {
        let words = format!("{}: ", self.name());
        let notes = self.notes("err");
        let Some(process) = &mut self.running else { return Ok(None) };
        let listens = || says(&notes, &words);
        if let Some(ended) = process.wait_or(at_most, listens)? {
            self.running = None;
            return Ok(Some(ended));
        }
        process.terminate()?;
        Ok(None)
    }

    /// Kills it, if it runs.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.running.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Whether it has looked at all files and begun to work.
    pub(super) fn has_begun(&self) -> bool {
        says(&self.notes("err"), self.name())
    }

    /// Whether it runs and has a file open.
    pub(super) fn has_open(&self, path: &Path) -> bool {
        self.running.as_ref().is_some_and(|process| process.has_open(path))
    }

    /// What the process that was started last has printed in the end; null if it has not.
    pub(super) fn summary(&self) -> Value {
        let said = fs::read(self.notes("out")).unwrap_or_default();
        serde_json::from_slice(&said).unwrap_or_default()
    }

    fn notes(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("job-{}.{kind}", self.starts))
    }

    /// Whether the newest checkpoint says that the file with this device and inode was read to its end, which is
    /// behind so many bytes.
    pub(super) fn has_finished(&self, (device, inode): (u64, u64), bytes: u64) -> Result<bool> {
        let Some(checkpoints) = self.ask(&["list"])? else { return Ok(false) };
        let Some(newest) = checkpoints[0]["checkpoint"].as_u64() else { return Ok(false) };
        let Some(newest) = self.ask(&["show", &newest.to_string()])? else { return Ok(false) };
        let is_it = |status: &Value| {
            let (split, file) = (&status["split"], &status["split"]["identity"]["file"][0]);
            let is_finished = status["finished"] == true && split["next"] == bytes;
            is_finished && file["device"] == device && file["inode"] == inode
        };
        let splits = newest["sources"]["payments"].as_object();
        Ok(splits.is_some_and(|splits| splits.values().any(is_it)))
    }

    /// What it says of its checkpoints; none if the one that it is asked for is gone meanwhile.
    fn ask(&self, about: &[&str]) -> Result<Option<Value>> {
        let said = Command::new(&self.binary)
            .current_dir(&self.folder)
            .arg("checkpoints")
            .args(about)
            .args(["--json", "--job", self.name()])
            .output()
            .context("cannot ask for checkpoints")?;
        Ok(said.status.success().then(|| serde_json::from_slice(&said.stdout)).transpose()?)
    }
}

/// Whether these words were said.
fn says(notes: &Path, words: &str) -> bool {
    fs::read_to_string(notes).is_ok_and(|said| said.contains(words))
}
