//! The sources and sinks as a job sees them.

mod bad_lines;
mod compressed;
mod conformance;
mod crashes;
mod csv;
mod folders;
mod follow;
mod followed_logs;
mod growth;
mod history;
mod identity;
mod json_lines;
mod model_disk;
mod replaced;
mod seek;
mod silent_disk;
mod sinks;
mod sleepers;
mod sources;
mod support;
mod watched;
