//! Tasks: a stage × one parallel index, as a state machine.

mod bad_input;
mod discovering;
mod finished_splits;
mod operator;
mod restore;
#[cfg(test)]
mod scene;
mod snapshot;
mod source;
mod source_head;
mod source_output;
mod split_queue;

pub use finished_splits::remembered as remembered_splits;
pub use operator::OperatorHead;
pub use source_head::SourceHead;
