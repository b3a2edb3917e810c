//! What drives machines. Production and simulation drive the same ones.

mod alarm;
mod scheduled;
mod simulated;
mod threads;
mod watchdog;

pub(crate) use alarm::Alarm;
pub(crate) use scheduled::Scheduled;
pub use simulated::{Simulated, SimulatedStep};
pub use threads::Threads;
pub(crate) use watchdog::Watchdog;

/// The machines of one attempt.
pub struct TaskSet {
    /// The tasks of each worker, in the order in which they are stepped.
    pub(crate) workers: Vec<Vec<Scheduled>>,
    /// They write snapshots: one for each worker.
    pub(crate) writers: Vec<Scheduled>,
    /// Commits.
    pub(crate) committer: Scheduled,
    /// Coordinates; when it is done, so is the attempt.
    pub(crate) coordinator: Scheduled,
}
