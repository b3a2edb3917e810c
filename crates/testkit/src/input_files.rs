//! The events of the first source as files that grow: which bytes they hold, and where in them each
//! event begins. One file for each split, the fourth of them compressed.
//!
//! An event that is no record may be half there when a file ends, and what is missing of it may look like
//! a record. It knows nothing of who reads them, or of what becomes of files that do not grow.

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use steadfast_protocol::manifest::Splits;

use crate::disk::DurableDisk;
use crate::input::{Event, SPLITS, Topology, range};

/// Which split's file is compressed.
const COMPRESSED: usize = 3;

/// See the module.
pub struct InputFiles {
    files: Arc<[File]>,
    /// The file that is not named to who reads them.
    left_out: Option<usize>,
    /// How often a file ended within what is no record: what is added to it is rejected by itself, too.
    halves: Arc<AtomicU64>,
}

struct File {
    path: String,
    /// The indices of its events.
    events: Range<usize>,
    text: String,
    /// Where the events begin in the text, in their order, and where the text ends.
    begins: Vec<usize>,
    /// Which of them are no records.
    bad: Vec<bool>,
}

/// How much of each file is there, and how it came: a part for each time it grew.
#[derive(Clone, Default)]
pub struct Growth(Vec<Vec<usize>>);

/// What was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// An event that is no record, or its first half.
    Event(u64),
    /// What was missing of one.
    Rest,
}

/// A row of a file with a header. Its first field says the same as its second, in text that is hard to
/// read, and so does its last.
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
    tail: String,
}

const HEADER: &str = "note,seq,split,id,key,amount,at,bad,tail\n";

impl NotedEvent {
    fn of(event: &Event) -> Self {
        let Event { seq, split, id, key, amount, at, bad, .. } = *event;
        let tail = tail(seq, bad);
        NotedEvent { note: note(seq), seq, split, id, key, amount, at, bad, tail }
    }

    /// The event; one with a number that no event has if the texts are not those of the number.
    pub fn event(self) -> Event {
        let NotedEvent { note: found, seq, split, id, key, amount, at, bad, tail: last } = self;
        let is_right = found == note(seq) && last == tail(seq, bad);
        let seq = if is_right { seq } else { u64::MAX };
        Event { seq, split, id, key, amount, at, happened: 0, bad }
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

fn tail(seq: u64, bad: bool) -> String {
    match bad || seq.is_multiple_of(3) {
        true => format!("{seq}\nin two"),
        false => String::new(),
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
    let NotedEvent { note, seq, split, id, key, amount, at, bad, tail } = NotedEvent::of(event);
    let (note, tail) = (quoted(&note), quoted(&tail));
    format!("{note},{seq},{split},{id},{key},{amount},{at},{bad},{tail}\n")
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
                true => bad_line(event, is_lines),
                false if is_lines => line(event),
                false => row(event),
            };
            if event.seq.is_multiple_of(7) {
                text.push('\n');
            }
        }
        begins.push(text.len());
        let bad = all[events.clone()].iter().map(|event| event.bad).collect();
        File { path, events, text, begins, bad }
    }

    /// How much of what is no record is there, so that it is none yet.
    fn half(&self, which: usize, random: &mut fastrand::Rng) -> usize {
        let whole = &self.text[self.begins[which]..self.begins[which + 1]];
        // Before the last quote, what is there has a quote that is open, or lacks a field.
        let last = whole.rfind('"').filter(|_| self.path.contains(".csv"));
        let least = last.and_then(|last| whole[..last].rfind('"')).unwrap_or(0);
        match last.unwrap_or(whole.trim_end().len()) {
            most if random.bool() => (least + 1).min(most),
            most => random.usize(least + 1..=most.max(least + 1)),
        }
    }

    /// How much can be added to what is no record and half there, so that it stays so.
    fn half_there(&self, there: usize) -> Option<usize> {
        let which = self.begins.partition_point(|begin| *begin < there).checked_sub(1)?;
        let is_half = *self.bad.get(which)? && self.path.ends_with(".jsonl");
        let line = self.text[self.begins[which]..self.begins[which + 1]].trim_end().len();
        let rest = (self.begins[which] + line).checked_sub(there + 1)?;
        (is_half && rest > 0).then_some(rest)
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

/// What stands in a file for an event that is no record. But for one character in it, or for one field that
/// no header has, it is one.
fn bad_line(event: &Event, is_lines: bool) -> String {
    match is_lines {
        true => format!("!{}", line(event)),
        false if event.seq.is_multiple_of(4) => format!("!{}\n", event.seq),
        false => row(event).trim_end().to_string() + ",more\n",
    }
}

impl InputFiles {
    /// The files of a job of this shape; none if it does not read files.
    pub fn new(topology: Topology, events: &[Event]) -> Option<Self> {
        let (extension, header, is_lines) = match topology {
            Topology::Lines => ("jsonl", "", true),
            Topology::Rows => ("csv", HEADER, false),
            _ => return None,
        };
        let file = |split| File::new(split, extension, header, events, is_lines);
        let files = (0..SPLITS[0]).map(file).collect();
        Some(InputFiles { files, left_out: None, halves: Arc::default() })
    }

    /// The same files, of which one is not named to who reads them.
    pub fn without(&self, left_out: usize) -> Self {
        let (files, halves) = (Arc::clone(&self.files), Arc::clone(&self.halves));
        InputFiles { files, left_out: Some(left_out), halves }
    }

    /// Their paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let named = self.files.iter().enumerate().filter(|(at, _)| self.left_out != Some(*at));
        named.map(|(_, file)| &*file.path)
    }

    /// Whether they hold lines.
    pub fn are_lines(&self) -> bool {
        self.files.iter().any(|file| file.path.ends_with(".jsonl"))
    }

    /// How often a file ended within what is no record.
    pub fn halves(&self) -> u64 {
        self.halves.load(Ordering::Relaxed)
    }

    /// How many bytes the largest has.
    pub fn largest(&self) -> usize {
        self.files.iter().map(|file| file.text.len()).max().unwrap_or(0)
    }

    /// Lets them grow, each by some whole lines, of which the last may lack its line end, or more of it if it
    /// is no record anyway. Says how many ended within one of those.
    pub fn grow(&self, growth: &mut Growth, random: &mut fastrand::Rng) -> u64 {
        growth.0.resize(self.files.len(), Vec::new());
        let mut halves = 0;
        for (file, grown) in self.files.iter().zip(&mut growth.0) {
            let before = grown.last().copied().unwrap_or(0);
            // What is half there may come in more than two steps.
            let half = file.half_there(before).filter(|_| random.u8(..3) == 0);
            if let Some(rest) = half {
                let until = before + 1 + random.usize(..rest);
                grown.push(until);
                halves += 1;
                continue;
            }
            let which = random.usize(..file.begins.len());
            let bad = (which..file.bad.len()).find(|at| file.bad[*at]);
            let (until, is_half) = match bad.filter(|_| random.bool()) {
                Some(bad) => (file.begins[bad] + file.half(bad, random), true),
                None => {
                    let lacks_end = usize::from(random.u8(..4) == 0);
                    (file.begins[which].saturating_sub(lacks_end), false)
                }
            };
            if until > before {
                grown.push(until);
                halves += u64::from(is_half);
            }
        }
        self.halves.fetch_add(halves, Ordering::Relaxed);
        halves
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

    /// Puts a plain file onto the disk as if it had become shorter.
    pub fn put_shorter(&self, which: usize, length: usize, disk: &DurableDisk) {
        let file = &self.files[which];
        disk.put(&file.path, file.text.as_bytes()[..length].to_vec());
    }

    /// Where to cut a plain file off so that it loses whole lines, if there are any.
    pub fn cut_at_line(
        &self,
        growth: &Growth,
        which: usize,
        random: &mut fastrand::Rng,
    ) -> Option<usize> {
        let there = *growth.0.get(which)?.last()?;
        let begins = &self.files[which].begins;
        let before = begins.partition_point(|begin| *begin < there);
        (which != COMPRESSED && before > 0).then(|| begins[random.usize(..before)])
    }

    /// How long a file must be for whoever has come to these positions; none for the compressed one. One that
    /// is divided is known up to where its parts end.
    pub fn known(&self, which: usize, positions: &Splits, is_divided: bool) -> Option<u64> {
        let length = if is_divided { "end" } else { "length" };
        let parts = self.parts(which, positions).filter(|_| which != COMPRESSED);
        parts.filter_map(|part| part.get(length)?.as_u64()).max()
    }

    /// Whether who has come to these positions has not come to the end of a file that it has begun.
    pub fn is_half_read(&self, which: usize, positions: &Splits) -> bool {
        let is_finished = |part: &Value| {
            let end = part["end"].as_u64();
            end.is_some_and(|end| part["next"].as_u64().is_some_and(|next| next >= end))
        };
        self.parts(which, positions).any(|part| !is_finished(part))
    }

    /// What is no record and was read half by whoever has come to these positions, by file and position. What
    /// is added there is rejected by itself; not where that begins with what is blank.
    pub fn read_half(&self, positions: &Splits) -> BTreeSet<(usize, u64)> {
        let all = (0..self.files.len()).flat_map(|which| {
            let halves =
                self.parts(which, positions).filter(|part| part["continues_half_line"] == true);
            // Whoever has only taken a part has read nothing half himself.
            let halves = halves.filter(|part| part["start"].as_u64() < part["next"].as_u64());
            halves.filter_map(move |part| Some((which, part["next"].as_u64()?)))
        });
        let is_half = |(which, at): &(usize, u64)| {
            let (file, at) = (&self.files[*which], *at as usize);
            let line = file.begins.partition_point(|begin| *begin < at).checked_sub(1);
            let is_bad = line.and_then(|line| file.bad.get(line)).is_some_and(|bad| *bad);
            let next = file.text.as_bytes().get(at);
            is_bad && !file.begins.contains(&at) && next.is_some_and(|c| !c.is_ascii_whitespace())
        };
        all.filter(is_half).collect()
    }

    /// What cannot be in positions of plain files: one beyond what there was when its part was planned; or, where
    /// all has been read, a file of which some that there was has not.
    pub fn breach(&self, positions: &Splits, is_finished: bool) -> Option<String> {
        let number = |part: &Value, name: &str| part.get(name).and_then(Value::as_u64);
        (0..self.files.len()).filter(|which| *which != COMPRESSED).find_map(|which| {
            let path = &self.files[which].path;
            let mut parts: Vec<(u64, u64, u64)> = Vec::new();
            for part in self.parts(which, positions) {
                let (start, next) = (number(part, "start")?, number(part, "next")?);
                let length = number(part, "length")?;
                if next > length {
                    return Some(format!("{path} is read to {next}, and it had {length} bytes"));
                }
                parts.push((start, next, length));
            }
            parts.sort_unstable();
            let read = parts.iter().fold(
                0,
                |read, (start, next, _)| {
                    if *start <= read { read.max(*next) } else { read }
                },
            );
            let length = parts.iter().map(|part| part.2).max().unwrap_or(0);
            let what =
                || format!("{path} is read to {read} of {length} bytes, and said to be read");
            // Half of a header stays where it is.
            let has_begun = read > 0 || length >= HEADER.len() as u64 || self.are_lines();
            (is_finished && has_begun && read < length).then(what)
        })
    }

    /// Whether a part ends at a place, for whoever has come to these positions.
    pub fn ends_at(&self, (which, at): (usize, u64), positions: &Splits) -> bool {
        self.parts(which, positions).any(|part| part["next"].as_u64() == Some(at))
    }

    fn parts<'a>(
        &'a self,
        which: usize,
        positions: &'a Splits,
    ) -> impl Iterator<Item = &'a Value> + 'a {
        let splits = positions.values().filter_map(|value| value.get("split"));
        splits.filter(move |split| split["path"] == *self.files[which].path)
    }

    /// Whether an event has been read by who has come to these positions.
    pub fn has_read(&self, index: usize, positions: &Splits) -> bool {
        let Some(file) = self.files.iter().find(|file| file.events.contains(&index)) else {
            return false;
        };
        let begin = file.begins[index - file.events.start] as u64;
        positions.values().filter_map(|value| value.get("split")).any(|split| {
            let number = |name: &str| split.get(name)?.as_u64();
            split["path"] == *file.path
                && number("start").is_some_and(|start| start <= begin)
                && number("next").is_some_and(|next| begin < next)
        })
    }

    /// What was rejected, if it is what stands there; none if that is nothing to be rejected.
    pub fn rejected(
        &self,
        (place, offset): (&str, u64),
        line: Option<u64>,
        raw: &[u8],
    ) -> Option<Rejected> {
        let file = self.files.iter().find(|file| file.path == place)?;
        let at = usize::try_from(offset).ok()?;
        let which = file.begins.partition_point(|begin| *begin <= at).checked_sub(1)?;
        let is_there = file.text.as_bytes().get(at..)?.starts_with(raw);
        if !is_there || !*file.bad.get(which)? {
            return None;
        }
        if file.begins[which] < at {
            return Some(Rejected::Rest);
        }
        let number = || file.text[..at].matches('\n').count() as u64 + 1;
        line.is_none_or(|line| line == number())
            .then_some(Rejected::Event((file.events.start + which) as u64))
    }
}
