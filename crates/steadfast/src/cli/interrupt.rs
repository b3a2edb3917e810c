//! Signals: the first asks the job to stop at a last checkpoint, the second leaves at once.

use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use steadfast_core::{Error, Result};
use steadfast_runtime::status::JobHandle;

use super::terminal::{self, Tone};

/// The exit code after a second signal, as shells have it for an interrupted program.
const INTERRUPTED: i32 = 130;

/// Listens until it is dropped.
pub struct Interrupts {
    handle: Handle,
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Listens on a thread of `scope` and passes the wish to stop, within some time, on to `job_handle`.
///
/// # Errors
/// `Unavailable` if the system does not let this process listen.
pub fn listen<'scope>(
    scope: &'scope Scope<'scope, '_>,
    job: String,
    job_handle: JobHandle,
    within: Option<Duration>,
) -> Result<Interrupts> {
    let failed = |error| Error::unavailable("cannot listen for signals").caused_by(error);
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let handle = signals.handle();
    let listen = move || {
        for (number, _signal) in signals.forever().enumerate() {
            if number > 0 {
                std::process::exit(INTERRUPTED);
            }
            job_handle.stop(within);
            let text = "taking a last checkpoint; press again to leave at once";
            terminal::note(&job, Tone::Warning, text);
        }
    };
    let spawned: std::io::Result<ScopedJoinHandle<'_, ()>> =
        Builder::new().name("signals".into()).spawn_scoped(scope, listen);
    spawned.map_err(failed)?;
    Ok(Interrupts { handle })
}
