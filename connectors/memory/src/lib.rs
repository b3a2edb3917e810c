//! Sources and a sink without an outside world, for tests, examples and load.
//!
//! [`Values`] yields values that are given, [`Generator`] values that are computed, as fast as can
//! be or at a rate, and [`Collect`] keeps what has been applied where a test can read it.
//!
//! Nothing here opens a file, reads a clock or starts a thread: time is handed in, and everything
//! is the same in every run.

#![deny(missing_docs)]

mod collect;
mod generator;
mod values;

pub use collect::{Collect, CollectWriter, Collected};
pub use generator::{Generator, GeneratorReader, GeneratorSplit};
pub use values::{Values, ValuesReader, ValuesSplit};
