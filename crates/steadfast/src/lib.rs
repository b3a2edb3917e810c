//! Data pipelines that lose no event and count none twice.
//!
//! A job is a typed graph of sources, operators and sinks ([`Job`]); [`Job::run`] runs it with
//! checkpoints, and a job that is started again after a crash goes on as if nothing had happened.
//! [`cli`] gives every job binary the same command line.
#![deny(missing_docs)]

mod builder;
mod checkpoint_store;
mod clock;
pub mod explain;
mod options;
mod run;

#[cfg(feature = "cli")]
pub mod cli;
pub mod prelude;
#[cfg(feature = "time-zones")]
pub mod time_zone;

pub use builder::{Job, KeyedStream, Passed, Shared, Stream, WindowedStream};
pub use checkpoint_store::CheckpointStore;
pub use clock::SystemClock;
pub use options::RunOptions;
pub use run::{Report, Running};
pub use steadfast_checkpoint::limits::Limits;

pub use steadfast_core::data::Data;
pub use steadfast_core::rejected::Rejected;
pub use steadfast_core::{
    Cause, Error, ErrorKind, Result, UserError, chunks, format, key, sink, source, target, time,
};
pub use steadfast_protocol::manifest::Consistency;
pub use steadfast_runtime::bad_limit::MaxBad;
pub use steadfast_runtime::operator_chain::OperatorChain;
pub use steadfast_runtime::operators::{
    Aggregate, Average, Broadcast, BroadcastState, Clock, Count, Emit, Emitter, Expiry,
    KeyedContext, KeyedStates, List, ListState, Map, MapState, Max, Mean, Min, ProcessFunction,
    Sided, Split, SplitState, Sum, Top, UnkeyedContext, UnkeyedFunction, UnkeyedStates, ValueState,
    Window, WindowResult, Windows,
};

/// Sources and sinks in memory, and generators.
pub use steadfast_memory as memory;

/// JSON, CSV, text and raw bytes.
#[cfg(feature = "formats")]
pub use steadfast_formats as formats;

/// Files of lines and CSV.
#[cfg(feature = "files")]
pub use steadfast_files as files;

/// SQLite tables.
#[cfg(feature = "sqlite")]
pub use steadfast_sqlite as sqlite;

/// Lines from standard input and sockets.
#[cfg(feature = "streams")]
pub use steadfast_streams as streams;

/// The README's example is compiled and run with the other documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// And so are those of the page on files.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/files.md")]
struct Files;

/// And so are those of the page on streams.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/streams.md")]
struct Streams;

/// And so are those of the page on event time.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/event-time.md")]
struct EventTime;
