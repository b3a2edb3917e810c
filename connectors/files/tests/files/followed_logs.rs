//! Logs that are rotated, and a job that follows them as the engine would.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use steadfast_core::Error;
use steadfast_core::source::{
    FinishedSplit, PollLimit, Polled, Resumed, Source, SplitDiscovery, SplitReader,
};
use steadfast_core::time::Timestamp;
use steadfast_files::{FileSplit, JsonLines, LineReader};

use crate::support::*;

type Reader = LineReader<steadfast_formats::Json<u64>>;

/// A job with one task that follows files, as the engine runs it.
pub struct Job {
    pub make: Box<dyn Fn() -> JsonLines<u64>>,
    pub source: JsonLines<u64>,
    pub discovery: Box<dyn SplitDiscovery<FileSplit>>,
    /// Planned or found, and not begun; whether a checkpoint has it.
    pub waiting: Vec<(FileSplit, bool)>,
    pub active: Vec<Reader>,
    pub ended: Vec<FileSplit>,
    /// Of which a few bytes are kept.
    pub remembered: Vec<FinishedSplit>,
    pub seen: Seen<u64>,
    /// The last checkpoint, and how much had been seen then.
    pub checkpoint: (Stops, usize),
    pub now: Timestamp,
    pub dice: Dice,
}

#[expect(clippy::disallowed_methods, reason = "files get the time of their last change from it")]
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp(since.as_millis() as i64)
}

impl Job {
    pub fn new(make: impl Fn() -> JsonLines<u64> + 'static, seed: u64) -> Result<Self, Error> {
        let source = make();
        source.plan(Resumed::default(), 1)?;
        let discovery = source.discovery(Waker::noop())?.unwrap();
        Ok(Job {
            make: Box::new(make),
            source,
            discovery,
            waiting: Vec::new(),
            active: Vec::new(),
            ended: Vec::new(),
            remembered: Vec::new(),
            seen: Seen::new(),
            checkpoint: (Stops::default(), 0),
            now: wall(),
            dice: Dice(seed),
        })
    }

    /// Looks for files, reads a little of each.
    pub fn step(&mut self, most: usize) -> Result<(), Error> {
        // What was changed just now is not older than that.
        self.now = self.now.max(wall());
        let found = self.discovery.poll(self.now)?.splits;
        self.waiting.extend(found.into_iter().map(|split| (split, false)));
        for (split, _) in std::mem::take(&mut self.waiting) {
            // As a job with event time does, to see where a split begins.
            if let Ok(mut looks) = self.source.look(split.clone()) {
                let _ = looks.poll(PollLimit::records(1000), self.now, &mut Seen::new());
            }
            self.active.push(self.source.open(split, Waker::noop())?);
        }
        self.read(most)
    }

    /// Reads a little of each.
    pub fn read(&mut self, most: usize) -> Result<(), Error> {
        let mut active = Vec::new();
        for mut reader in std::mem::take(&mut self.active) {
            let limit = PollLimit::records(1 + self.dice.below(most));
            match reader.poll(limit, self.now, &mut self.seen)? {
                Polled::End => self.ended.push(reader.split()),
                Polled::More | Polled::Idle(_) => active.push(reader),
            }
        }
        self.active = active;
        Ok(())
    }

    /// Reads all that is there, and lets it become old.
    pub fn settle(&mut self) -> Result<(), Error> {
        for _ in 0..4 {
            self.catch_up()?;
            self.now = Timestamp(self.now.0 + 1_000_000);
        }
        Ok(())
    }

    /// Reads all that is there.
    pub fn catch_up(&mut self) -> Result<(), Error> {
        let mut quiet = 0;
        while quiet < 3 {
            let before = self.seen.records.len();
            self.step(1000)?;
            quiet = if before == self.seen.records.len() { quiet + 1 } else { 0 };
        }
        Ok(())
    }

    pub fn take_checkpoint(&mut self) {
        let mut stops = Stops { finished: self.remembered.clone(), ..Stops::default() };
        let kept = |status: &FileSplit| {
            let json = serde_json::to_string(status).unwrap();
            serde_json::from_str::<FileSplit>(&json).unwrap()
        };
        stops.splits.extend(self.active.iter().map(|reader| kept(&reader.split())));
        stops.splits.extend(self.ended.iter().map(kept));
        let planned = self.waiting.iter().filter(|(_, is_planned)| *is_planned);
        stops.splits.extend(planned.map(|(split, _)| kept(split)));
        stops.remember(&self.source, &mut self.dice);
        self.remembered.clone_from(&stops.finished);
        self.ended = stops.splits.iter().filter(|split| is_finished(split)).cloned().collect();
        self.checkpoint = (stops, self.seen.records.len());
    }

    /// Goes on from the last checkpoint: what was seen after it is seen again.
    pub fn die(&mut self) -> Result<(), Error> {
        self.seen.records.truncate(self.checkpoint.1);
        self.active.clear();
        self.source = (self.make)();
        let Stops { splits, finished, .. } = self.checkpoint.0.clone();
        let planned = self.source.plan(Resumed { splits, finished }, 1)?;
        self.remembered = planned.finished;
        self.discovery = self.source.discovery(Waker::noop())?.unwrap();
        let (ended, open): (Vec<_>, Vec<_>) =
            planned.splits.into_iter().partition(|status| status.finished);
        self.ended = ended.into_iter().map(|status| status.split).collect();
        self.waiting = open.into_iter().map(|status| (status.split, true)).collect();
        Ok(())
    }
}

pub fn is_finished(split: &FileSplit) -> bool {
    split.end.is_some_and(|end| split.next >= end)
}

/// What rotated logs are called.
#[derive(Clone, Copy, Debug)]
pub enum Naming {
    /// `app.log.1`
    Behind,
    /// `app.1.log`
    Within,
}

/// Logs that are written and rotated.
pub struct Logs {
    pub folder: Folder,
    pub naming: Naming,
    pub written: u64,
    /// What is missing of the line that is being written.
    pub half: String,
}

impl Logs {
    pub fn new(naming: Naming, written: u64) -> Self {
        Logs { folder: Folder::new(), naming, written, half: String::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// What the log is called after so many rotations.
    pub fn rotated(&self, number: u8) -> PathBuf {
        self.path(&match self.naming {
            Naming::Behind => format!("app.log.{number}"),
            Naming::Within => format!("app.{number}.log"),
        })
    }

    pub fn compressed(&self, number: u8) -> PathBuf {
        let mut path = self.rotated(number).into_os_string();
        path.push(".gz");
        path.into()
    }

    pub fn append(&self, text: &str) {
        let path = self.path("app.log");
        let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub fn write(&mut self, lines: u16, and_half: bool) {
        let mut text = std::mem::take(&mut self.half);
        for _ in 0..lines {
            text += &format!("{}\n", self.written);
            self.written += 1;
        }
        if and_half {
            let line = format!("{}\n", self.written);
            self.written += 1;
            let (first, rest) = line.split_at(line.len() / 2);
            text += first;
            self.half = rest.to_string();
        }
        self.append(&text);
    }

    /// Makes room for the newest rotated file.
    pub fn shift(&mut self) {
        // A rotation does not come in the middle of a line.
        self.write(0, false);
        for number in (1..9).rev() {
            let plain = (self.rotated(number), self.rotated(number + 1));
            for (from, to) in [plain, (self.compressed(number), self.compressed(number + 1))] {
                if from.exists() {
                    fs::rename(from, to).unwrap();
                }
            }
        }
    }

    pub fn is_full(&self) -> bool {
        self.rotated(8).exists() || self.compressed(8).exists()
    }

    pub fn rename(&mut self) {
        if self.path("app.log").exists() && !self.is_full() {
            self.shift();
            fs::rename(self.path("app.log"), self.rotated(1)).unwrap();
        }
    }

    pub fn rewrite(&self) {
        let (path, temporary) = (self.path("app.log"), self.path(".temporary"));
        if path.exists() {
            fs::copy(&path, &temporary).unwrap();
            fs::rename(temporary, path).unwrap();
        }
    }

    /// Moves all logs from one folder to another.
    pub fn move_all(&self, from: &str, to: &str) {
        fs::create_dir_all(self.path(to)).unwrap();
        for entry in fs::read_dir(self.path(from)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::rename(entry.path(), self.path(to).join(entry.file_name())).unwrap();
            }
        }
    }

    /// Compresses the oldest one that is not.
    pub fn compress(&self) {
        for number in (1..9).rev() {
            let path = self.rotated(number);
            if path.exists() {
                let file = fs::File::create(self.compressed(number)).unwrap();
                let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                encoder.write_all(&fs::read(&path).unwrap()).unwrap();
                encoder.finish().unwrap();
                fs::remove_file(path).unwrap();
                return;
            }
        }
    }
}

pub fn followed(folder: &Folder) -> impl Fn() -> JsonLines<u64> + 'static {
    let path = folder.path("app*.log*");
    // Each step looks, however short after the one before.
    move || JsonLines::new([path.clone()]).follow().look_every(Duration::ZERO)
}
