//! The rows of the queries: as JSON they have the columns of the published SQL, and so have tables.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use steadfast::prelude::*;
use steadfast::sqlite::RowWriter;

use super::event::Bid;
use super::queries::Statistics;

/// A row of a result.
pub trait Row: Data + Sync {
    /// Names and types of the columns.
    const COLUMNS: &[(&str, &str)];
    /// The columns that a row is replaced by; none: rows are appended.
    const KEY: &[&str];

    fn write(&self, out: &mut RowWriter);
}

trait Cell {
    const TYPE: &str;
    fn put(&self, out: &mut RowWriter);
}

impl Cell for u64 {
    const TYPE: &str = "INTEGER";

    fn put(&self, out: &mut RowWriter) {
        out.integer(i64::try_from(*self).unwrap_or(i64::MAX));
    }
}

impl Cell for i64 {
    const TYPE: &str = "INTEGER";

    fn put(&self, out: &mut RowWriter) {
        out.integer(*self);
    }
}

impl Cell for f64 {
    const TYPE: &str = "REAL";

    fn put(&self, out: &mut RowWriter) {
        out.real(*self);
    }
}

impl Cell for String {
    const TYPE: &str = "TEXT";

    fn put(&self, out: &mut RowWriter) {
        out.text(self);
    }
}

macro_rules! row {
    ($(#[$doc:meta])* $name:ident by [$($key:literal),*] { $($field:ident: $type:ty = $column:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            $(#[serde(rename = $column)] pub $field: $type,)*
        }

        impl Row for $name {
            const COLUMNS: &[(&str, &str)] = &[$(($column, <$type as Cell>::TYPE)),*];
            const KEY: &[&str] = &[$($key),*];

            fn write(&self, out: &mut RowWriter) {
                $(self.$field.put(out);)*
            }
        }
    };
}

row!(
    /// A bid.
    BidRow by [] {
        auction: u64 = "auction",
        bidder: u64 = "bidder",
        price: u64 = "price",
        date_time: i64 = "dateTime",
        extra: String = "extra",
    }
);

row!(
    /// A bid in another currency.
    ConvertedBid by [] {
        auction: u64 = "auction",
        bidder: u64 = "bidder",
        price: String = "price",
        date_time: i64 = "dateTime",
        extra: String = "extra",
    }
);

row!(
    /// What was offered for an auction.
    AuctionPrice by [] { auction: u64 = "auction", price: u64 = "price" }
);

row!(
    /// How many bids an auction had.
    AuctionNum by [] { auction: u64 = "auction", num: u64 = "num" }
);

row!(
    /// How many bids a bidder made in a span of time.
    BidderCount by [] {
        bidder: u64 = "bidder",
        bid_count: u64 = "bid_count",
        starttime: i64 = "starttime",
        endtime: i64 = "endtime",
    }
);

row!(
    /// The bids of a day.
    Day by ["day"] {
        day: String = "day",
        total_bids: u64 = "total_bids",
        rank1_bids: u64 = "rank1_bids",
        rank2_bids: u64 = "rank2_bids",
        rank3_bids: u64 = "rank3_bids",
        total_bidders: u64 = "total_bidders",
        rank1_bidders: u64 = "rank1_bidders",
        rank2_bidders: u64 = "rank2_bidders",
        rank3_bidders: u64 = "rank3_bidders",
        total_auctions: u64 = "total_auctions",
        rank1_auctions: u64 = "rank1_auctions",
        rank2_auctions: u64 = "rank2_auctions",
        rank3_auctions: u64 = "rank3_auctions",
    }
);

row!(
    /// The bids of a channel on a day.
    ChannelDay by ["channel", "day"] {
        channel: String = "channel",
        day: String = "day",
        minute: String = "minute",
        total_bids: u64 = "total_bids",
        rank1_bids: u64 = "rank1_bids",
        rank2_bids: u64 = "rank2_bids",
        rank3_bids: u64 = "rank3_bids",
        total_bidders: u64 = "total_bidders",
        rank1_bidders: u64 = "rank1_bidders",
        rank2_bidders: u64 = "rank2_bidders",
        rank3_bidders: u64 = "rank3_bidders",
        total_auctions: u64 = "total_auctions",
        rank1_auctions: u64 = "rank1_auctions",
        rank2_auctions: u64 = "rank2_auctions",
        rank3_auctions: u64 = "rank3_auctions",
    }
);

row!(
    /// The bids on an auction on a day.
    AuctionDay by ["auction", "day"] {
        auction: u64 = "auction",
        day: String = "day",
        total_bids: u64 = "total_bids",
        rank1_bids: u64 = "rank1_bids",
        rank2_bids: u64 = "rank2_bids",
        rank3_bids: u64 = "rank3_bids",
        min_price: u64 = "min_price",
        max_price: u64 = "max_price",
        avg_price: f64 = "avg_price",
        sum_price: u64 = "sum_price",
    }
);

impl BidRow {
    pub fn of(bid: Bid) -> Self {
        let Bid { auction, bidder, price, date_time, extra, .. } = bid;
        BidRow { auction, bidder, price, date_time, extra }
    }
}

impl ConvertedBid {
    pub fn of(bid: Bid) -> Self {
        let Bid { auction, bidder, date_time, extra, .. } = bid;
        // 0.908 × the price: thousandths are exact in whole numbers.
        let thousandths = u128::from(bid.price) * 908;
        let price = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
        ConvertedBid { auction, bidder, price, date_time, extra }
    }
}

fn format(millis: i64, how: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime(how).to_string()
}

/// A day since 1970, as it is written.
pub fn date(day: i64) -> String {
    format(day * 24 * 60 * 60 * 1000, "%Y-%m-%d")
}

impl Day {
    pub fn of(day: i64, statistics: &Statistics) -> Self {
        let [total_bids, rank1_bids, rank2_bids, rank3_bids] = statistics.bids;
        let (bidders, auctions) = (&statistics.bidders.counts, &statistics.auctions.counts);
        Day {
            day: date(day),
            total_bids,
            rank1_bids,
            rank2_bids,
            rank3_bids,
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
}

impl ChannelDay {
    pub fn of(channel: String, day: i64, statistics: &Statistics) -> Self {
        let of_day = Day::of(day, statistics);
        ChannelDay {
            channel,
            day: of_day.day,
            minute: format(statistics.latest, "%H:%M"),
            total_bids: of_day.total_bids,
            rank1_bids: of_day.rank1_bids,
            rank2_bids: of_day.rank2_bids,
            rank3_bids: of_day.rank3_bids,
            total_bidders: of_day.total_bidders,
            rank1_bidders: of_day.rank1_bidders,
            rank2_bidders: of_day.rank2_bidders,
            rank3_bidders: of_day.rank3_bidders,
            total_auctions: of_day.total_auctions,
            rank1_auctions: of_day.rank1_auctions,
            rank2_auctions: of_day.rank2_auctions,
            rank3_auctions: of_day.rank3_auctions,
        }
    }
}

/// A table for rows of this kind.
pub fn table<R: Row>(path: PathBuf, name: &str) -> Sqlite<R> {
    let columns = R::COLUMNS.iter().map(|(column, kind)| format!("{column} {kind}"));
    let key = (!R::KEY.is_empty()).then(|| format!("PRIMARY KEY ({})", R::KEY.join(", ")));
    let parts: Vec<String> = columns.chain(key).collect();
    let sink = Sqlite::new(path)
        .table(name)
        .create(format!("CREATE TABLE IF NOT EXISTS {name}({})", parts.join(", ")))
        .columns(R::COLUMNS.iter().map(|(column, _)| *column))
        .row(|row: &R, out: &mut RowWriter| row.write(out));
    if R::KEY.is_empty() { sink } else { sink.key(R::KEY.iter().copied()) }
}
