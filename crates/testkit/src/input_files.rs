//! The events of the first source as files that grow: which bytes they hold, and where in them each
//! event begins. One file for each split, the fourth of them compressed.
//!
//! It knows nothing of who reads them.

use std::io::Write;
use std::ops::Range;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::disk::DurableDisk;
use crate::input::{Event, SPLITS, Topology, range};

/// Which split's file is compressed.
const COMPRESSED: usize = 3;

/// See the module.
pub struct InputFiles {
    files: Vec<File>,
}

struct File {
    path: String,
    /// The indices of its events.
    events: Range<usize>,
    text: String,
    /// Where the events begin in the text, in their order, and where the text ends.
    begins: Vec<usize>,
}

/// How much of each file is there, and how it came: a part for each time it grew.
#[derive(Default)]
pub struct Growth(Vec<Vec<usize>>);

/// A row of a file with a header. Its first field says the same as its second, in text that is hard to
/// read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotedEvent {
    note: String,
    seq: u64,
    split: usize,
    id: u64,
    key: u32,
    amount: i64,
    at: i64,
    bad: bool,
}

impl NotedEvent {
    fn of(event: &Event) -> Self {
        let Event { seq, split, id, key, amount, at, bad } = *event;
        NotedEvent { note: note(seq), seq, split, id, key, amount, at, bad }
    }

    /// The event; one with a number that no event has if the note is not that of the number.
    pub fn event(self) -> Event {
        let NotedEvent { note: found, seq, split, id, key, amount, at, bad } = self;
        let seq = if found == note(seq) { seq } else { u64::MAX };
        Event { seq, split, id, key, amount, at, bad }
    }
}

fn note(seq: u64) -> String {
    match seq % 6 {
        0 => format!("\u{feff}{seq}"),
        1 => format!("{seq}, and"),
        2 => format!("\"{seq}\""),
        3 => format!("{seq}\nor\n{seq}"),
        4 => format!("a\"{seq}"),
        _ => seq.to_string(),
    }
}

/// A field as it is written where it may hold anything.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n']) && !field.starts_with('a') {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        // Within a field that does not begin with one, a quote is nothing special.
        false => field.to_string(),
    }
}

fn row(event: &Event) -> String {
    let NotedEvent { note, seq, split, id, key, amount, at, bad } = NotedEvent::of(event);
    format!("{},{seq},{split},{id},{key},{amount},{at},{bad}\n", quoted(&note))
}

fn line(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default() + "\n"
}

impl File {
    fn new(split: usize, extension: &str, header: &str, all: &[Event], is_lines: bool) -> Self {
        let compressed = if split == COMPRESSED { ".gz" } else { "" };
        let path = format!("/input/{split}.{extension}{compressed}");
        let events = range(all.len(), SPLITS[0], split);
        let (mut text, mut begins) = (header.to_string(), Vec::new());
        for event in &all[events.clone()] {
            begins.push(text.len());
            text += &match event.bad {
                true => bad_line(event.seq),
                false if is_lines => line(event),
                false => row(event),
            };
            if event.seq.is_multiple_of(7) {
                text.push('\n');
            }
        }
        begins.push(text.len());
        File { path, events, text, begins }
    }

    fn bytes(&self, growth: &[usize]) -> Vec<u8> {
        let there = growth.last().copied().unwrap_or(0);
        if !self.path.ends_with(".gz") {
            return self.text.as_bytes()[..there].to_vec();
        }
        let (mut bytes, mut from) = (Vec::new(), 0);
        for until in [0].iter().chain(growth) {
            let mut member = GzEncoder::new(bytes, Compression::fast());
            // It writes into memory.
            let _ = member.write_all(&self.text.as_bytes()[from..*until]);
            bytes = member.finish().unwrap_or_default();
            from = *until;
        }
        bytes
    }
}

/// What stands in a file for an event that is no record.
fn bad_line(seq: u64) -> String {
    format!("!{seq}\n")
}

/// The number of the event that is no record.
pub fn seq_of_bad(raw: &[u8]) -> Option<u64> {
    std::str::from_utf8(raw).ok()?.trim_start_matches('!').parse().ok()
}

impl InputFiles {
    /// The files of a job of this shape; none if it does not read files.
    pub fn new(topology: Topology, events: &[Event]) -> Option<Self> {
        let (extension, header, is_lines) = match topology {
            Topology::Lines => ("jsonl", "", true),
            Topology::Rows => ("csv", "note,seq,split,id,key,amount,at,bad\n", false),
            _ => return None,
        };
        let file = |split| File::new(split, extension, header, events, is_lines);
        Some(InputFiles { files: (0..SPLITS[0]).map(file).collect() })
    }

    /// Their paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| &*file.path)
    }

    /// How many bytes the largest has.
    pub fn largest(&self) -> usize {
        self.files.iter().map(|file| file.text.len()).max().unwrap_or(0)
    }

    /// Lets them grow, each by some whole lines, of which the last may lack its line end.
    pub fn grow(&self, growth: &mut Growth, random: &mut fastrand::Rng) {
        growth.0.resize(self.files.len(), Vec::new());
        for (file, grown) in self.files.iter().zip(&mut growth.0) {
            let before = grown.last().copied().unwrap_or(0);
            let until = file.begins[random.usize(..file.begins.len())];
            let until = until.saturating_sub(usize::from(random.u8(..4) == 0));
            if until > before {
                grown.push(until);
            }
        }
    }

    /// Lets them grow to their ends.
    pub fn complete(&self, growth: &mut Growth) {
        growth.0.resize(self.files.len(), Vec::new());
        for (file, grown) in self.files.iter().zip(&mut growth.0) {
            if grown.last().copied().unwrap_or(0) < file.text.len() {
                grown.push(file.text.len());
            }
        }
    }

    /// Puts what is there onto the disk.
    pub fn put(&self, growth: &Growth, disk: &DurableDisk) {
        for (file, grown) in self.files.iter().zip(&growth.0) {
            disk.put(&file.path, file.bytes(grown));
        }
    }

    /// Whether an event has been read by who has come to these positions.
    pub fn has_read(&self, index: usize, positions: &[Value]) -> bool {
        let Some(file) = self.files.iter().find(|file| file.events.contains(&index)) else {
            return false;
        };
        let begin = file.begins[index - file.events.start] as u64;
        positions.iter().filter_map(|value| value.get("split")).any(|split| {
            let number = |name: &str| split.get(name)?.as_u64();
            split["path"] == *file.path
                && number("start").is_some_and(|start| start <= begin)
                && number("next").is_some_and(|next| begin < next)
        })
    }

    /// What is wrong about the place of an event that is no record.
    pub fn misplaces(&self, seq: u64, place: &str, offset: u64, line: Option<u64>) -> bool {
        let Some(file) = self.files.iter().find(|file| file.events.contains(&(seq as usize)))
        else {
            return true;
        };
        let begin = file.begins[seq as usize - file.events.start];
        let number = || file.text[..begin].matches('\n').count() as u64 + 1;
        (place, offset) != (&*file.path, begin as u64) || line.is_some_and(|line| line != number())
    }
}
