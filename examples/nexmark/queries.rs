//! The queries, each after the published SQL (<https://github.com/nexmark/nexmark>), with columns named as
//! there.
//!
//! What a query does not look at is left behind before records are divided by key: the strings of a bid
//! would only be carried from task to task to be dropped there.

use std::collections::HashMap;
use std::time::Duration;

use rapidhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use steadfast::prelude::*;
use steadfast::{Average, Count, Max, Min, Sum};

use super::event::{Bid, Event};
use super::rows::{
    AuctionDay, AuctionNum, AuctionPrice, BidRow, BidderCount, ChannelDay, ConvertedBid, Day,
};
use super::sessions::Sessions;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The bids of all events.
pub fn bids(
    events: Stream<impl OperatorChain<Out = Event>>,
) -> Stream<impl OperatorChain<Out = Bid>> {
    events.flat_map(|event| match event {
        Event::Bid(bid) => Some(bid),
        _ => None,
    })
}

/// q0: all bids as they are.
pub fn pass_through(
    bids: Stream<impl OperatorChain<Out = Bid>>,
) -> Stream<impl OperatorChain<Out = BidRow>> {
    bids.map(BidRow::of)
}

/// q1: prices in another currency, exact to a thousandth of a cent.
pub fn currency(
    bids: Stream<impl OperatorChain<Out = Bid>>,
) -> Stream<impl OperatorChain<Out = ConvertedBid>> {
    bids.map(ConvertedBid::of)
}

/// q2: the bids on some auctions.
pub fn selection(
    bids: Stream<impl OperatorChain<Out = Bid>>,
) -> Stream<impl OperatorChain<Out = AuctionPrice>> {
    bids.filter(|bid| bid.auction.is_multiple_of(123))
        .map(|bid| AuctionPrice { auction: bid.auction, price: bid.price })
}

/// q5: the auctions with the most bids in the last ten seconds, every two seconds.
pub fn hot_items(
    bids: Stream<impl OperatorChain<Out = Bid>>,
) -> Stream<impl OperatorChain<Out = AuctionNum>> {
    bids.map(|bid| bid.auction)
        .key_by_ref(|auction| auction)
        .named("bids of auctions")
        .window(Windows::sliding(seconds(10), seconds(2)))
        .count()
        .key_by(|row| row.window.start)
        .named("most bids")
        // Each result is at the end of its window: those of one window are in one of these.
        .window(Windows::tumbling(seconds(2)))
        .aggregate(Hottest)
        .flat_map(|row| row.value)
}

/// Of the counts of one window, those that are the greatest.
struct Hottest;

impl Aggregate<WindowResult<u64, u64>> for Hottest {
    type State = (u64, Vec<u64>);
    type Out = Vec<AuctionNum>;

    fn init(&self) -> Self::State {
        (0, Vec::new())
    }

    fn add(
        &self,
        (most, auctions): &mut Self::State,
        row: &WindowResult<u64, u64>,
    ) -> Result<(), UserError> {
        if row.value > *most {
            *most = row.value;
            auctions.clear();
        }
        if row.value == *most {
            auctions.push(row.key);
        }
        Ok(())
    }

    fn result(&self, (num, auctions): &Self::State) -> Vec<AuctionNum> {
        auctions.iter().map(|auction| AuctionNum { auction: *auction, num: *num }).collect()
    }
}

/// q7: the highest bids of every ten seconds.
pub fn highest_bid(
    bids: Stream<impl OperatorChain<Out = Bid>>,
) -> Stream<impl OperatorChain<Out = BidRow>> {
    bids.map(BidRow::of)
        .key_by(|_| ())
        .named("highest")
        .window(Windows::tumbling(seconds(10)))
        .aggregate(Highest)
        .flat_map(|row| row.value)
}

/// The bids with the highest price.
struct Highest;

impl Aggregate<BidRow> for Highest {
    type State = Vec<BidRow>;
    type Out = Vec<BidRow>;

    fn init(&self) -> Vec<BidRow> {
        Vec::new()
    }

    fn add(&self, highest: &mut Vec<BidRow>, bid: &BidRow) -> Result<(), UserError> {
        let price = highest.first().map_or(0, |bid| bid.price);
        if bid.price > price {
            highest.clear();
        }
        if bid.price >= price {
            highest.push(bid.clone());
        }
        Ok(())
    }

    fn result(&self, highest: &Vec<BidRow>) -> Vec<BidRow> {
        highest.clone()
    }
}

/// q11: how many bids each bidder makes in one session: until nothing comes for ten seconds.
pub fn sessions(
    bids: Stream<impl OperatorChain<Out = Bid>>,
) -> Stream<impl OperatorChain<Out = BidderCount>> {
    bids.map(|bid| bid.bidder)
        .key_by_ref(|bidder| bidder)
        .named("sessions")
        .process_with(|states| Sessions::new(states, seconds(10)))
}

/// q12: how many bids of each bidder are processed every ten seconds, by the clock on the wall.
pub fn by_the_clock(
    bids: Stream<impl OperatorChain<Out = Bid>>,
) -> Stream<impl OperatorChain<Out = BidderCount>> {
    bids.map(|bid| bid.bidder)
        .key_by_ref(|bidder| bidder)
        .named("by the clock")
        .window(Windows::tumbling(seconds(10)).by_processing_time())
        .count()
        .map(|row| BidderCount {
            bidder: row.key,
            bid_count: row.value,
            starttime: row.window.start.0,
            endtime: row.window.end.0,
        })
}

/// What q15 and q16 look at of a bid.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Offer {
    pub auction: u64,
    pub bidder: u64,
    pub price: u64,
    pub date_time: i64,
}

impl Offer {
    pub fn of(bid: &Bid) -> Self {
        let Bid { auction, bidder, price, date_time, .. } = *bid;
        Offer { auction, bidder, price, date_time }
    }
}

/// How expensive a bid is: cheap, middling, dear.
pub fn rank(price: u64) -> usize {
    match price {
        ..10_000 => 0,
        10_000..1_000_000 => 1,
        _ => 2,
    }
}

/// How many different ones there are, in all and of each rank.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Distinct {
    /// Where each is counted already: a bit for each place.
    seen: HashMap<u64, u8, RandomState>,
    pub counts: [u64; 4],
}

impl Distinct {
    fn add(&mut self, which: u64, places: [usize; 2]) {
        let seen = self.seen.entry(which).or_default();
        for place in places {
            self.counts[place] += u64::from(*seen & (1 << place) == 0);
            *seen |= 1 << place;
        }
    }
}

/// How many bids there are, of all ranks and of each; by how many bidders, on how many auctions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Statistics {
    pub bids: [u64; 4],
    pub bidders: Distinct,
    pub auctions: Distinct,
    pub latest: i64,
}

impl Statistics {
    pub fn add(&mut self, offer: &Offer) {
        let places = [0, 1 + rank(offer.price)];
        places.iter().for_each(|place| self.bids[*place] += 1);
        self.bidders.add(offer.bidder, places);
        self.auctions.add(offer.auction, places);
        self.latest = self.latest.max(offer.date_time);
    }
}

/// The day that a time is in.
pub fn day(date_time: i64) -> i64 {
    date_time.div_euclid(24 * 60 * 60 * 1000)
}

/// q15: statistics of each day, brought up to date with each checkpoint.
pub fn days(
    bids: Stream<impl OperatorChain<Out = Bid>>,
    emit: Emit,
) -> Stream<impl OperatorChain<Out = Day>> {
    bids.map(|bid| Offer::of(&bid))
        .key_by(|offer| day(offer.date_time))
        .named("days")
        .fold(emit, Statistics::default, Statistics::add)
        .map(|(day, statistics)| Day::of(day, &statistics))
}

/// q16: the same for each channel.
pub fn channels(
    bids: Stream<impl OperatorChain<Out = Bid>>,
    emit: Emit,
) -> Stream<impl OperatorChain<Out = ChannelDay>> {
    bids.map(|bid| (Offer::of(&bid), (bid.channel, day(bid.date_time))))
        .key_by_ref(|(_, channel_and_day)| channel_and_day)
        .named("channels")
        .fold(emit, Statistics::default, |statistics, (offer, _)| statistics.add(offer))
        .map(|((channel, day), statistics)| ChannelDay::of(channel, day, &statistics))
}

/// A price for an auction on a day.
type Price = ((u64, i64), u64);

/// How many bids of each rank.
#[derive(Clone, Copy)]
struct Ranks;

impl Aggregate<Price> for Ranks {
    type State = [u64; 3];
    type Out = [u64; 3];

    fn init(&self) -> [u64; 3] {
        [0; 3]
    }

    fn add(&self, ranks: &mut [u64; 3], bid: &Price) -> Result<(), UserError> {
        ranks[rank(bid.1)] += 1;
        Ok(())
    }

    fn result(&self, ranks: &[u64; 3]) -> [u64; 3] {
        *ranks
    }
}

/// q17: the bids and prices of each auction and day.
pub fn auctions(
    bids: Stream<impl OperatorChain<Out = Bid>>,
    emit: Emit,
) -> Stream<impl OperatorChain<Out = AuctionDay>> {
    let price = |(_, price): &Price| *price;
    let all = (Count, Ranks, Min::of(price), Max::of(price), Average(price), Sum(price));
    bids.map(|bid| ((bid.auction, day(bid.date_time)), bid.price))
        .key_by_ref(|(key, _)| key)
        .named("auctions")
        .aggregate(emit, all)
        .map(|((auction, day), (total, ranks, min, max, average, sum))| AuctionDay {
            auction,
            day: super::rows::date(day),
            total_bids: total,
            rank1_bids: ranks[0],
            rank2_bids: ranks[1],
            rank3_bids: ranks[2],
            min_price: min.unwrap_or_default(),
            max_price: max.unwrap_or_default(),
            avg_price: average.value(),
            sum_price: u64::try_from(sum).unwrap_or(u64::MAX),
        })
}
