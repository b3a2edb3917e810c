//! Reading a source the way the engine does: some splits at once, with stops anywhere.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::task::Waker;

use steadfast_core::Result;
use steadfast_core::source::{
    BadRecord, FinishedSplit, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader,
    SplitStatus,
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

/// A source as tests plan it where nothing is remembered but splits.
pub trait Planning: Source {
    fn splits(
        &self,
        resumed: Vec<Self::Split>,
        readers: usize,
    ) -> Result<Vec<SplitStatus<Self::Split>>> {
        Ok(self.plan(Resumed::new(resumed), readers)?.splits)
    }
}

impl<S: Source> Planning for S {}

/// What a checkpoint keeps of a source.
#[derive(Clone, Default)]
pub struct Stops {
    pub splits: Vec<FileSplit>,
    /// Those of which only a few bytes are kept, and these.
    pub remembered: Vec<FileSplit>,
    pub finished: Vec<FinishedSplit>,
}

impl From<Vec<FileSplit>> for Stops {
    fn from(splits: Vec<FileSplit>) -> Self {
        Stops { splits, ..Stops::default() }
    }
}

impl Stops {
    /// All splits, as if all were listed.
    pub fn listed(self) -> Vec<FileSplit> {
        self.splits.into_iter().chain(self.remembered).collect()
    }

    /// Keeps some bytes of half of the splits that are finished.
    pub fn remember(&mut self, source: &impl Source<Split = FileSplit>, dice: &mut Dice) {
        for split in std::mem::take(&mut self.splits) {
            let is_finished = split.end.is_some_and(|end| split.next >= end);
            match source.remember(&split) {
                Some(finished) if is_finished && dice.below(2) == 0 => {
                    self.finished.push(finished);
                    self.remembered.push(split);
                }
                _ => self.splits.push(split),
            }
        }
    }
}

/// Reads for a while: up to `readers` splits at once, up to `polls` polls. Returns every split as
/// a checkpoint keeps it, and whether there is more to read.
pub fn run<S: Source<Split = FileSplit>>(
    source: &S,
    resumed: Stops,
    readers: usize,
    polls: usize,
    dice: &mut Dice,
    seen: &mut Seen<S::Item>,
) -> Result<(Stops, bool)> {
    let Stops { splits, finished, mut remembered } = resumed;
    let planned = source.plan(Resumed { splits, finished }, readers)?;
    // What has grown is listed again.
    remembered.retain(|split| {
        source.remember(split).is_some_and(|bytes| planned.finished.contains(&bytes))
    });
    let all = planned.splits;
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
    Ok((Stops { splits: stops, remembered, finished: planned.finished }, more))
}

/// Reads everything, stopping at random and going on from what the stop left.
pub fn read_with_stops<S: Source<Split = FileSplit>>(
    source: &S,
    readers: usize,
    seed: u64,
) -> Result<(Seen<S::Item>, Vec<FileSplit>)> {
    let (mut dice, mut seen, mut stops) = (Dice(seed), Seen::new(), Stops::default());
    loop {
        let polls = dice.below(8);
        let more;
        (stops, more) = run(source, stops, readers, polls, &mut dice, &mut seen)?;
        if !more {
            return Ok((seen, stops.listed()));
        }
        stops.remember(source, &mut dice);
    }
}

/// Goes on from `resumed` to the end.
pub fn read_on<S: Source<Split = FileSplit>>(
    source: &S,
    resumed: Vec<FileSplit>,
) -> Result<(Seen<S::Item>, Vec<FileSplit>)> {
    let mut seen = Seen::new();
    let (stops, more) = run(source, resumed.into(), 2, usize::MAX, &mut Dice(1), &mut seen)?;
    let splits = stops.listed();
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
