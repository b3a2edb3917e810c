//! What drives machines. Production and simulation drive the same ones.

mod simulated;
mod threads;

pub use simulated::{Simulated, SimulatedStep};
pub use threads::{TaskSet, Threads, Wakers};

use std::panic::{AssertUnwindSafe, catch_unwind};

use steadfast_core::machine::{Machine, Now, Progress};
use steadfast_core::{Error, Result};

/// Takes one step and turns a panic of user code into an error of the machine.
fn guarded_step(machine: &mut dyn Machine, now: Now) -> Result<Progress> {
    // A machine that panicked is never stepped again, so nobody sees it half changed.
    let result = catch_unwind(AssertUnwindSafe(|| machine.step(now)));
    let result = result.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<&str>().map(|s| s.to_string());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
        let message = message.unwrap_or_else(|| "a panic without a message".to_string());
        Err(Error::user_code(format!("panicked: {message}"))
            .hint("a panic in an operator ends the attempt; the newest checkpoint is not affected"))
    });
    result.map_err(|error| error.at(machine.name().to_string()))
}
