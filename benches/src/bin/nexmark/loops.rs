//! The queries by hand: one loop of one thread for each, as fast as we could reasonably write it, without any
//! fault tolerance.
//!
//! What a query says is what they do, and rows are complete and emitted when the engine's are: windows and
//! sessions when no record that keeps the declared disorder can change them, the rest at the end.

use std::hint::black_box;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hashbrown::HashMap;
use rapidhash::fast::RandomState;

use crate::Outcome;
use crate::event::{Bid, DISORDER, Event};
use crate::open_sessions::OpenSessions;
use crate::queries::{Offer, Statistics, day, rank};
use crate::rows::{
    AuctionDay, AuctionNum, AuctionPrice, BidRow, BidderCount, ChannelDay, ConvertedBid, Day, Row,
    date,
};
use crate::slices::Slices;
use crate::tally::{self, Checksum, Tally};

type Map<K, V> = HashMap<K, V, RandomState>;

/// Runs a query over these events; [`NOTHING`](crate::NOTHING) only makes them.
pub fn run(query: u8, events: &[Event], checksum: bool) -> Outcome {
    let run = Run { events, checksum };
    match query {
        0 => run.through(pass_through),
        1 => run.through(currency),
        2 => run.through(selection),
        5 => run.through(hot_items),
        7 => run.through(highest_bid),
        11 => run.through(sessions),
        12 => run.through_with(by_the_clock, tally::of_count),
        15 => run.through(days),
        16 => run.through(channels),
        17 => run.through(auctions),
        _ => run.through(nothing),
    }
}

struct Run<'a> {
    events: &'a [Event],
    checksum: bool,
}

impl Run<'_> {
    fn through<R: Row>(self, through: impl FnOnce(&[Event], &mut Tally<R>)) -> Outcome {
        self.through_with(through, tally::of_row)
    }

    fn through_with<R: Row>(
        self,
        through: impl FnOnce(&[Event], &mut Tally<R>),
        of: Checksum<R>,
    ) -> Outcome {
        let Run { events, checksum } = self;
        let count = events.len() as u64;
        let mut tally = Tally::new(checksum.then_some(of));
        let began = Instant::now();
        through(events, &mut tally);
        let seconds = began.elapsed().as_secs_f64();
        Outcome {
            events: count,
            seconds: Some(seconds),
            finished_seconds: seconds,
            rows: tally.rows,
            checksum: checksum.then_some(tally.checksum),
        }
    }
}

/// Makes each event, and shows the bids. Nothing of an event is left out because nobody looks at it.
#[inline]
fn bids(events: &[Event], mut each: impl FnMut(Bid)) {
    for event in events.iter().cloned() {
        black_box(&event);
        if let Event::Bid(bid) = event {
            each(bid);
        }
    }
}

/// What making and dropping events alone costs.
fn nothing(events: &[Event], _out: &mut Tally<BidRow>) {
    bids(events, drop);
}

fn pass_through(events: &[Event], out: &mut Tally<BidRow>) {
    bids(events, |bid| out.take(BidRow::of(bid)));
}

fn currency(events: &[Event], out: &mut Tally<ConvertedBid>) {
    bids(events, |bid| out.take(ConvertedBid::of(bid)));
}

fn selection(events: &[Event], out: &mut Tally<AuctionPrice>) {
    bids(events, |bid| {
        if bid.auction.is_multiple_of(123) {
            out.take(AuctionPrice { auction: bid.auction, price: bid.price });
        }
    });
}

/// The time up to which everything has come, if every event keeps the declared disorder.
fn complete_until(latest: i64) -> i64 {
    latest - DISORDER
}

/// q5: windows of so many slices, which are counted once for all windows that share them.
const SLICE: i64 = 2000;
const SLICES: i64 = 5;

fn hot_items(events: &[Event], out: &mut Tally<AuctionNum>) {
    let mut slices = Slices::<Map<u64, u64>>::new(SLICE);
    let mut counts = Map::default();
    let mut show = |slices: &Slices<Map<u64, u64>>, last: i64| {
        counts.clear();
        for slice in last + 1 - SLICES..=last {
            for (auction, num) in slices.get(slice).into_iter().flatten() {
                *counts.entry(*auction).or_insert(0) += num;
            }
        }
        let most = counts.values().copied().max().unwrap_or_default();
        let hottest = counts.iter().filter(|(_, num)| **num == most);
        hottest.for_each(|(auction, num)| out.take(AuctionNum { auction: *auction, num: *num }));
    };
    let (mut latest, mut due, mut next) = (i64::MIN, i64::MIN, None);
    bids(events, |bid| {
        *slices.at(bid.date_time).entry(bid.auction).or_default() += 1;
        if bid.date_time > latest {
            latest = bid.date_time;
            while complete_until(latest) >= due {
                let last = next.unwrap_or(slices.first());
                due = (last + 1) * SLICE;
                if complete_until(latest) >= due {
                    show(&slices, last);
                    slices.forget_before(last + 2 - SLICES);
                    next = Some(last + 1);
                }
            }
        }
    });
    let next = next.unwrap_or(slices.first());
    (next..slices.end() + SLICES - 1).for_each(|last| show(&slices, last));
}

/// q7: how long a window is.
const WINDOW: i64 = 10_000;

fn highest_bid(events: &[Event], out: &mut Tally<BidRow>) {
    let mut windows = Slices::<Vec<BidRow>>::new(WINDOW);
    let (mut latest, mut due) = (i64::MIN, i64::MIN);
    bids(events, |bid| {
        let at = bid.date_time;
        let highest = windows.at(at);
        let price = highest.first().map_or(0, |row| row.price);
        if bid.price > price {
            highest.clear();
        }
        if bid.price >= price {
            highest.push(BidRow::of(bid));
        }
        if at > latest {
            latest = at;
            while complete_until(latest) >= due {
                due = (windows.first() + 1) * WINDOW;
                if complete_until(latest) >= due {
                    windows.take_first().into_iter().for_each(|row| out.take(row));
                }
            }
        }
    });
    while !windows.is_empty() {
        windows.take_first().into_iter().for_each(|row| out.take(row));
    }
}

/// q11: how often is looked for sessions that are over, in event time.
const LOOK: i64 = 1000;

fn sessions(events: &[Event], out: &mut Tally<BidderCount>) {
    let mut open = OpenSessions::default();
    let mut look_at = i64::MIN;
    bids(events, |bid| {
        open.add(bid.bidder, bid.date_time);
        if bid.date_time >= look_at {
            look_at = bid.date_time + LOOK;
            open.take_over(complete_until(bid.date_time), |row| out.take(row));
        }
    });
    open.take_over(i64::MAX, |row| out.take(row));
}

/// q12: after so many bids the clock is looked at.
const BETWEEN_LOOKS: u32 = 1024;

fn by_the_clock(events: &[Event], out: &mut Tally<BidderCount>) {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as i64);
    let mut counts = Map::<u64, u64>::default();
    let mut window = now().div_euclid(WINDOW);
    let mut since = 0;
    let mut show = |counts: &mut Map<u64, u64>, window: i64| {
        let (starttime, endtime) = (window * WINDOW, (window + 1) * WINDOW);
        for (bidder, bid_count) in counts.drain() {
            out.take(BidderCount { bidder, bid_count, starttime, endtime });
        }
    };
    bids(events, |bid| {
        since += 1;
        if since == BETWEEN_LOOKS {
            since = 0;
            let current = now().div_euclid(WINDOW);
            if current != window {
                show(&mut counts, window);
                window = current;
            }
        }
        *counts.entry(bid.bidder).or_default() += 1;
    });
    show(&mut counts, window);
}

fn days(events: &[Event], out: &mut Tally<Day>) {
    let mut days = Map::<i64, Statistics>::default();
    bids(events, |bid| days.entry(day(bid.date_time)).or_default().add(&Offer::of(&bid)));
    days.iter().for_each(|(day, statistics)| out.take(Day::of(*day, statistics)));
}

fn channels(events: &[Event], out: &mut Tally<ChannelDay>) {
    let mut channels = Map::<String, Map<i64, Statistics>>::default();
    bids(events, |bid| {
        let days = match channels.get_mut(&bid.channel) {
            Some(days) => days,
            None => channels.entry(bid.channel.clone()).or_default(),
        };
        days.entry(day(bid.date_time)).or_default().add(&Offer::of(&bid));
    });
    for (channel, days) in &channels {
        let rows = days.iter();
        rows.for_each(|(day, s)| out.take(ChannelDay::of(channel.clone(), *day, s)));
    }
}

/// The bids of an auction on a day.
struct Prices {
    ranks: [u64; 3],
    min: u64,
    max: u64,
    sum: u64,
}

fn auctions(events: &[Event], out: &mut Tally<AuctionDay>) {
    let mut auctions = Map::<(u64, i64), Prices>::default();
    let none = || Prices { ranks: [0; 3], min: u64::MAX, max: 0, sum: 0 };
    bids(events, |bid| {
        let key = (bid.auction, day(bid.date_time));
        let prices = auctions.entry(key).or_insert_with(none);
        prices.ranks[rank(bid.price)] += 1;
        prices.min = prices.min.min(bid.price);
        prices.max = prices.max.max(bid.price);
        prices.sum += bid.price;
    });
    for ((auction, day), Prices { ranks, min, max, sum }) in auctions {
        let total_bids = ranks.iter().sum();
        out.take(AuctionDay {
            auction,
            day: date(day),
            total_bids,
            rank1_bids: ranks[0],
            rank2_bids: ranks[1],
            rank3_bids: ranks[2],
            min_price: min,
            max_price: max,
            avg_price: sum as f64 / total_bids as f64,
            sum_price: sum,
        });
    }
}
