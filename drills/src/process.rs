//! A process that is watched from the outside: what it says, when it ends, how.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(1);

/// A running process. It does not outlive this value.
pub(crate) struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

/// How a process ended, and what it said.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// The exit code; nothing if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Process {
    /// Starts `command`. What it says goes to files in `notes`, so that it never waits for a reader.
    pub(crate) fn start(command: &mut Command, notes: &Path, who: &str) -> Result<Self> {
        let (out, err) = (notes.join(format!("{who}.out")), notes.join(format!("{who}.err")));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .spawn()
            .with_context(|| format!("cannot start {who}"))?;
        Ok(Process { child, out, err })
    }

    /// Waits until it has ended, at most so long.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Result<Option<Ended>> {
        self.wait_or(at_most, || false)
    }

    /// Waits until it has ended, or `enough`, at most so long.
    pub(crate) fn wait_or(
        &mut self,
        at_most: Duration,
        enough: impl Fn() -> bool,
    ) -> Result<Option<Ended>> {
        let until = Instant::now() + at_most;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return self.ended(status).map(Some);
            }
            if enough() || Instant::now() >= until {
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Kills it, without a chance to tidy up.
    pub(crate) fn kill(&mut self) -> Result<Ended> {
        self.child.kill()?;
        let status = self.child.wait()?;
        self.ended(status)
    }

    /// Tells it to end, as a supervisor does.
    pub(crate) fn terminate(&self) -> Result<()> {
        let told =
            Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status()?;
        anyhow::ensure!(told.success(), "no signal can be sent");
        Ok(())
    }

    /// Whether it has a file open. Where the system does not tell, it is taken for granted.
    pub(crate) fn has_open(&self, path: &Path) -> bool {
        let Ok(open) = fs::read_dir(format!("/proc/{}/fd", self.child.id())) else { return true };
        open.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|open| open == path))
    }

    /// What it has said to people so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    fn ended(&self, status: ExitStatus) -> Result<Ended> {
        let read = |path: &Path| {
            Ok::<_, anyhow::Error>(String::from_utf8_lossy(&fs::read(path)?).into_owned())
        };
        Ok(Ended { code: status.code(), out: read(&self.out)?, err: read(&self.err)? })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whoever has ended already cannot be killed, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The summary that it printed; null if there is none.
    pub(crate) fn summary(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_default()
    }

    /// It would not work: a setting that cannot work, or stored data that is damaged.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.code, Some(2 | 5))
    }

    /// It ended well and has committed something of its own.
    pub(crate) fn finished_by_work(&self) -> bool {
        self.code == Some(0) && self.summary()["checkpoints"].as_u64().unwrap_or(0) > 0
    }

    /// The exit code and the first line of what it said, or its whole silence.
    pub(crate) fn in_short(&self) -> String {
        let code = self.code.map_or("killed".to_string(), |code| format!("exit {code}"));
        let error = self.err.lines().find(|line| line.starts_with("error"));
        match error.or(self.err.lines().last()) {
            Some(line) if self.code != Some(0) => format!("{code}, {line}"),
            _ => code,
        }
    }
}

/// The same of one that may not have ended.
pub(crate) fn in_short(ended: Option<&Ended>) -> String {
    ended.map_or("it hangs".to_string(), Ended::in_short)
}

/// Everything that it has said, if it has ended, as lines that name it.
pub(crate) fn told(who: &str, ended: Option<&Ended>) -> impl Iterator<Item = String> {
    let lines = ended.into_iter().flat_map(|ended| ended.err.lines().chain(ended.out.lines()));
    lines.map(move |line| format!("  {who} says: {line}"))
}
