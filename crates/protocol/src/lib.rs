//! The exactly-once logic of the engine, pure: observations in, decisions out.
//!
//! Nothing here performs I/O, reads a clock or starts a thread, so every decision that the
//! guarantees rest on can be tested by enumeration:
//!
//! - [`manifest`]: what a checkpoint is;
//! - [`entry`]: claims and checkpoints as entries of the commit log, in which a later claim fences
//!   every earlier generation;
//! - [`coordinator`]: when to take a checkpoint, when to commit it, when its output may be applied;
//! - [`restore`]: which checkpoint to begin at, by what is found in log and store;
//! - [`sink_recovery`]: what each target still has to be given, by what is found in it;
//! - [`fit`]: whether a checkpoint fits the job that wants to begin at it;
//! - [`retention`]: which objects nobody needs any more;
//! - [`names`]: what the objects are called.
#![deny(missing_docs)]

pub mod names;

pub mod manifest;

pub mod entry;

pub mod fit;
pub mod restore;
pub mod retention;
pub mod sink_recovery;

pub mod coordinator;
