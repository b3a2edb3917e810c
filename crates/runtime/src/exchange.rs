//! How records get from the tasks of one stage to those of the next: bounded channels, the inbox
//! that merges and aligns them, and the ports that distribute records among them.

pub mod align;
pub mod channel;
pub mod output;
pub mod output_collector;
