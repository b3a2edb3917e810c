//! Runs a program to its end and measures the whole process from the outside.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How often the memory of a running process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a process took.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From its start to its end.
    pub seconds: f64,
    /// The most memory that it held; what it took in its last moments may be missing. `None` where
    /// the system does not tell.
    pub peak_bytes: Option<u64>,
}

/// Runs `command` and returns what it took and the last line of its output, a JSON object.
pub fn run(mut command: Command) -> Result<(Run, Value)> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    let pid = child.id();
    // A thread of its own looks at the memory, so that the end is seen when it comes.
    let (ended, until_end) = channel::<()>();
    let watch = thread::spawn(move || {
        let mut peak = None;
        loop {
            peak = peak.max(peak_bytes(pid));
            if until_end.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                return peak;
            }
        }
    });
    let output = child.wait_with_output()?;
    let seconds = start.elapsed().as_secs_f64();
    drop(ended);
    let peak_bytes = watch.join().ok().flatten();
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}: {}", output.status, error.trim());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    let summary = serde_json::from_str(last)
        .with_context(|| format!("{program} did not end with a line of JSON but with '{last}'"))?;
    Ok((Run { seconds, peak_bytes }, summary))
}

fn peak_bytes(pid: u32) -> Option<u64> {
    peak_in(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_status_of_a_process() {
        let status = "Name:\tcat\nVmPeak:\t  9000 kB\nVmHWM:\t    1764 kB\nVmRSS:\t  900 kB\n";
        assert_eq!(peak_in(status), Some(1764 * 1024));
        assert_eq!(peak_in("Name:\tcat\n"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_process_is_measured_whole_and_its_last_line_is_its_summary() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            run(command)
        };
        let (measured, summary) = shell("echo a; sleep 0.2; echo '{\"events\":3}'").unwrap();
        assert!(measured.seconds >= 0.2);
        assert_eq!(summary["events"], 3);
        if cfg!(target_os = "linux") {
            assert!(measured.peak_bytes.unwrap() > 0);
        }
        let failed = shell("echo oh >&2; exit 3").unwrap_err().to_string();
        assert!(failed.contains("oh") && failed.contains('3'), "{failed}");
        assert!(shell("echo a").is_err());
    }
}
