//! Each query of Nexmark against a straightforward computation over the same file, with processes that are
//! killed again and again.

mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use process::{Folder, json};
use serde_json::{Value, json as value};

const EVENTS: &str = "60000";
const DAY: i64 = 24 * 60 * 60 * 1000;

/// The bids of the file, as they stand there.
fn bids(folder: &Folder) -> Vec<Value> {
    let text = fs::read_to_string(folder.path("events.jsonl")).unwrap();
    let events = text.lines().map(|line| json(line));
    events.filter_map(|mut event| event.get_mut("Bid").map(Value::take)).collect()
}

fn number(bid: &Value, field: &str) -> i64 {
    bid[field].as_i64().unwrap()
}

fn only(bid: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| (field.to_string(), bid[*field].clone())).collect()
}

const BID: [&str; 5] = ["auction", "bidder", "price", "dateTime", "extra"];

/// The bids of each auction in each of the last ten seconds, every two seconds; those with the most.
fn hot_items(bids: &[Value]) -> Vec<Value> {
    let mut windows: BTreeMap<i64, BTreeMap<i64, u64>> = BTreeMap::new();
    for bid in bids {
        let at = number(bid, "dateTime");
        for back in 0..5 {
            let start = at.div_euclid(2000) * 2000 - back * 2000;
            *windows.entry(start).or_default().entry(number(bid, "auction")).or_default() += 1;
        }
    }
    let hottest = windows.values().flat_map(|auctions| {
        let most = *auctions.values().max().unwrap();
        auctions.iter().filter(move |(_, num)| **num == most)
    });
    hottest.map(|(auction, num)| value!({ "auction": auction, "num": num })).collect()
}

fn highest(bids: &[Value]) -> Vec<Value> {
    let mut windows: BTreeMap<i64, Vec<&Value>> = BTreeMap::new();
    for bid in bids {
        windows.entry(number(bid, "dateTime").div_euclid(10_000)).or_default().push(bid);
    }
    let highest = windows.values().flat_map(|bids| {
        let most = bids.iter().map(|bid| number(bid, "price")).max().unwrap();
        bids.iter().filter(move |bid| number(bid, "price") == most)
    });
    highest.map(|bid| only(bid, &BID)).collect()
}

fn sessions(bids: &[Value]) -> Vec<Value> {
    let mut times: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for bid in bids {
        times.entry(number(bid, "bidder")).or_default().push(number(bid, "dateTime"));
    }
    let mut rows = Vec::new();
    for (bidder, mut times) in times {
        times.sort_unstable();
        for session in times.chunk_by(|one, next| next - one < 10_000) {
            rows.push(value!({
                "bidder": bidder,
                "bid_count": session.len(),
                "starttime": session[0],
                "endtime": session[session.len() - 1] + 10_000,
            }));
        }
    }
    rows
}

fn rank(bid: &Value) -> usize {
    match number(bid, "price") {
        ..10_000 => 1,
        10_000..1_000_000 => 2,
        _ => 3,
    }
}

const PLACES: [&str; 4] = ["total", "rank1", "rank2", "rank3"];

/// What q15 and q16 say of some bids.
fn statistics(bids: &[&Value]) -> BTreeMap<String, Value> {
    let mut row = BTreeMap::new();
    for (place, name) in PLACES.iter().enumerate() {
        let of_rank = || bids.iter().filter(move |bid| place == 0 || rank(bid) == place);
        let distinct =
            |field| of_rank().map(|bid| number(bid, field)).collect::<BTreeSet<_>>().len();
        row.insert(format!("{name}_bids"), of_rank().count().into());
        row.insert(format!("{name}_bidders"), distinct("bidder").into());
        row.insert(format!("{name}_auctions"), distinct("auction").into());
    }
    row
}

/// All events happen on one day.
const DATE: &str = "2015-07-15";

fn grouped<K: Ord>(bids: &[Value], key: impl Fn(&Value) -> K) -> BTreeMap<K, Vec<&Value>> {
    let mut groups: BTreeMap<K, Vec<&Value>> = BTreeMap::new();
    bids.iter().for_each(|bid| groups.entry(key(bid)).or_default().push(bid));
    groups
}

fn channels(bids: &[Value]) -> Vec<Value> {
    let rows = grouped(bids, |bid| bid["channel"].as_str().unwrap().to_string()).into_iter();
    rows.map(|(channel, bids)| {
        let mut row = statistics(&bids);
        let latest = bids.iter().map(|bid| number(bid, "dateTime")).max().unwrap();
        let minutes = latest.rem_euclid(DAY) / 60_000;
        row.insert("minute".into(), format!("{:02}:{:02}", minutes / 60, minutes % 60).into());
        row.insert("channel".into(), channel.into());
        row.insert("day".into(), DATE.into());
        row.into_iter().collect()
    })
    .collect()
}

fn auctions(bids: &[Value]) -> Vec<Value> {
    let rows = grouped(bids, |bid| number(bid, "auction")).into_iter();
    rows.map(|(auction, bids)| {
        let prices: Vec<i64> = bids.iter().map(|bid| number(bid, "price")).collect();
        let of_rank = |wanted| bids.iter().filter(|bid| rank(bid) == wanted).count();
        let sum: i64 = prices.iter().sum();
        value!({
            "auction": auction,
            "day": DATE,
            "total_bids": prices.len(),
            "rank1_bids": of_rank(1),
            "rank2_bids": of_rank(2),
            "rank3_bids": of_rank(3),
            "min_price": prices.iter().min(),
            "max_price": prices.iter().max(),
            "avg_price": sum as f64 / prices.len() as f64,
            "sum_price": sum,
        })
    })
    .collect()
}

fn expected(query: u8, bids: &[Value]) -> Vec<Value> {
    match query {
        0 => bids.iter().map(|bid| only(bid, &BID)).collect(),
        1 => {
            let converted = |bid: &Value| {
                let mut row = only(bid, &BID);
                let thousandths = number(bid, "price") * 908;
                row["price"] = format!("{}.{:03}", thousandths / 1000, thousandths % 1000).into();
                row
            };
            bids.iter().map(converted).collect()
        }
        2 => {
            let some = bids.iter().filter(|bid| number(bid, "auction") % 123 == 0);
            some.map(|bid| only(bid, &["auction", "price"])).collect()
        }
        5 => hot_items(bids),
        7 => highest(bids),
        11 => sessions(bids),
        15 => {
            let mut row = statistics(&bids.iter().collect::<Vec<_>>());
            row.insert("day".into(), DATE.into());
            vec![row.into_iter().collect()]
        }
        16 => channels(bids),
        _ => auctions(bids),
    }
}

/// Rows as text, in an order of their own. Fractions are read as those of the output are, in which the last
/// digit may be lost.
fn sorted(rows: Vec<Value>) -> Vec<String> {
    let mut rows: Vec<String> =
        rows.into_iter().map(|row| json(&row.to_string()).to_string()).collect();
    rows.sort();
    rows
}

fn shown(folder: &Folder, output: &str) -> Vec<Value> {
    let parts = fs::read_dir(folder.path(output)).unwrap().map(|part| part.unwrap().path());
    let parts = parts.filter(|part| part.extension().is_some_and(|ending| ending == "jsonl"));
    let text: String = parts.map(|part| fs::read_to_string(part).unwrap()).collect();
    text.lines().map(|line| json(line)).collect()
}

/// Runs a query until it has finished; processes before the last one are killed after a while.
fn run(folder: &Folder, query: u8, tasks: &str) -> Vec<Value> {
    let (number, output) = (query.to_string(), format!("q{query}-{tasks}"));
    let (sink, checkpoints) = (format!("jsonl:{output}"), format!("checkpoints-{output}"));
    let what = ["run", "--query", &number, "--input", "events.jsonl", "--sink", &sink];
    let how =
        ["--checkpoints", &checkpoints, "--parallelism", tasks, "--checkpoint-interval", "5ms"];
    let args = [&what[..], &how[..]].concat();
    for entries in [2, 6, 10] {
        let started = folder.start(&args);
        started.kill_after_entries(
            folder,
            &format!("{checkpoints}/nexmark-q{query}/log/000000000000"),
            entries,
        );
    }
    folder.job(&args).exits(0);
    shown(folder, &output)
}

#[test]
fn every_query_shows_what_a_straightforward_computation_does() {
    let folder = Folder::of("nexmark");
    folder.job(&["dump", "--events", EVENTS, "--output", "events.jsonl"]).exits(0);
    let bids = bids(&folder);
    for query in [0, 1, 2, 5, 7, 11, 15, 16, 17] {
        let due = sorted(expected(query, &bids));
        assert!(!due.is_empty(), "q{query}");
        for tasks in ["1", "3"] {
            assert!(sorted(run(&folder, query, tasks)) == due, "q{query} with {tasks} tasks");
        }
    }
}

/// Which bids are counted together depends on the clock, but each is counted once.
#[test]
fn by_the_clock_every_bid_is_counted_once() {
    let folder = Folder::of("nexmark");
    folder.job(&["dump", "--events", EVENTS, "--output", "events.jsonl"]).exits(0);
    let of_bidders = |rows: &[Value], count: fn(&Value) -> i64| {
        let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
        for row in rows {
            *counts.entry(number(row, "bidder")).or_default() += count(row);
        }
        counts
    };
    let due = of_bidders(&bids(&folder), |_| 1);
    assert_eq!(of_bidders(&run(&folder, 12, "2"), |row| number(row, "bid_count")), due);
}
