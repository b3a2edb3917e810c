//! Seeded simulation of whole jobs.
//!
//! A [`simulation`] is a history of several processes of one job of one of the [`topologies`], each
//! on a thread of its own that hands a [`baton`] over at every call: to a [`disk`] that loses what
//! was not synced, to the [`store`] on it, to a [`database`] of transactional [`table`]s. The
//! [`fault_injector`] decides who goes on and what becomes of each call, by the seed. An
//! [`observer`] writes down who claimed, committed and read what, and the [`oracle`], which knows only
//! the input and that, says at every change of a table and at the end whether the [`invariants`]
//! hold.
//!
//! The same seed gives the same run, call by call.
//!
//! Beside it, the [`explorer`] goes through every order in which the calls of a few small processes
//! can follow each other, up to a bound.
#![deny(missing_docs)]

pub mod baton;
pub mod clock;
pub mod coverage;
pub mod database;
pub mod disk;
pub mod environment;
pub mod explorer;
pub mod fault_injector;
pub mod input;
pub mod input_files;
pub mod invariants;
pub mod observer;
pub mod oracle;
pub mod prefix;
pub mod remembered;
pub mod shown;
pub mod simulation;
pub mod store;
pub mod table;
pub mod topologies;
