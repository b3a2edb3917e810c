//! Tasks: a stage × one parallel index, as a state machine.

mod context;
mod cut;
mod operator;
mod restore;
mod source;

pub use context::{JobContext, Meter, TaskContext, WiringEnds};
pub use operator::{OperatorPipe, OperatorTask};
pub use source::{DeadLetterPort, SourcePipe, SourceTask};
