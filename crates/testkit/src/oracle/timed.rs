//! What jobs that work with event time must show: computed from the times of the events alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::input::{Event, STEP, WINDOW};

/// The operator that counts by key and window.
pub const WINDOWS: &str = "windows";

/// The operator that finds pauses.
pub const PAUSES: &str = "pauses";

/// What a row speaks of: a key and a time.
pub fn id(key: u32, at: i64) -> u64 {
    u64::from(key) << 48 | (at + (1 << 40)) as u64
}

/// The windows of each key: how many events, and where they end.
pub(super) fn windows<'a>(events: impl Iterator<Item = &'a Event>) -> BTreeMap<u64, (u64, i64)> {
    let mut rows = BTreeMap::new();
    for event in events {
        let start = event.happened.div_euclid(WINDOW) * WINDOW;
        rows.entry(id(event.key, start)).or_insert((0, start + WINDOW)).0 += 1;
    }
    rows
}

/// The overlapping windows of each key, by what their rows speak of, and the events in them.
pub(super) fn overlapping(events: &[Event]) -> BTreeMap<String, Vec<Event>> {
    let mut windows: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in events {
        let last = event.happened.div_euclid(STEP) * STEP;
        let starts = (0..WINDOW / STEP).map(|back| last - back * STEP);
        for start in starts.filter(|start| event.happened < start + WINDOW) {
            windows.entry(id(event.key, start).to_string()).or_default().push(event.clone());
        }
    }
    windows
}

/// The times after which no event of the key follows within a window's length.
pub(super) fn pauses(events: &[Event]) -> BTreeMap<u64, (u64, i64)> {
    let times: BTreeSet<(u32, i64)> =
        events.iter().map(|event| (event.key, event.happened)).collect();
    let is_last = |(key, at): &&(u32, i64)| {
        times.range((*key, at + 1)..=(*key, at + WINDOW)).next().is_none()
    };
    times.iter().filter(is_last).map(|(key, at)| (id(*key, *at), (1, at + WINDOW + 1))).collect()
}
