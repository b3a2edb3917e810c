//! Operators over batches: what a user's `fold`, `dedup` and `process` become in a task.
//!
//! They know tables and records, and nothing of channels, barriers or threads.

mod aggregate;
mod dedup;
mod pass_through;
mod process;

pub use aggregate::{Aggregate, Aggregation, Emit, Fold};
pub use dedup::{Dedup, Expiry};
pub use pass_through::PassThrough;
pub use process::{KeyedContext, KeyedStates, ListState, MapState, Process, ValueState};
