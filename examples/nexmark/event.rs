//! The events of an auction house, after the generator of Nexmark (Tucker et al., "NEXMark – A Benchmark
//! for Queries over Data Streams"; <https://github.com/nexmark/nexmark>): of fifty events one is a new
//! person, three are new auctions, and the others bids, half of them on auctions that are hot.
//!
//! Event number `n` is the same in every run and for every reader.

use serde::{Deserialize, Serialize};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Somebody has registered.
    Person(Person),
    /// Something is sold.
    Auction(Auction),
    /// Somebody offers a price.
    Bid(Bid),
}

/// Somebody who sells and buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    pub id: u64,
    pub name: String,
    pub email_address: String,
    pub credit_card: String,
    pub city: String,
    pub state: String,
    pub date_time: i64,
    pub extra: String,
}

/// Something that is sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Auction {
    pub id: u64,
    pub item_name: String,
    pub description: String,
    pub initial_bid: u64,
    pub reserve: u64,
    pub date_time: i64,
    pub expires: i64,
    pub seller: u64,
    pub category: u64,
    pub extra: String,
}

/// A price that is offered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bid {
    pub auction: u64,
    pub bidder: u64,
    /// In cents.
    pub price: u64,
    pub channel: String,
    pub url: String,
    pub date_time: i64,
    pub extra: String,
}

impl Event {
    /// When it happened, in milliseconds since 1970.
    pub fn date_time(&self) -> i64 {
        match self {
            Event::Person(person) => person.date_time,
            Event::Auction(auction) => auction.date_time,
            Event::Bid(bid) => bid.date_time,
        }
    }
}

/// Of so many events
const CYCLE: u64 = 50;
/// so many are persons
const PERSONS: u64 = 1;
/// and so many auctions.
const AUCTIONS: u64 = 3;

/// The first event happens at 2015-07-15T01:00:00Z: no day ends within the first hours.
const BEGIN: i64 = 1_436_922_000_000;
/// So many events happen in each second.
const PER_SECOND: u64 = 10_000;
/// How far events are out of order, in milliseconds.
pub const DISORDER: i64 = 1000;

const FIRST_PERSON: u64 = 1000;
const FIRST_AUCTION: u64 = 1000;
const FIRST_CATEGORY: u64 = 10;

const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES: [&str; 5] = ["Phoenix", "Los Angeles", "Boise", "Portland", "Seattle"];
const NAMES: [&str; 5] = ["Peter", "Paul", "Luke", "Deiter", "Vicky"];
const CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

/// What is random about one event: the same for the same number.
struct Chance(u64);

impl Chance {
    fn of(number: u64) -> Self {
        Chance(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0)
    }

    /// A number below `bound` (Steele et al., "Fast Splittable Pseudorandom Number Generators").
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % bound.max(1)
    }

    fn of_list(&mut self, list: &[&str]) -> String {
        list[self.below(list.len() as u64) as usize].to_string()
    }

    /// A price in cents: small ones are as frequent as large ones.
    fn price(&mut self) -> u64 {
        let digits = self.below(6) as u32;
        (10_u64.pow(digits) + self.below(9 * 10_u64.pow(digits))) * 100
    }
}

/// How many persons there are before event `number`, and how many auctions; at least one.
fn so_far(number: u64) -> (u64, u64) {
    let (cycles, rest) = (number / CYCLE, number % CYCLE);
    let persons = cycles * PERSONS + rest.min(PERSONS);
    let auctions = cycles * AUCTIONS + rest.saturating_sub(PERSONS).min(AUCTIONS);
    (persons.max(1), auctions.max(1))
}

/// Event `number`.
pub fn event(number: u64) -> Event {
    let mut chance = Chance::of(number);
    let date_time =
        BEGIN + (number * 1000 / PER_SECOND) as i64 - chance.below(DISORDER as u64 + 1) as i64;
    let (persons, auctions) = so_far(number);
    match number % CYCLE {
        rest if rest < PERSONS => {
            Event::Person(person(FIRST_PERSON + persons, date_time, &mut chance))
        }
        rest if rest < PERSONS + AUCTIONS => {
            Event::Auction(auction(FIRST_AUCTION + auctions, persons, date_time, &mut chance))
        }
        _ => Event::Bid(bid(persons, auctions, date_time, &mut chance)),
    }
}

fn person(id: u64, date_time: i64, chance: &mut Chance) -> Person {
    let name = chance.of_list(&NAMES);
    Person {
        id,
        email_address: format!("{}@example.com", name.to_lowercase()),
        name,
        credit_card: format!("{:04} {:04}", chance.below(10_000), chance.below(10_000)),
        city: chance.of_list(&CITIES),
        state: chance.of_list(&STATES),
        date_time,
        extra: String::new(),
    }
}

fn auction(id: u64, persons: u64, date_time: i64, chance: &mut Chance) -> Auction {
    let initial_bid = chance.price();
    Auction {
        id,
        item_name: format!("item {}", chance.below(1000)),
        description: "as good as new".to_string(),
        initial_bid,
        reserve: initial_bid + chance.price(),
        date_time,
        expires: date_time + 1000 + chance.below(20_000) as i64,
        seller: FIRST_PERSON + 1 + chance.below(persons),
        category: FIRST_CATEGORY + chance.below(5),
        extra: String::new(),
    }
}

/// One of the last `recent` of so many; every second time the same one for a while.
fn recent(count: u64, recent: u64, chance: &mut Chance) -> u64 {
    if chance.below(2) == 0 {
        return 1 + (count - 1) / 100 * 100;
    }
    let last = count.min(recent);
    1 + count - 1 - chance.below(last)
}

fn bid(persons: u64, auctions: u64, date_time: i64, chance: &mut Chance) -> Bid {
    let channel = chance.of_list(&CHANNELS);
    Bid {
        auction: FIRST_AUCTION + recent(auctions, 100, chance),
        bidder: FIRST_PERSON + recent(persons, 1000, chance),
        price: chance.price(),
        url: format!("https://www.example.com/{}/item.htm?query=1", channel.to_lowercase()),
        channel,
        date_time,
        extra: "x".repeat(chance.below(20) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_fifty_events_one_is_a_person_and_three_are_auctions() {
        let events: Vec<Event> = (0..5000).map(event).collect();
        let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
        assert_eq!(count(|event| matches!(event, Event::Person(_))), 100);
        assert_eq!(count(|event| matches!(event, Event::Auction(_))), 300);
        assert_eq!(events, (0..5000).map(event).collect::<Vec<_>>());
    }

    #[test]
    fn events_are_no_further_out_of_order_than_is_said() {
        let mut latest = BEGIN;
        for event in (0..100_000).map(event) {
            assert!(event.date_time() >= latest - DISORDER, "{event:?}");
            latest = latest.max(event.date_time());
        }
    }
}
