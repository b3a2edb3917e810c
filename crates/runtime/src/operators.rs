//! Operators over batches: what a user's `fold`, `dedup` and `process` become in a task.
//!
//! They know tables and records, and nothing of channels, barriers or threads.

mod aggregate;
mod dedup;
mod process;
mod through;

pub use aggregate::{Aggregate, Aggregation, Emit, Fold};
pub use dedup::{Dedup, Expiry};
pub use process::{KeyedContext, KeyedStates, ListState, MapState, Process, ValueState};
pub use through::{PassThrough, Then};
