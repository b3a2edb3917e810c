//! Lines from standard input and from sockets as a source: [`LineStream`].
//!
//! What has been read of a stream is gone from it. So these sources cannot be read again from a position, and say so
//! ([`Replay::Impossible`](steadfast_core::source::Replay)): what was read and is in no committed checkpoint is lost when the
//! process dies. What that leaves of a job's promise: `docs/streams.md`.
//!
//! A thread for each reader waits for what arrives and hands it over in pieces, so that no worker ever waits for
//! whoever writes. This crate knows nothing of the engine that runs it.
#![deny(missing_docs)]

mod arrivals;
mod endpoint;
mod lines;
mod reader;
mod source;
mod split;

pub use reader::StreamReader;
pub use source::LineStream;
pub use split::StreamSplit;
