//! The tests inside the parts of the payments job, which no test run would reach in an example.
#![allow(dead_code, reason = "the parts are used in full by the example alone")]

#[path = "../payments/event.rs"]
mod event;
#[path = "../payments/generate.rs"]
mod generate;
