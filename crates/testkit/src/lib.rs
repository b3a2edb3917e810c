//! Seeded simulation of whole jobs.
//!
//! A [`simulation`] runs a job of one of the [`topologies`] step by step on a [`disk`] that loses
//! what was not synced and a [`database`] that loses answers, kills it between any two steps, lets
//! the killed process live on as a zombie, starts it again at another parallelism, and in the end
//! holds what the sinks show against the [`oracle`], which knows only the input.
//!
//! The same seed gives the same run, step by step.
#![deny(missing_docs)]

pub mod clock;
pub mod database;
pub mod disk;
pub mod fault_injector;
pub mod invariants;
pub mod oracle;
pub mod simulation;
pub mod topologies;
