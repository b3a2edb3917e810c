//! What most jobs need.

pub use steadfast_core::source::BadInput;
pub use steadfast_core::time::Timestamp;
pub use steadfast_memory::{Collect, Collected, Generator, Values};

#[cfg(feature = "files")]
pub use steadfast_files::{Csv, DeadLetterSink, JsonLines, JsonLinesSink, StdoutSink};
#[cfg(feature = "sqlite")]
pub use steadfast_sqlite::Sqlite;
#[cfg(feature = "streams")]
pub use steadfast_streams::LineStream;

pub use crate::{
    Aggregate, CheckpointStore, Consistency, Data, Emit, Error, Expiry, Job, OperatorChain,
    Rejected, Report, Result, RunOptions, Stream, UserError, WindowResult, Windows,
};
