//! Runs a dataflow.
//!
//! ```text
//! lateness        what is late, and for how long it is waited for
//! bad_limit       how much of the input may be bad before a job ends
//! pauses          for how long the tasks stood still
//! status          what people want to know of a job while it runs, and may ask of it
//! collector       what an operator knows of what comes after it
//! exchange        channels, alignment, distribution
//! context         what a stage and its tasks are given when they are made
//! event_time      how far event time has come in a source
//! operator_chain  fused operators: a stage is one loop
//! side_output     an operator with two ways out
//! user_code       names the operator in what goes wrong in user code
//! operators       keyed operators: batches in, batches out, state in tables
//! task            a stage × one parallel index, as a state machine
//! plan            stages and edges
//! executor        drives machines: worker threads, or a seed
//! job             how a job is run
//! attempt         one attempt to run a plan: take over, make tasks, put services beside them
//! ```
//!
//! Operators do not know that checkpoints exist, machines do not know who drives them.
#![deny(missing_docs)]

pub mod bad_limit;
pub mod lateness;
pub mod pauses;
pub mod status;

pub(crate) mod collector;
pub mod exchange;

pub mod context;
pub mod event_time;
pub mod operator_chain;
pub mod operators;
pub mod side_output;
pub mod task;
pub mod user_code;

pub mod plan;

pub mod executor;
pub mod job;

pub mod attempt;
