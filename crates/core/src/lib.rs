//! The words and contracts that every part of Steadfast shares.
//!
//! This crate holds vocabulary only: what flows between tasks ([`message`]), how records are
//! assigned to state ([`key`]), what time is ([`time`]), what may be shown ([`printable`]), what may go wrong ([`cause`]), and the contracts that sources
//! ([`source`]), operators ([`operator`]), state ([`state`]), sinks ([`sink`], [`target`]), formats ([`format`](mod@format)), commit logs ([`log`]),
//! stores ([`store`], [`disk`]) and whatever does work step by step ([`machine`]) fulfil towards the engine.
//!
//! It performs no I/O, reads no clock, draws no random number and starts no thread. A type enters
//! only when two crates need it and neither owns it.
#![deny(missing_docs)]

pub mod cause;
pub mod data;
pub mod envelope;
pub mod error;
pub mod id;
pub mod key;
pub mod key_of;
pub mod printable;
pub mod time;

pub mod budget;
pub mod chunks;
pub mod format;
pub mod message;
pub mod operator;
pub mod rejected;
pub mod sink;
pub mod source;
pub mod state;
pub mod target;

pub mod disk;
pub mod log;
pub mod machine;
pub mod store;
#[doc(hidden)]
pub mod sync;
pub mod wakers;

pub use cause::{Cause, ErrorKind};
pub use error::{Error, Result, UserError};
