//! The simulated parts keep the contracts of the real ones: where they did not, what is proved with
//! them would be proved of something else.

mod disk;
mod store;
mod table;
