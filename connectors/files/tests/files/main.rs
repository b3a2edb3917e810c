//! The sources and sinks as a job sees them.

mod bad_lines;
mod compressed;
mod crashes;
mod csv;
mod growth;
mod json_lines;
mod sinks;
mod support;
