//! The exactly-once logic of the engine, pure: observations in, decisions out.
//!
//! Nothing here performs I/O, reads a clock or starts a thread, so every decision that the
//! guarantees rest on can be tested by enumeration:
//!
//! - [`manifest`]: what a checkpoint is, as one self-checking object;
//! - [`log`]: the sequence of claims and checkpoints, in which a later claim fences every earlier epoch;
//! - [`coordinator`]: when to draw a checkpoint, when to commit it, when its output may be applied;
//! - [`recovery`]: where to begin, from what was found in the log and in the targets;
//! - [`retention`]: which objects nobody needs any more;
//! - [`names`]: what the objects are called.
#![deny(missing_docs)]

pub mod coordinator;
pub mod log;
pub mod manifest;
pub mod names;
pub mod recovery;
pub mod retention;
