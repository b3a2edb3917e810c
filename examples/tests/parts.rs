//! The tests inside the parts of jobs, which no test run would reach in an example.
#![allow(dead_code, reason = "the parts are used in full by the example alone")]

#[path = "../nexmark/event.rs"]
mod auctions;
#[path = "../payments/event.rs"]
mod event;
#[path = "../payments/generate.rs"]
mod generate;
#[path = "../access_log/line.rs"]
mod line;
