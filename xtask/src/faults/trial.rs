//! One run of a program with a fault planted, which may fail, die or hang.
//!
//! It knows nothing of what the program does.

use std::fmt;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};

/// Who found a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// It had not ended in time, and was killed.
    TooLate,
}

/// Runs `command` for at most `limit`; says how it ended, and what it had printed by then.
pub fn run(mut command: Command, limit: Duration) -> Result<(End, String)> {
    // In a group of its own, so that programs that it has started can be ended with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let mut stdout = child.stdout.take().context("the output of the program is missing")?;
    let (printed, output) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was printed before an error is all there is.
        let _ = stdout.read_to_end(&mut bytes);
        printed.send(bytes)
    });
    let Ok(bytes) = output.recv_timeout(limit) else {
        end_group(child.id());
        let _ = child.kill();
        child.wait().context("cannot wait for a program")?;
        let rest = output.recv_timeout(Duration::from_secs(5)).unwrap_or_default();
        return Ok((End::TooLate, String::from_utf8_lossy(&rest).into_owned()));
    };
    let status = child.wait().context("cannot wait for a program")?;
    let end = if status.success() { End::Success } else { End::Failure };
    Ok((end, String::from_utf8_lossy(&bytes).into_owned()))
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
        let shell = |script: &str, limit| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            run(command, Duration::from_millis(limit)).unwrap()
        };
        assert!(matches!(shell("echo a; exit 3", 9_000), (End::Failure, a) if a == "a\n"));
        assert!(matches!(shell("true", 9_000), (End::Success, _)));
        assert!(
            matches!(shell("echo b; sleep 60 & sleep 60", 300), (End::TooLate, b) if b == "b\n")
        );
    }
}
