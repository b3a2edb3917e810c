//! Reading a source the way the engine does: some splits at once, with stops anywhere.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::task::Waker;

use steadfast_core::Result;
use steadfast_core::source::{
    BadRecord, PollLimit, Polled, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast_core::time::Timestamp;
use steadfast_files::FileSplit;
use tempfile::TempDir;

/// What a source has handed over.
pub struct Seen<T> {
    pub records: Vec<T>,
    pub bad: Vec<BadRecord>,
    pub advanced: u64,
}

impl<T> Seen<T> {
    pub fn new() -> Self {
        Seen { records: Vec::new(), bad: Vec::new(), advanced: 0 }
    }

    /// Where each bad record begins and what it looks like, in order.
    pub fn bad_raw(&self) -> Vec<(u64, &[u8])> {
        let mut all: Vec<_> = self.bad.iter().map(|bad| (bad.offset, &bad.raw[..])).collect();
        all.sort_unstable();
        all
    }
}

impl<T> SourceOutput<T> for Seen<T> {
    fn push(&mut self, item: T) -> Result<()> {
        self.records.push(item);
        Ok(())
    }

    fn reject(&mut self, bad: BadRecord) -> Result<()> {
        self.bad.push(bad);
        Ok(())
    }

    fn advance(&mut self, amount: u64) {
        self.advanced += amount;
    }
}

/// Small random numbers; the seed comes from the test.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

pub const NOW: Timestamp = Timestamp(0);

/// As a checkpoint keeps it.
pub fn stored(status: &SplitStatus<FileSplit>) -> FileSplit {
    let json = serde_json::to_string(status).unwrap();
    serde_json::from_str::<SplitStatus<FileSplit>>(&json).unwrap().split
}

/// Reads for a while: up to `readers` splits at once, up to `polls` polls. Returns every split as
/// a checkpoint keeps it, and whether there is more to read.
pub fn run<S: Source<Split = FileSplit>>(
    source: &S,
    resumed: Vec<FileSplit>,
    readers: usize,
    polls: usize,
    dice: &mut Dice,
    seen: &mut Seen<S::Item>,
) -> Result<(Vec<FileSplit>, bool)> {
    let all = source.splits(resumed, readers)?;
    let (finished, mut waiting) = all.into_iter().partition::<Vec<_>, _>(|split| split.finished);
    let mut stops: Vec<FileSplit> = finished.iter().map(stored).collect();
    let mut active: Vec<S::Reader> = Vec::new();
    for _ in 0..polls {
        while active.len() < readers && !waiting.is_empty() {
            let next = waiting.remove(dice.below(waiting.len()));
            active.push(source.open(next.split, Waker::noop())?);
        }
        if active.is_empty() {
            break;
        }
        let at = dice.below(active.len());
        let limit = 1 + dice.below(5);
        let before = seen.records.len() + seen.bad.len();
        let polled = active[at].poll(PollLimit::records(limit), NOW, seen)?;
        // The rest of something half may come on top.
        assert!(seen.records.len() + seen.bad.len() <= before + limit + 1);
        if polled == Polled::End {
            let split = active.remove(at).split();
            stops.push(stored(&SplitStatus { split, finished: true, done: 0 }));
        }
    }
    let more = !active.is_empty() || !waiting.is_empty();
    for mut reader in active {
        let split = reader.split();
        stops.push(stored(&SplitStatus { split, finished: false, done: 0 }));
        // What is read after the checkpoint is forgotten in the crash.
        if dice.below(2) == 0 {
            let _ = reader.poll(PollLimit::records(3), NOW, &mut Seen::new());
        }
    }
    stops.extend(waiting.iter().map(stored));
    Ok((stops, more))
}

/// Reads everything, stopping at random and going on from what the stop left.
pub fn read_with_stops<S: Source<Split = FileSplit>>(
    source: &S,
    readers: usize,
    seed: u64,
) -> Result<(Seen<S::Item>, Vec<FileSplit>)> {
    let (mut dice, mut seen, mut splits) = (Dice(seed), Seen::new(), Vec::new());
    loop {
        let polls = dice.below(8);
        let more;
        (splits, more) = run(source, splits, readers, polls, &mut dice, &mut seen)?;
        if !more {
            return Ok((seen, splits));
        }
    }
}

/// Goes on from `resumed` to the end.
pub fn read_on<S: Source<Split = FileSplit>>(
    source: &S,
    resumed: Vec<FileSplit>,
) -> Result<(Seen<S::Item>, Vec<FileSplit>)> {
    let mut seen = Seen::new();
    let (splits, more) = run(source, resumed, 2, usize::MAX, &mut Dice(1), &mut seen)?;
    assert!(!more);
    Ok((seen, splits))
}

/// Reads everything without stopping.
pub fn read<S: Source<Split = FileSplit>>(source: &S) -> Result<Seen<S::Item>> {
    read_on(source, Vec::new()).map(|(seen, _)| seen)
}

/// A folder for one test.
pub struct Folder(pub TempDir);

impl Folder {
    pub fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes `contents`, compressed as the name says.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, packed(&path, contents.as_ref())).unwrap();
        path
    }
}

/// Adds `contents` to the end of the file, compressed as its name says.
pub fn append(path: &Path, contents: &[u8]) {
    let packed = packed(path, contents);
    fs::File::options().append(true).create(true).open(path).unwrap().write_all(&packed).unwrap();
}

pub fn packed(path: &Path, contents: &[u8]) -> Vec<u8> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(contents).unwrap();
            packer.finish().unwrap()
        }
        Some("zst") => {
            let mut packer = zstd::Encoder::new(Vec::new(), 1).unwrap();
            packer.include_checksum(true).unwrap();
            packer.write_all(contents).unwrap();
            packer.finish().unwrap()
        }
        _ => contents.to_vec(),
    }
}
