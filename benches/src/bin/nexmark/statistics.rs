//! What q15 and q16 count of bids, by hand.

use hashbrown::HashMap;
use rapidhash::fast::RandomState;

use crate::event::Bid;
use crate::rows::{ChannelDay, Day, date};

/// How expensive a bid is: cheap, middling, dear.
pub fn rank(price: u64) -> usize {
    usize::from(price >= 10_000) + usize::from(price >= 1_000_000)
}

/// How many different ones there are, of all ranks and of each.
#[derive(Default)]
struct Distinct {
    /// In which places each has been counted, as bits.
    places: HashMap<u64, u8, RandomState>,
    counts: [u64; 4],
}

impl Distinct {
    #[inline]
    fn add(&mut self, which: u64, rank: usize) {
        let places = self.places.entry(which).or_default();
        for place in [0, 1 + rank] {
            if *places & (1 << place) == 0 {
                *places |= 1 << place;
                self.counts[place] += 1;
            }
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Statistics {
    bids: [u64; 4],
    bidders: Distinct,
    auctions: Distinct,
    latest: i64,
}

impl Statistics {
    #[inline]
    pub fn add(&mut self, bid: &Bid) {
        let rank = rank(bid.price);
        self.bids[0] += 1;
        self.bids[1 + rank] += 1;
        self.bidders.add(bid.bidder, rank);
        self.auctions.add(bid.auction, rank);
        self.latest = self.latest.max(bid.date_time);
    }

    pub fn day(&self, day: i64) -> Day {
        let (bidders, auctions) = (&self.bidders.counts, &self.auctions.counts);
        Day {
            day: date(day),
            total_bids: self.bids[0],
            rank1_bids: self.bids[1],
            rank2_bids: self.bids[2],
            rank3_bids: self.bids[3],
            total_bidders: bidders[0],
            rank1_bidders: bidders[1],
            rank2_bidders: bidders[2],
            rank3_bidders: bidders[3],
            total_auctions: auctions[0],
            rank1_auctions: auctions[1],
            rank2_auctions: auctions[2],
            rank3_auctions: auctions[3],
        }
    }

    pub fn channel_day(&self, channel: String, day: i64) -> ChannelDay {
        ChannelDay::with(channel, self.latest, self.day(day))
    }
}
