//! Runs a dataflow.
//!
//! ```text
//! push       what an operator knows of what comes after it
//! exchange   channels, alignment, distribution
//! context    what a task is given when it is made
//! chain       fused operators: a stage is one loop
//! operators  keyed operators: batches in, batches out, state in tables
//! task       a stage × one parallel index, as a state machine
//! plan       stages and edges, put together into tasks and services
//! executor   drives machines: worker threads, or a seed
//! job        one attempt to run a plan: take over, assemble, drive, summarise
//! ```
//!
//! Operators do not know that checkpoints exist, machines do not know who drives them.
#![deny(missing_docs)]

pub mod collector;
pub mod exchange;

pub mod context;
pub mod operator_chain;
pub mod operators;
pub mod task;

pub mod plan;

pub mod executor;
pub mod job;
