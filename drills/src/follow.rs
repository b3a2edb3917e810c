//! Logs that grow and are rotated, followed for long by the real binary, which is killed and stopped at
//! random moments: each payment counts once.
//!
//! A round is a folder of logs, a writer and a job. All that the writer does, when the job is killed, stopped
//! and started, and how long is waited in between is drawn from a seed; how far the job gets in that time is
//! not. The writer appends payments in pieces that end anywhere and rotates its log, one call to the system
//! after the other, so that the job may be killed and started between any two of them. Each payment has an
//! account of its own: so the table tells of each whether it counted once.
//!
//! In which ways logs are rotated is chosen (see [`form`]); the writer keeps to what `docs/files.md` says of
//! each.

pub mod campaign;
pub mod case;
pub mod form;
mod job;
mod journal;
mod logs;
mod payment;
mod play;
mod rotation;
mod table;
mod verdict;
