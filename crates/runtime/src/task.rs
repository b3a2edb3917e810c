//! Tasks: a stage × one parallel index, as a state machine.

mod operator;
mod restore;
mod snapshot;
mod source;

pub use operator::{OperatorHead, OperatorTask};
pub use source::{DeadLetterOutput, SourceHead, SourceTask};
