//! A fault at every call to the disk that a small job makes: files that no simulated disk can serve,
//! SQLite's before all, and the operating system's answers to all the others.
//!
//! A small job runs once with all its calls written down, reads and looks at files included. Then, for
//! each call and each fault that it can meet: a process runs into it. It ends with the right result or
//! with an error that says what failed and where. A second without faults finishes the job, a third
//! finds nothing to do, and what is there in the end equals what an independent loop computes.
//!
//! Power loss cannot be shown this way. Instead every recording is held against the order of steps
//! that survives it (see `durability`).
//!
//! Everything that decides a case is in its name (see [`case`]), so each can be played again alone.

pub mod campaign;
pub mod case;
mod play;
mod verdict;
