//! One run of a program with a fault planted, which may fail, die or hang.
//!
//! It knows nothing of what the program does.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Who found a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// After how many seeds, where there are any.
    pub seeds: Option<u64>,
    pub what: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seeds {
            Some(seeds) => write!(f, "{seeds}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// How a program ended.
pub enum End {
    Success,
    Failure,
    /// It had not said anything for too long, and was killed.
    Hangs,
}

/// Runs `command` until it prints a line that says enough: then it has failed; or nothing for `silence`:
/// then it hangs, however slow the machine is. Says how it ended, and what it had printed by then.
pub fn run(
    mut command: Command,
    silence: Duration,
    says_enough: fn(&str) -> bool,
) -> Result<(End, String)> {
    // In a group of its own, so that programs that it has started can be ended with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let stdout = child.stdout.take().context("the output of the program is missing")?;
    let (printed, output) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        // What was printed before an error is all there is.
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            if printed.send(text).is_err() {
                return;
            }
        }
    });
    let mut text = String::new();
    let end = loop {
        match output.recv_timeout(silence) {
            Ok(line) => {
                text += &line;
                if says_enough(line.trim_end()) {
                    break Some(End::Failure);
                }
            }
            Err(RecvTimeoutError::Timeout) => break Some(End::Hangs),
            Err(RecvTimeoutError::Disconnected) => break None,
        }
    };
    if end.is_some() {
        end_group(child.id());
        let _ = child.kill();
    }
    let status = child.wait().context("cannot wait for a program")?;
    let ended = if status.success() { End::Success } else { End::Failure };
    Ok((end.unwrap_or(ended), text))
}

fn end_group(id: u32) {
    if cfg!(unix) {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{id}")]).status();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_has_started() {
        let shell = |script: &str, silence| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            run(command, Duration::from_millis(silence), |line| line == "enough").unwrap()
        };
        assert!(matches!(shell("echo a; exit 3", 9_000), (End::Failure, a) if a == "a\n"));
        assert!(matches!(shell("true", 9_000), (End::Success, _)));
        assert!(matches!(shell("echo enough; sleep 60", 9_000), (End::Failure, _)));
        let slow = "for i in 1 2 3 4 5; do sleep 0.2; echo .; done";
        assert!(matches!(shell(slow, 900), (End::Success, _)));
        assert!(matches!(shell("echo b; sleep 60 & sleep 60", 300), (End::Hangs, b) if b == "b\n"));
    }
}
