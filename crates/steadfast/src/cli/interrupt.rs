//! Signals (interrupt, terminate, hang up): the first asks the job to stop at a last checkpoint, the second
//! leaves at once. What comes within half a second of the first belongs to it: `timeout` tells a process to end,
//! and then its whole group, and nobody wants to be asked twice by that.
//!
//! A job that was asked to stop ends by itself when the time to stop is over, unless it is held in a call
//! that does not return. Then the process leaves: what was committed is safe at any moment.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{Builder, Scope};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use steadfast_core::time::Clock;
use steadfast_core::{Cause, Error, Result};
use steadfast_runtime::lateness::Lateness;
use steadfast_runtime::status::JobHandle;

use super::for_programs::ForPrograms;
use super::terminal::{self, Tone};

/// The exit code after a second signal, as shells have it for an interrupted program.
const INTERRUPTED: i32 = 130;

/// What comes so soon after the first signal is the same wish to stop.
const AT_ONCE: Duration = Duration::from_millis(500);

/// For how long after its deadline a job may be about to end by itself.
const TO_LEAVE: Duration = Duration::from_secs(1);

/// Listens until it is dropped.
pub struct Interrupts {
    handle: Handle,
    /// Its other end sees that it is gone.
    _run: Sender<()>,
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// When the job must have stopped.
#[derive(Clone)]
pub struct Deadline {
    /// How long after the first signal; none: whenever it likes.
    pub within: Option<Duration>,
    /// Says what has not answered.
    pub lateness: Arc<Lateness>,
    /// Is told if the process has to leave.
    pub programs: Arc<ForPrograms>,
}

impl Deadline {
    /// Waits for the end of the run, and leaves the process if it does not come.
    fn watch(&self, run: &Receiver<()>) {
        let Some(within) = self.within else { return };
        if run.recv_timeout(within.saturating_add(TO_LEAVE)) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        let why = match self.lateness.report().longest() {
            Some((what, _)) => what,
            None => "a part of the job does not come to its end".to_string(),
        };
        let error = Error::because(
            Cause::NOT_STOPPED,
            format!("the time to stop is over, and it cannot stop: {why}"),
        )
        .hint("start the job again: it goes on from the newest checkpoint that is complete");
        super::tell(&error);
        self.programs.failed(&error);
        std::process::exit(i32::from(super::exit_code(&error)));
    }
}

/// The signals that have come, as wishes.
#[derive(Default)]
struct Wishes {
    /// When the first one came.
    first: Option<Duration>,
}

/// What is wished for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    /// To stop at a last checkpoint.
    Stop,
    /// What was wished for just before.
    Same,
    /// To leave at once.
    Leave,
}

impl Wishes {
    /// A signal has come `now`, by the clock of the run.
    fn signal(&mut self, now: Duration) -> Wish {
        match self.first {
            None => {
                self.first = Some(now);
                Wish::Stop
            }
            Some(first) if now.saturating_sub(first) < AT_ONCE => Wish::Same,
            Some(_) => Wish::Leave,
        }
    }
}

/// Listens on a thread of `scope` and passes the wish to stop, within some time, on to `job_handle`. What belongs
/// together is told by `clock`.
///
/// # Errors
/// `Unavailable` if the system does not let this process listen.
pub fn listen<'scope>(
    scope: &'scope Scope<'scope, '_>,
    job: String,
    (job_handle, clock): (JobHandle, Arc<dyn Clock>),
    deadline: Deadline,
) -> Result<Interrupts> {
    let failed = |error| Error::unavailable("cannot listen for signals").caused_by(error);
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    if !ignores_hangups() {
        signals.add_signal(SIGHUP).map_err(failed)?;
    }
    let handle = signals.handle();
    let (of_run, run) = mpsc::channel();
    let listen = move || {
        let (mut deadline, programs) = (Some((deadline.clone(), run)), deadline.programs);
        let mut wishes = Wishes::default();
        for _signal in signals.forever() {
            if wishes.signal(clock.monotonic()) == Wish::Same {
                continue;
            }
            let Some((deadline, run)) = deadline.take() else {
                let text = "a second signal: left at once, without a last checkpoint";
                terminal::note(&job, Tone::Warning, text);
                programs.interrupted(text);
                std::process::exit(INTERRUPTED);
            };
            job_handle.stop(deadline.within);
            let text = "taking a last checkpoint; press again to leave at once, without it";
            terminal::note(&job, Tone::Warning, text);
            // Without it the job still stops, unless a call holds it.
            let watch = move || deadline.watch(&run);
            let _ = Builder::new().name("deadline".into()).spawn_scoped(scope, watch);
        }
    };
    Builder::new().name("signals".into()).spawn_scoped(scope, listen).map_err(failed)?;
    Ok(Interrupts { handle, _run: of_run })
}

/// Whether this process was started to live on when its terminal is gone, as `nohup` starts one. Where
/// the system does not tell, it was not.
fn ignores_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, SIGHUP)
}

/// Reads the set of ignored signals from what Linux says of a process.
fn ignores(status: &str, signal: i32) -> bool {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0);
    set >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_come_together_are_one_wish() {
        let (mut wishes, at) = (Wishes::default(), Duration::from_millis);
        assert_eq!(wishes.signal(at(7000)), Wish::Stop);
        assert_eq!(
            [7000, 7001, 7499].map(|now| wishes.signal(at(now))),
            [Wish::Same, Wish::Same, Wish::Same]
        );
        assert_eq!([7500, 7501].map(|now| wishes.signal(at(now))), [Wish::Leave, Wish::Leave]);
    }

    #[test]
    fn what_nohup_has_set_is_seen() {
        let status = "Name:\tjob\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        assert!(ignores(status, SIGHUP));
        assert!(!ignores(status, SIGINT));
        assert!(!ignores("", SIGHUP));
    }
}
