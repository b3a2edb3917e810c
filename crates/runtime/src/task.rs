//! Tasks: a stage × one parallel index, as a state machine.

mod cut;
mod operator;
mod restore;
mod source;

pub use operator::{OperatorPipe, OperatorTask};
pub use source::{DeadLetterPort, SourcePipe, SourceTask};
