//! How much memory a day takes: 86,400,000 readings, a thousand for each second of event time, as fast as they
//! go. Half of them are copies; what is left is counted in windows, and noted in state that expires.
//!
//! Prints a line for each hour of event time: the memory of the process. Run it alone on the machine, with the
//! allocator of the system or, `--features mimalloc`, with another.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use steadfast::prelude::*;
use steadfast::{Clock, Count};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const SENSORS: u64 = 10_000;

/// Reading `number / 2`: each comes twice, one right behind the other, in disorder of up to five seconds.
#[derive(Clone, Serialize, Deserialize)]
struct Reading {
    id: u64,
    sensor: u64,
    at: i64,
    /// Whether it has come before.
    again: bool,
}

fn reading(number: u64) -> Reading {
    let id = number / 2;
    let behind = (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 5_000;
    Reading {
        id,
        sensor: id % SENSORS,
        at: (2 * id).saturating_sub(behind) as i64,
        again: number % 2 == 1,
    }
}

/// Resident memory of this process in MiB.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096 / (1024 * 1024)
}

fn main() -> Result<(), UserError> {
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    println!("| hour of event time | memory | after |\n|--:|--:|--:|");
    let job = Job::new("day");
    let readings = Generator::new(reading).count(DAY).splits(1);
    let (minute, ten_minutes) = (Duration::from_secs(60), Duration::from_secs(600));
    let results = JsonLinesSink::<(u64, i64, u64)>::new(folder.path().join("minutes"));
    let jumps = JsonLinesSink::<(u64, u64)>::new(folder.path().join("jumps"));
    let readings = job
        .source("readings", readings)
        .event_time(Duration::from_secs(5), |reading| Timestamp(reading.at))
        .inspect(move |reading| {
            if reading.id % (HOUR / 2) == 0 && !reading.again {
                let (hour, took) = (reading.id / (HOUR / 2), began.elapsed().as_secs());
                println!("| {hour} | {} MiB | {took} s |", resident());
            }
        })
        .named("distinct")
        .dedup(|reading| &reading.id, Expiry::After(minute))
        .shared();
    readings
        .stream()
        .key_by(|reading| reading.sensor)
        .named("per minute")
        .window(Windows::tumbling(minute))
        .aggregate(Count)
        .map(|hits| (hits.key, hits.window.start.0, hits.value))
        .sink("minutes", results);
    readings
        .stream()
        .key_by(|reading| reading.id)
        .named("last")
        .process(move |states| {
            let seen = states.expiring(ten_minutes, Clock::Event).map::<u64, u64>("seen");
            move |context, reading, out| {
                let id = reading.id;
                if context.map(seen).insert(id, id).is_some() {
                    out.push((reading.sensor, id));
                }
                Ok(())
            }
        })
        .sink("jumps", jumps);
    let store = CheckpointStore::Folder(folder.path().join("checkpoints"));
    let options = RunOptions::new(store).parallelism(2).checkpoint_interval(Duration::from_secs(1));
    job.run(&options)?;
    println!("| the end | {} MiB | {} s |", resident(), began.elapsed().as_secs());
    Ok(())
}
