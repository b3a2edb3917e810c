//! Tasks: a stage × one parallel index, as a state machine.

mod bad_input;
mod operator;
mod restore;
#[cfg(test)]
mod scene;
mod snapshot;
mod source;
mod source_head;
mod split_queue;

pub use operator::{OperatorHead, OperatorTask};
pub use source::SourceTask;
pub use source_head::{DeadLetterOutput, SourceHead};
