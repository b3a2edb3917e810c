//! Counts rows: what both ways end in.

use std::hash::{BuildHasher, Hash};
use std::hint::black_box;

use rapidhash::fast::SeedableState;
use serde::Serialize;

use crate::rows::BidderCount;

/// Tells a number of a row; those of all rows are added up, in whatever order they come.
pub type Checksum<R> = fn(&R) -> u64;

/// The same in every process.
fn hash(value: impl Hash) -> u64 {
    SeedableState::fixed().hash_one(value)
}

/// A hash of the row as JSON.
pub fn of_row<R: Serialize>(row: &R) -> u64 {
    hash(serde_json::to_vec(row).expect("rows can be written as JSON"))
}

/// The same for all ways to divide the bids of a bidder, which the clock on the wall decides.
pub fn of_count(row: &BidderCount) -> u64 {
    hash(row.bidder).wrapping_mul(row.bid_count)
}

/// How many rows there were.
pub struct Tally<R> {
    pub rows: u64,
    pub checksum: u64,
    of: Option<Checksum<R>>,
}

impl<R> Tally<R> {
    /// None yet. Without a checksum they are counted only.
    pub fn new(of: Option<Checksum<R>>) -> Self {
        Tally { rows: 0, checksum: 0, of }
    }

    /// Counts a row and drops it.
    #[inline]
    pub fn take(&mut self, row: R) {
        self.rows += 1;
        if let Some(of) = self.of {
            self.checksum = self.checksum.wrapping_add(of(&row));
        }
        black_box(&row);
    }
}
