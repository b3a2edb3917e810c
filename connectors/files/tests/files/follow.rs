//! Files that grow, are rotated in every way, and are followed by a job that stops and dies: each line once.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use steadfast_core::Error;
use steadfast_core::source::{
    FinishedSplit, PollLimit, Polled, Resumed, Source, SplitDiscovery, SplitReader,
};
use steadfast_core::time::Timestamp;
use steadfast_files::{FileSplit, JsonLines, LineReader};

use crate::support::*;

type Reader = LineReader<steadfast_formats::Json<u64>>;

/// A job with one task that follows files, as the engine runs it.
struct Job {
    make: Box<dyn Fn() -> JsonLines<u64>>,
    source: JsonLines<u64>,
    discovery: Box<dyn SplitDiscovery<FileSplit>>,
    /// Planned or found, and not begun; whether a checkpoint has it.
    waiting: Vec<(FileSplit, bool)>,
    active: Vec<Reader>,
    ended: Vec<FileSplit>,
    /// Of which a few bytes are kept.
    remembered: Vec<FinishedSplit>,
    seen: Seen<u64>,
    /// The last checkpoint, and how much had been seen then.
    checkpoint: (Stops, usize),
    now: Timestamp,
    dice: Dice,
}

#[expect(clippy::disallowed_methods, reason = "files get the time of their last change from it")]
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp(since.as_millis() as i64)
}

impl Job {
    fn new(make: impl Fn() -> JsonLines<u64> + 'static, seed: u64) -> Result<Self, Error> {
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
    fn step(&mut self, most: usize) -> Result<(), Error> {
        // What was changed just now is not older than that.
        self.now = self.now.max(wall());
        let found = self.discovery.poll(self.now)?.splits;
        self.waiting.extend(found.into_iter().map(|split| (split, false)));
        for (split, _) in std::mem::take(&mut self.waiting) {
            self.active.push(self.source.open(split, Waker::noop())?);
        }
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
    fn settle(&mut self) -> Result<(), Error> {
        for _ in 0..4 {
            self.catch_up()?;
            self.now = Timestamp(self.now.0 + 1_000_000);
        }
        Ok(())
    }

    /// Reads all that is there.
    fn catch_up(&mut self) -> Result<(), Error> {
        let mut quiet = 0;
        while quiet < 3 {
            let before = self.seen.records.len();
            self.step(1000)?;
            quiet = if before == self.seen.records.len() { quiet + 1 } else { 0 };
        }
        Ok(())
    }

    fn take_checkpoint(&mut self) {
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
    fn die(&mut self) -> Result<(), Error> {
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

fn is_finished(split: &FileSplit) -> bool {
    split.end.is_some_and(|end| split.next >= end)
}

/// Logs that are written and rotated.
struct Logs {
    folder: Folder,
    written: u64,
    /// What is missing of the line that is being written.
    half: String,
}

#[derive(Clone, Debug)]
enum Doing {
    /// Lines are written, and perhaps a part of one.
    Write(u8, bool),
    Rename,
    /// Copied and truncated, with steps of the job in between.
    Copy(bool),
    Compress,
    /// The logs are not there while the job looks.
    Away,
    Read(u8),
    Settle,
    Checkpoint,
    Die,
    /// Nobody runs while this is done.
    Down(Vec<Doing>),
}

impl Logs {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    fn append(&self, text: &str) {
        let path = self.path("app.log");
        let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn write(&mut self, lines: u8, and_half: bool) {
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
    fn shift(&mut self) {
        // A rotation does not come in the middle of a line.
        self.write(0, false);
        for number in (1..9).rev() {
            for suffix in ["", ".gz"] {
                let from = self.path(&format!("app.log.{number}{suffix}"));
                if from.exists() {
                    let to = self.path(&format!("app.log.{}{suffix}", number + 1));
                    fs::rename(from, to).unwrap();
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        ["", ".gz"].iter().any(|suffix| self.path(&format!("app.log.8{suffix}")).exists())
    }

    fn rename(&mut self) {
        if self.path("app.log").exists() && !self.is_full() {
            self.shift();
            fs::rename(self.path("app.log"), self.path("app.log.1")).unwrap();
        }
    }

    /// Moves all logs from one folder to another.
    fn move_all(&self, from: &str, to: &str) {
        fs::create_dir_all(self.path(to)).unwrap();
        for entry in fs::read_dir(self.path(from)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::rename(entry.path(), self.path(to).join(entry.file_name())).unwrap();
            }
        }
    }

    /// Compresses the oldest one that is not.
    fn compress(&self) {
        for number in (1..9).rev() {
            let path = self.path(&format!("app.log.{number}"));
            if path.exists() {
                let file = fs::File::create(self.path(&format!("app.log.{number}.gz"))).unwrap();
                let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                encoder.write_all(&fs::read(&path).unwrap()).unwrap();
                encoder.finish().unwrap();
                fs::remove_file(path).unwrap();
                return;
            }
        }
    }
}

fn carry_out(logs: &mut Logs, job: &mut Job, doing: Doing, runs: bool) -> Result<(), Error> {
    match doing {
        Doing::Write(lines, and_half) => logs.write(lines, and_half),
        Doing::Rename => logs.rename(),
        Doing::Copy(slowly) => {
            let path = logs.path("app.log");
            if path.exists() && !logs.is_full() {
                logs.shift();
                if slowly && runs {
                    // Of a file of which nothing was read, small ones are not told from their copies.
                    job.catch_up()?;
                }
                let bytes = fs::read(&path).unwrap();
                if slowly && runs {
                    fs::write(logs.path("app.log.1"), &bytes[..bytes.len() / 2]).unwrap();
                    job.step(3)?;
                }
                fs::write(logs.path("app.log.1"), &bytes).unwrap();
                if slowly && runs {
                    job.step(3)?;
                    job.take_checkpoint();
                }
                fs::File::options().write(true).truncate(true).open(&path).unwrap();
            }
        }
        Doing::Compress => {
            // Half a line would count as one once it is old.
            logs.write(0, false);
            job.settle()?;
            job.take_checkpoint();
            logs.compress();
        }
        Doing::Away => {
            // What was planned is open by then; and what was truncated has been noticed, because its copy could
            // not be found meanwhile, which ends the job.
            job.catch_up()?;
            logs.move_all("", "away");
            job.step(3)?;
            logs.move_all("away", "");
        }
        Doing::Read(most) => job.step(usize::from(most) + 1)?,
        Doing::Settle => {
            logs.write(0, false);
            job.settle()?;
        }
        Doing::Checkpoint => job.take_checkpoint(),
        Doing::Die => job.die()?,
        Doing::Down(all) => {
            for doing in all {
                match doing {
                    Doing::Write(..) | Doing::Rename | Doing::Copy(_) => {
                        carry_out(logs, job, doing, false)?;
                    }
                    _ => {}
                }
            }
            job.die()?;
        }
    }
    Ok(())
}

fn doing() -> impl Strategy<Value = Doing> {
    let simple = prop_oneof![
        4 => (0..20_u8, any::<bool>()).prop_map(|(lines, half)| Doing::Write(lines, half)),
        1 => Just(Doing::Rename),
        2 => any::<bool>().prop_map(Doing::Copy),
    ];
    prop_oneof![
        4 => simple.clone(),
        4 => (0..8_u8).prop_map(Doing::Read),
        1 => Just(Doing::Settle),
        2 => Just(Doing::Checkpoint),
        1 => Just(Doing::Compress),
        1 => Just(Doing::Away),
        1 => Just(Doing::Die),
        1 => proptest::collection::vec(simple, 1..5).prop_map(Doing::Down),
    ]
}

fn followed(folder: &Folder) -> impl Fn() -> JsonLines<u64> + 'static {
    let path = folder.path("app.log*");
    // Each step looks, however short after the one before.
    move || JsonLines::new([path.clone()]).follow().look_every(Duration::ZERO)
}

/// All numbers once, whatever was done.
fn once(all: Vec<Doing>, seed: u64) {
    let mut logs = Logs { folder: Folder::new(), written: 0, half: String::new() };
    let mut job = Job::new(followed(&logs.folder), seed).unwrap();
    for doing in all {
        carry_out(&mut logs, &mut job, doing, true).unwrap();
    }
    logs.write(1, false);
    job.settle().unwrap();
    let mut seen = job.seen.records;
    seen.sort_unstable();
    assert!(job.seen.bad.is_empty(), "{:?}", job.seen.bad);
    assert_eq!(seen, (0..logs.written).collect::<Vec<_>>());
}

/// A folder is renamed and comes back, a disk is mounted late: what was read is not new.
#[test]
fn finished_files_that_are_away_for_a_while_are_not_read_again() {
    for restarts in [false, true] {
        for is_copied in [false, true] {
            let logs = Logs { folder: Folder::new(), written: 0, half: String::new() };
            for (name, line) in [("app.log", "1\n"), ("app.log.1", "2\n"), ("app.log.2.gz", "3\n")]
            {
                logs.folder.write(name, line);
            }
            let mut job = Job::new(followed(&logs.folder), 1).unwrap();
            job.settle().unwrap();
            job.take_checkpoint();
            logs.move_all("", "away");
            if restarts {
                job.die().unwrap();
            }
            job.settle().unwrap();
            if is_copied {
                // As after a mount: every number is another.
                for entry in fs::read_dir(logs.path("away")).unwrap().map(Result::unwrap) {
                    let path = entry.path();
                    fs::copy(&path, path.with_extension("copy")).unwrap();
                    fs::rename(path.with_extension("copy"), path).unwrap();
                }
            }
            logs.move_all("away", "");
            job.settle().unwrap();
            logs.append("4\n");
            job.settle().unwrap();
            let mut seen = job.seen.records;
            seen.sort_unstable();
            assert_eq!(seen, [1, 2, 3, 4], "restarts: {restarts}, copied: {is_copied}");
        }
    }
}

/// What logrotate does with numbers and without delay: each log is compressed under the name that another had.
#[test]
fn logs_are_compressed_under_a_name_that_another_compressed_one_had() {
    for lines in [10, 200] {
        let mut logs = Logs { folder: Folder::new(), written: 0, half: String::new() };
        let mut job = Job::new(followed(&logs.folder), 1).unwrap();
        for _ in 0..4 {
            logs.write(lines, false);
            job.catch_up().unwrap();
            logs.rename();
            logs.write(lines, false);
            job.catch_up().unwrap();
            logs.compress();
            job.catch_up().unwrap();
        }
        job.die().unwrap();
        job.settle().unwrap();
        let mut seen = job.seen.records;
        seen.sort_unstable();
        assert_eq!(seen, (0..logs.written).collect::<Vec<_>>());
    }
}

/// The number of a file that was deleted is given to another, which nobody has asked for.
#[test]
fn a_file_that_was_not_asked_for_is_not_read_whatever_its_number_is() {
    let logs = Logs { folder: Folder::new(), written: 0, half: String::new() };
    let path = logs.path("app.log");
    let given = path.clone();
    for text in ["", "1\n"] {
        fs::write(&path, text).unwrap();
        let only = given.clone();
        let make = move || JsonLines::new([only.clone()]).follow().look_every(Duration::ZERO);
        let mut job = Job::new(make, 1).unwrap();
        job.catch_up().unwrap();
        job.take_checkpoint();
        let seen = job.seen.records.len();
        // It has the number now.
        fs::rename(&path, logs.path(".old-backup")).unwrap();
        append(&logs.path(".old-backup"), b"7\n");
        fs::write(&path, format!("{text}2\n")).unwrap();
        job.die().unwrap();
        job.catch_up().unwrap();
        assert_eq!(job.seen.records[seen..], [2], "{text:?}");
    }
}

/// It may still be being written, but not for ever.
#[test]
fn a_compressed_file_that_is_cut_off_is_waited_for_and_then_bad_input() {
    let logs = Logs { folder: Folder::new(), written: 0, half: String::new() };
    let lines: String = (0..20_000).map(|line| format!("{line}\n")).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(lines.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    let path = logs.path("app.log.1.gz");
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let mut job = Job::new(followed(&logs.folder), 1).unwrap();
    job.catch_up().unwrap();
    let half = job.seen.records.len();
    assert!((1..20_000).contains(&half));
    fs::write(&path, &bytes).unwrap();
    job.catch_up().unwrap();
    assert_eq!(job.seen.records, (0..20_000).collect::<Vec<_>>());
    fs::write(logs.path("app.log.2.gz"), &bytes[..bytes.len() / 2]).unwrap();
    let error = job.settle().unwrap_err();
    assert_eq!(error.kind(), steadfast_core::ErrorKind::BadInput, "{error}");
    assert!(error.to_string().contains("app.log.2.gz"), "{error}");
}

/// Whoever writes is slow: what is there of a line after a long time counts as one, and its rest is bad input.
#[test]
fn the_rest_of_a_line_that_was_waited_for_too_long_is_bad_input() {
    let mut logs = Logs { folder: Folder::new(), written: 10, half: String::new() };
    let mut job = Job::new(followed(&logs.folder), 1).unwrap();
    logs.write(1, true);
    job.settle().unwrap();
    assert_eq!(job.seen.records, [10, 1]);
    logs.write(2, false);
    job.settle().unwrap();
    assert_eq!(job.seen.records, [10, 1, 12, 13]);
    assert_eq!(job.seen.bad_raw(), [(4, &b"1"[..])]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_line_is_read_once_however_the_logs_are_rotated_and_whoever_dies(
        all in proptest::collection::vec(doing(), 1..40),
        seed in any::<u64>(),
    ) {
        once(all, seed);
    }
}
