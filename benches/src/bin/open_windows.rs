//! What a million open windows cost: events a second into them, memory for each, and a watermark that
//! closes one of a hundred; against hash maps that hold the same.
//!
//! Prints a Markdown table. Run it alone on the machine.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rapidhash::fast::RandomState;
use steadfast_core::key::{KeyHash, KeySpace};
use steadfast_core::key_of::Computed;
use steadfast_core::message::Batch;
use steadfast_core::operator::{Emission, Operator};
use steadfast_core::time::{Moment, Timestamp};
use steadfast_runtime::operators::{Count, Emit, Emitting, Sided, WindowResult, Windowed, Windows};

/// Ten thousand keys, each with a hundred open windows of a minute.
const KEYS: u64 = 10_000;
const OPEN: i64 = 100;
const WINDOWS: u64 = KEYS * OPEN as u64;
const MINUTE: i64 = 60_000;
const EVENTS: u64 = 10_000_000;
const BATCH: u64 = 1024;
const ROUNDS: i64 = 20;

#[derive(Clone, Copy)]
struct Event {
    key: u64,
    at: i64,
}

type Subject = Windowed<Event, Count, Computed<u64, fn(&Event) -> u64>>;
type Results = Batch<Sided<WindowResult<u64, u64>, Event>>;

/// Event `n`: any key, at any time of the open windows, the first of which begins with minute `first`.
fn event(n: u64, first: i64) -> Event {
    let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d);
    let at = first * MINUTE + (random >> 8) as i64 % (OPEN * MINUTE);
    Event { key: (random >> 3) % KEYS, at }
}

/// An event in each window, so that a million is open.
fn one_in_each(first: i64) -> impl Iterator<Item = Event> {
    (0..OPEN).flat_map(move |minute| {
        (0..KEYS).map(move |key| Event { key, at: (first + minute) * MINUTE })
    })
}

struct Engine {
    windows: Subject,
    batch: Batch<Event>,
    out: Results,
    watermark: Timestamp,
}

impl Engine {
    fn new() -> Self {
        let emitting = Emitting { emit: Emit::Final, allowed_lateness: Duration::ZERO };
        let key: fn(&Event) -> u64 = |event| event.key;
        let (space, minute) = (KeySpace { groups: 128, tasks: 1 }, Duration::from_secs(60));
        let windows = Windowed::new(
            "windows",
            (space, 0),
            Arc::new(Computed::new(key)),
            Arc::new(Count),
            Windows::tumbling(minute),
            emitting,
        );
        Engine { windows, batch: Batch::new(), out: Batch::new(), watermark: Timestamp::MIN }
    }

    fn moment(&self) -> Moment {
        Moment { watermark: self.watermark, now: Timestamp(0) }
    }

    /// As a task does it: batches with the hashes of their keys.
    fn take(&mut self, events: impl Iterator<Item = Event>) {
        let mut events = events.peekable();
        while events.peek().is_some() {
            for event in events.by_ref().take(BATCH as usize) {
                self.batch.push(event, Timestamp(event.at));
                self.batch.hashes.push(KeyHash::of(&event.key));
            }
            let at = self.moment();
            self.windows.on_batch(at, &mut self.batch, &mut self.out).expect("it takes a batch");
        }
    }

    /// Closes the windows that end by then, in the steps of a task; how many results that were, and the
    /// longest step.
    fn close(&mut self, watermark: i64) -> (usize, Duration) {
        self.watermark = Timestamp(watermark);
        let (mut results, mut longest) = (0, Duration::ZERO);
        loop {
            let began = Instant::now();
            let at = self.moment();
            let emission = self.windows.on_watermark(at, &mut self.out).expect("it closes windows");
            longest = longest.max(began.elapsed());
            results += self.out.items.len();
            self.out.clear();
            if emission == Emission::Complete {
                return (results, longest);
            }
        }
    }
}

/// The same by hand: a map of counts, and the keys of each window in the order of the windows.
#[derive(Default)]
struct Maps {
    counts: HashMap<(u64, i64), u64, RandomState>,
    keys: BTreeMap<i64, Vec<u64>>,
}

impl Maps {
    fn take(&mut self, events: impl Iterator<Item = Event>) {
        for event in events {
            let window = event.at.div_euclid(MINUTE);
            let count = self.counts.entry((event.key, window)).or_insert(0);
            if *count == 0 {
                self.keys.entry(window).or_default().push(event.key);
            }
            *count += 1;
        }
    }

    fn close(&mut self, window: i64, out: &mut Vec<(u64, i64, u64)>) {
        for key in self.keys.remove(&window).unwrap_or_default() {
            let count = self.counts.remove(&(key, window)).unwrap_or_default();
            out.push((key, window, count));
        }
    }
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Median and most of the time that closing one window in a hundred takes, and how many that are.
fn closing(mut close: impl FnMut(i64) -> Duration) -> (Duration, Duration) {
    let mut times: Vec<Duration> = (0..ROUNDS).map(&mut close).collect();
    times.sort_unstable();
    (median(times.clone()), times[times.len() - 1])
}

fn main() {
    let before = resident();
    let mut engine = Engine::new();
    engine.take(one_in_each(0));
    let engine_bytes = resident() - before;
    let began = Instant::now();
    engine.take((0..EVENTS).map(|n| event(n, 0)));
    let engine_rate = EVENTS as f64 / began.elapsed().as_secs_f64();
    let mut longest = Duration::ZERO;
    let engine_closing = closing(|round| {
        let began = Instant::now();
        let (results, step) = engine.close((round + 1) * MINUTE);
        assert_eq!(results as u64, KEYS);
        longest = longest.max(step);
        let took = began.elapsed();
        // A million stays open.
        engine.take((0..KEYS).map(|key| Event { key, at: (round + OPEN) * MINUTE }));
        took
    });
    drop(engine);

    let before = resident();
    let mut maps = Maps::default();
    maps.take(one_in_each(0));
    let maps_bytes = resident() - before;
    let began = Instant::now();
    maps.take((0..EVENTS).map(|n| event(n, 0)));
    let maps_rate = EVENTS as f64 / began.elapsed().as_secs_f64();
    let mut out = Vec::new();
    let maps_closing = closing(|round| {
        let began = Instant::now();
        out.clear();
        maps.close(round, &mut out);
        let took = began.elapsed();
        maps.take((0..KEYS).map(|key| Event { key, at: (round + OPEN) * MINUTE }));
        took
    });

    println!("| {WINDOWS} open windows, one core | engine | two maps by hand | engine : by hand |");
    println!("|---|--:|--:|--:|");
    println!(
        "| events a second into them, at random | {engine_rate:.0} | {maps_rate:.0} | {:.2} |",
        engine_rate / maps_rate
    );
    println!(
        "| memory for each | {} bytes | {} bytes | {:.2} |",
        engine_bytes / WINDOWS,
        maps_bytes / WINDOWS,
        engine_bytes as f64 / maps_bytes as f64
    );
    println!(
        "| a watermark that closes {KEYS} of them: median (most of {ROUNDS}) | {:.2} ms ({:.2} ms) | {:.2} ms ({:.2} ms) | {:.2} |",
        milliseconds(engine_closing.0),
        milliseconds(engine_closing.1),
        milliseconds(maps_closing.0),
        milliseconds(maps_closing.1),
        maps_closing.0.as_secs_f64() / engine_closing.0.as_secs_f64()
    );
    println!("| the longest step of it | {:.2} ms | | |", milliseconds(longest));
}
