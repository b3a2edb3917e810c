//! A source that finds splits while the job runs, is told what is committed, and keeps a few bytes of what is
//! finished: each record once, whatever the number of tasks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use steadfast::prelude::*;
use steadfast::source::{
    Discovered, FinishedSplit, NextLook, Planned, PollLimit, Polled, Resumed, Source, SourceOutput,
    SplitDiscovery, SplitReader, SplitStatus,
};

/// Each split has so many records.
const RECORDS: u64 = 3;

/// What is known outside of the job.
#[derive(Default)]
struct Outside {
    /// How many splits there are when the job begins, and after it has looked.
    before: AtomicU64,
    after: AtomicU64,
    /// How many were listed, and how many remembered, at the last start.
    resumed: Mutex<(usize, usize)>,
    /// The positions that were told to be committed, and those that were read.
    committed: Mutex<Vec<(u64, u64)>>,
}

struct Shelf(Arc<Outside>);

type Position = (u64, u64);

fn status(split: Position) -> SplitStatus<Position> {
    SplitStatus { split, finished: split.1 == RECORDS, done: 0 }
}

impl Source for Shelf {
    type Item = u64;
    type Split = Position;
    type Reader = Reader;

    fn plan(&self, resumed: Resumed<Position>, _readers: usize) -> Result<Planned<Position>> {
        let Resumed { splits, finished } = resumed;
        *self.0.resumed.lock().unwrap() = (splits.len(), finished.len());
        let number =
            |finished: &FinishedSplit| u64::from(finished.0[0]) * 256 + u64::from(finished.0[1]);
        let is_known = |number_of: u64| {
            splits.iter().any(|split| split.0 == number_of)
                || finished.iter().any(|finished| number(finished) == number_of)
        };
        let new = (0..self.0.before.load(Ordering::SeqCst)).filter(|of| !is_known(*of));
        let new: Vec<_> = new.map(|of| status((of, 0))).collect();
        let splits = splits.into_iter().map(status).chain(new).collect();
        Ok(Planned { splits, finished, done: 0 })
    }

    fn open(&self, (of, next): Position, _waker: &Waker) -> Result<Reader> {
        Ok(Reader { of, next })
    }

    fn discovery(&self, _waker: &Waker) -> Result<Option<Box<dyn SplitDiscovery<Position>>>> {
        let next = self.0.before.load(Ordering::SeqCst);
        Ok(Some(Box::new(Finds { next, outside: Arc::clone(&self.0) })))
    }

    fn remember(&self, (of, _): &Position) -> Option<FinishedSplit> {
        Some(FinishedSplit(vec![(of / 256) as u8, (of % 256) as u8]))
    }

    fn committed(&self, splits: &[Position]) {
        self.0.committed.lock().unwrap().extend(splits);
    }

    fn total(&self) -> Option<u64> {
        None
    }

    fn describe(&self) -> String {
        "a shelf".to_string()
    }
}

/// One split in each look, as long as there are some.
struct Finds {
    next: u64,
    outside: Arc<Outside>,
}

impl SplitDiscovery<Position> for Finds {
    fn poll(&mut self, now: Timestamp) -> Result<Discovered<Position>> {
        if self.next == self.outside.after.load(Ordering::SeqCst) {
            return Ok(Discovered { splits: Vec::new(), next: NextLook::Never });
        }
        self.next += 1;
        let next = NextLook::At(Timestamp(now.0 + 1));
        Ok(Discovered { splits: vec![(self.next - 1, 0)], next })
    }
}

struct Reader {
    of: u64,
    next: u64,
}

impl SplitReader for Reader {
    type Item = u64;
    type Split = Position;

    fn poll(
        &mut self,
        _limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<u64>,
    ) -> Result<Polled> {
        if self.next == RECORDS {
            return Ok(Polled::End);
        }
        output.push(self.of * RECORDS + self.next)?;
        self.next += 1;
        Ok(Polled::More)
    }

    fn split(&self) -> Position {
        (self.of, self.next)
    }
}

#[test]
fn each_record_of_splits_that_are_found_comes_once_and_finished_ones_are_few_bytes() {
    let outside = Arc::<Outside>::default();
    let collected = Collect::new().collected();
    let checkpoints = CheckpointStore::Memory(Arc::default());
    for (round, tasks) in (1..).zip([3, 1, 4, 2]) {
        let (before, after) = (round * 100 - 50, round * 100);
        outside.before.store(before, Ordering::SeqCst);
        outside.after.store(after, Ordering::SeqCst);
        let job = Job::new("shelf");
        job.source("shelf", Shelf(Arc::clone(&outside)))
            .sink("all", Collect::into_collected(&collected));
        let options = RunOptions::new(checkpoints.clone()).parallelism(tasks);
        let often = std::time::Duration::from_millis(2);
        let report = job.run(&options.checkpoint_interval(often)).unwrap();
        assert!(report.is_finished());
        let mut records = collected.items();
        records.sort_unstable();
        assert_eq!(records, (0..after * RECORDS).collect::<Vec<_>>(), "round {round}");
        let (listed, remembered) = *outside.resumed.lock().unwrap();
        let read_before = if round == 1 { 0 } else { (after - 100) as usize };
        assert_eq!(listed + remembered, read_before, "round {round}");
        assert!(listed <= 32 * 4, "{listed} finished splits are listed");
    }
    // Nothing is told to be committed that was not read.
    let committed = outside.committed.lock().unwrap();
    assert!(!committed.is_empty());
    assert!(committed.iter().all(|(of, next)| *of < 400 && *next <= RECORDS), "{committed:?}");
}

#[test]
fn who_has_nothing_to_read_is_told_but_not_where_something_may_be_found() {
    let outside = Arc::<Outside>::default();
    outside.after.store(1, Ordering::SeqCst);
    let job = Job::new("shelf");
    job.source("shelf", Shelf(Arc::clone(&outside))).sink("all", Collect::new());
    let found = job.run(&RunOptions::in_memory()).unwrap();
    assert_eq!((found.events(), found.nothing_to_read.len()), (RECORDS, 0));

    let nowhere = JsonLines::<u64>::new(["no/such/folder/*.jsonl"]);
    let no_file = JsonLines::<u64>::new([""; 0]);
    let job = Job::new("files");
    job.source("nowhere", nowhere).sink("one", Collect::new());
    job.source("none", no_file).sink("two", Collect::new());
    job.source("numbers", Values::new([1_u64])).sink("three", Collect::new());
    let told = job.run(&RunOptions::in_memory()).unwrap().nothing_to_read;
    assert_eq!(told.keys().collect::<Vec<_>>(), ["none", "nowhere"]);
    assert!(told["nowhere"].ends_with("no/such/folder/*.jsonl"), "{told:?}");
}
