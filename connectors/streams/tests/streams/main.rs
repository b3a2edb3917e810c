//! Sources of lines at real sockets.

mod connecting;
mod listening;
mod support;
mod waiting;
