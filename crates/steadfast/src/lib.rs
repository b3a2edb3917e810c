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

pub use builder::{
    BoxedKeyedStream, BoxedStream, Job, KeyedStream, Passed, Shared, Stream, WindowedStream,
};
pub use checkpoint_store::CheckpointStore;
pub use clock::SystemClock;
pub use options::RunOptions;
pub use run::{Report, Running};
pub use steadfast_checkpoint::limits::Limits;
pub use steadfast_checkpoint::recovery::Preview;
pub use steadfast_checkpoint::store::MemoryStore;

pub use steadfast_core::data::Data;
pub use steadfast_core::id::CheckpointId;
pub use steadfast_core::key::Key;
pub use steadfast_core::key_of::{BoxedKey, KeyOf};
pub use steadfast_core::rejected::Rejected;
pub use steadfast_core::{
    Cause, Error, ErrorKind, Result, UserError, chunks, format, id, key, sink, source, store,
    target, time,
};
pub use steadfast_protocol::manifest::{Consistency, Counters, Manifest};
pub use steadfast_runtime::bad_limit::MaxBad;
pub use steadfast_runtime::lateness::{Lateness, LatenessReport, OnWait};
pub use steadfast_runtime::operator_chain::{Boxed, OperatorChain};
pub use steadfast_runtime::operators::{
    Aggregate, Average, Broadcast, BroadcastState, Clock, Count, Emit, Emitter, Expiry,
    KeyedContext, KeyedStates, List, ListState, Map, MapState, Max, Mean, Min, ProcessFunction,
    Sided, Split, SplitState, Sum, Top, UnkeyedContext, UnkeyedFunction, UnkeyedStates, ValueState,
    Window, WindowResult, Windows,
};
pub use steadfast_runtime::pauses::Pauses;
pub use steadfast_runtime::status::{
    CheckpointProgress, EventTimeReached, JobHandle, JobStatus, Metrics,
};
pub use steadfast_state::State;

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

/// And so are those of the page on connectors.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/connectors.md")]
struct Connectors;

/// And so are those of the page on a first job.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/first-job.md")]
struct FirstJob;

/// And so are those of the page on command lines.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/cli.md")]
struct CommandLine;

/// And so are those of the page on jobs within other programs.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Embedding;

/// And so are those of the page on streams.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/streams.md")]
struct Streams;

/// And so are those of the page on event time.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/event-time.md")]
struct EventTime;
