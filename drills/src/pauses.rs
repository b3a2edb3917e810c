//! A process that is held back for a long time at any one call to the disk, while another comes
//! between.
//!
//! A small job runs once with all its calls written down. Then, for each call and each thing that
//! a second process may do: the first is held right before the call, the second acts, the first
//! goes on. Both must end by themselves and honestly, a third must find nothing amiss, and what is
//! there in the end equals what an independent loop computes.
//!
//! Everything that decides a case is in its name (see [`case`]), so each can be played again alone.

pub mod campaign;
pub mod case;
mod play;
mod verdict;
