//! What most jobs need.

pub use steadfast_core::sink::Sink;
pub use steadfast_core::source::{BadInput, Source};
pub use steadfast_core::time::Timestamp;
pub use steadfast_memory::{Collect, Collected, Generator, Values};

#[cfg(feature = "files")]
pub use steadfast_files::{Csv, DeadLetterSink, JsonLines, JsonLinesSink, StdoutSink, TextLines};
#[cfg(feature = "sqlite")]
pub use steadfast_sqlite::Sqlite;
#[cfg(feature = "streams")]
pub use steadfast_streams::LineStream;

pub use crate::{
    Aggregate, CheckpointStore, Clock, Consistency, Data, Emit, Emitter, Error, Expiry, Job,
    KeyedContext, KeyedStates, KeyedStream, ListState, MapState, OperatorChain, ProcessFunction,
    Rejected, Report, Result, RunOptions, Running, Sided, Stream, UserError, ValueState,
    WindowResult, Windows,
};
