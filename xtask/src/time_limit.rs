//! Runs a command that may hang: where nobody watches, it is ended after a while, with all it began.
//!
//! Knows nothing about steps and tests.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use anyhow::{Context, Result};

/// A command that is ended when its time is over.
pub struct Limited {
    child: Child,
    ended: Sender<()>,
    guard: JoinHandle<bool>,
}

impl Limited {
    /// Starts `command`. With a limit it gets a process group of its own, so that a terminal's
    /// Ctrl-C does not reach it: give one only where there is no terminal.
    pub fn start(command: &mut Command, limit: Option<Duration>) -> Result<Limited> {
        if limit.is_some() {
            command.process_group(0);
        }
        let child = command.spawn().context("cannot start cargo")?;
        let group = child.id();
        let (ended, waits) = channel();
        let guard = spawn(move || limit.is_some_and(|limit| end_late(group, &waits, limit)));
        Ok(Limited { child, ended, guard })
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the end; `None` if it had to be ended.
    pub fn wait(mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.wait()?;
        drop(self.ended);
        let late = self.guard.join().unwrap_or(false);
        Ok((!late).then_some(status))
    }
}

fn end_late(group: u32, waits: &Receiver<()>, limit: Duration) -> bool {
    let late = waits.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
    if late {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).status();
    }
    late
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Stdio;

    use super::*;

    #[test]
    fn what_hangs_is_ended_with_all_that_it_began() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo begun; sleep 600"]).stdout(Stdio::piped());
        let mut hanging = Limited::start(&mut command, Some(Duration::from_millis(200))).unwrap();
        // Ends when nobody holds the other side any more, the one in the background neither.
        let mut said = String::new();
        hanging.child().stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "begun\n");
        assert!(hanging.wait().unwrap().is_none());
    }

    #[test]
    fn what_ends_in_time_says_how() {
        for limit in [None, Some(Duration::from_secs(600))] {
            let fails = Limited::start(&mut Command::new("false"), limit).unwrap();
            assert!(!fails.wait().unwrap().unwrap().success());
        }
    }
}
