//! Runs a dataflow.
//!
//! ```text
//! pipe       fused operators: a stage is one loop
//! operators  keyed operators: batches in, batches out, state in tables
//! exchange   channels, alignment, distribution
//! task       a stage × one parallel index, as a state machine
//! plan       stages and edges, put together into tasks and services
//! executor   drives machines: worker threads, or a seed
//! job        one attempt to run a plan: take over, assemble, drive, summarise
//! ```
//!
//! Operators do not know that checkpoints exist, machines do not know who drives them.
#![deny(missing_docs)]

pub mod exchange;
pub mod operators;
pub mod pipe;

pub mod plan;
pub mod task;

pub mod executor;
pub mod job;
