//! What of the input a checkpoint has read: for each split, the events up to its position.

use std::collections::BTreeMap;

use serde_json::Value;
use steadfast_protocol::manifest::{Manifest, Splits, Watermarks};

use crate::input::{SPLITS, range};
use crate::input_files::InputFiles;

/// The names of the sources, in the order of their numbers.
pub const SOURCES: [&str; 2] = ["first", "second"];

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    read: [Vec<bool>; 2],
    /// How far event time had come, by operator.
    watermarks: BTreeMap<String, Watermarks>,
    /// Whether it is all there is, and the job has said so.
    pub is_finished: bool,
    /// The checkpoint before it.
    pub previous: Option<u64>,
}

impl Prefix {
    /// What a checkpoint has read of sources with so many events, of which the first may read files.
    pub fn of(manifest: &Manifest, events: [usize; 2], files: Option<&InputFiles>) -> Self {
        let read = [0, 1].map(|source| {
            let none = Splits::new();
            let positions = manifest.sources.get(SOURCES[source]).unwrap_or(&none);
            if let (0, Some(files)) = (source, files) {
                return (0..events[0]).map(|index| files.has_read(index, positions)).collect();
            }
            let mut read = vec![false; events[source]];
            for split in 0..SPLITS[source] {
                let range = range(events[source], SPLITS[source], split);
                // Only empty splits can end where another does: they have nothing before their end.
                let next = positions.values().filter_map(|value| position(value, range.end)).min();
                let next = next.unwrap_or(range.start).clamp(range.start, range.end);
                read[range.start..next].fill(true);
            }
            read
        });
        let previous = manifest.previous.map(|previous| previous.0);
        let watermarks = manifest.watermarks.clone();
        Prefix { read, watermarks, is_finished: manifest.is_finished(), previous }
    }

    /// How far event time had come for an operator.
    pub fn watermark(&self, operator: &str) -> i64 {
        let greatest = self.watermarks.get(operator).and_then(Watermarks::greatest);
        greatest.map_or(i64::MIN, |at| at.0)
    }

    /// Whether an event, given by source and index, has been read.
    pub fn has(&self, (source, index): (usize, usize)) -> bool {
        self.read[source].get(index).copied().unwrap_or(false)
    }

    /// How many events of a source that `counts` says of have been read.
    pub fn count(&self, source: usize, counts: impl Fn(usize) -> bool) -> u64 {
        let read = self.read[source].iter().enumerate();
        read.filter(|(index, read)| **read && counts(*index)).count() as u64
    }
}

/// The position in the split that ends at `end`, if `value` is that split.
fn position(value: &Value, end: usize) -> Option<usize> {
    let split = value.get("split")?;
    let number = |name: &str| split.get(name)?.as_u64().map(|number| number as usize);
    (number("end")? == end).then(|| number("next")).flatten()
}
