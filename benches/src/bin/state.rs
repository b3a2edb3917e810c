//! What keyed state costs: the synchronous part of a checkpoint, loading, and memory, each against
//! a plain hash map where there is something to compare.
//!
//! Prints a Markdown table. Run it alone on the machine.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use steadfast_core::key::{KeyHash, KeySpace};
use steadfast_core::state::{EncodedState, FrozenTable, StateLimits, StateTable};
use steadfast_state::Table;

const KEYS: u64 = 1_000_000;
const CHANGED: u64 = KEYS / 10;
const ROUNDS: u64 = 15;

#[derive(Clone, Default, Serialize, Deserialize)]
struct Balance {
    cents: i64,
    payments: u64,
}

type Accounts = Table<CompactString, Balance>;

fn key(n: u64) -> CompactString {
    CompactString::from(format!("acct_{n:07}"))
}

fn empty() -> Accounts {
    Table::new("accounts/state", KeySpace { groups: 128, tasks: 1 }, 0)
}

fn add(table: &mut Accounts, n: u64) {
    let key = key(n);
    let slot = table.slot(KeyHash::of(&key), &key, Balance::default);
    let balance = table.value_mut(slot);
    balance.cents += 1;
    balance.payments += 1;
}

/// The bytes of its state files.
fn encoded(frozen: Box<dyn FrozenTable>) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    let mut keep = |file: EncodedState<'_>| {
        files.push(file.bytes.to_vec());
        Ok(())
    };
    frozen.encode(&StateLimits::default(), &mut Vec::new(), &mut keep).expect("it encodes");
    files
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

fn main() {
    let before = resident();
    let mut map: HashMap<CompactString, Balance> = HashMap::new();
    for n in 0..KEYS {
        map.entry(key(n)).or_default().payments += 1;
    }
    let map_bytes = resident() - before;
    let before = resident();
    let mut table = empty();
    (0..KEYS).for_each(|n| add(&mut table, n));
    let table_bytes = resident() - before;
    drop(map);

    let began = Instant::now();
    let first = table.freeze(&StateLimits::default()).expect("everything is new");
    let base_sync = began.elapsed();
    let files = encoded(first);
    let mut random = 1_u64;
    let mut syncs = Vec::new();
    for _ in 0..ROUNDS {
        for _ in 0..CHANGED {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            add(&mut table, (random >> 33) % KEYS);
        }
        let began = Instant::now();
        let frozen = table.freeze(&StateLimits::default()).expect("something has changed");
        syncs.push(began.elapsed());
        drop(encoded(frozen));
    }

    let raw: usize = (0..KEYS).map(|n| key(n).len() + size_of::<Balance>()).sum();
    let stored: usize = files.iter().map(Vec::len).sum();
    let mut loads = Vec::new();
    for _ in 0..5 {
        let mut restored = empty();
        let began = Instant::now();
        files.iter().for_each(|file| restored.load(file).expect("it is intact"));
        loads.push(began.elapsed());
        assert_eq!(restored.len() as u64, KEYS);
    }
    let load = median(loads);
    let in_memory = KEYS as usize * size_of::<(CompactString, Balance)>();
    let rate = |bytes: usize| bytes as f64 / load.as_secs_f64() / 1e6;
    let sync_max = syncs.iter().max().copied().unwrap_or_default();

    println!("| figure ({KEYS} keys of 12 bytes, values of 16 bytes) | measured | wanted |");
    println!("|---|---|---|");
    println!(
        "| synchronous part, {CHANGED} writes at random keys: median (max of {ROUNDS}) | {:.2} ms ({:.2} ms) | ≤ 10 ms |",
        median(syncs).as_secs_f64() * 1e3,
        sync_max.as_secs_f64() * 1e3
    );
    println!("| synchronous part of a base | {:.2} ms | |", base_sync.as_secs_f64() * 1e3);
    println!(
        "| load on one core: {:.0} ms; of {:.0} MB keys and values in memory | {:.0} MB/s | ≥ 200 MB/s |",
        load.as_secs_f64() * 1e3,
        in_memory as f64 / 1e6,
        rate(in_memory)
    );
    println!(
        "| the same, counting only the {:.0} MB of payload (the files have {:.0} MB) | {:.0} MB/s | |",
        raw as f64 / 1e6,
        stored as f64 / 1e6,
        rate(raw)
    );
    println!(
        "| memory: {:.0} MB, a std hash map of the same {:.0} MB | {:.2} × | ≤ 1.5 × |",
        table_bytes as f64 / 1e6,
        map_bytes as f64 / 1e6,
        table_bytes as f64 / map_bytes as f64
    );
}
