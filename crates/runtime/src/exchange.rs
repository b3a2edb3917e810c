//! How records get from the tasks of one stage to those of the next: bounded channels, the input gate
//! that merges and aligns them, and the outputs that distribute records among them.

pub(crate) mod align;
pub(crate) mod channel;
pub mod edge;
pub mod output;
pub mod output_collector;
