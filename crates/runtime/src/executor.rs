//! What drives machines. Production and simulation drive the same ones.

mod alarm;
mod scheduled;
mod simulated;
mod threads;
mod watchdog;

pub use alarm::Alarm;
pub use scheduled::Scheduled;
pub use simulated::{Simulated, SimulatedStep};
pub use threads::Threads;
pub use watchdog::Watchdog;

/// The machines of one attempt.
pub struct TaskSet {
    /// The tasks of each worker, in the order in which they are stepped.
    pub workers: Vec<Vec<Scheduled>>,
    /// They write snapshots: one for each worker.
    pub writers: Vec<Scheduled>,
    /// Commits.
    pub committer: Scheduled,
    /// Coordinates; when it is done, so is the attempt.
    pub coordinator: Scheduled,
}
