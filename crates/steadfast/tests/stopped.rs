//! A job that was stopped when all of its input had been read, before anybody knew that it had.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use steadfast::prelude::*;
use steadfast::source::{
    Planned, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast::time::Timestamp;

/// Three numbers; only a second process is told that there is nothing behind them.
struct Three {
    knows_its_end: bool,
    has_read: Arc<AtomicBool>,
}

struct Reader {
    next: u64,
    has_read: Arc<AtomicBool>,
}

impl Source for Three {
    type Item = u64;
    type Split = u64;
    type Reader = Reader;

    fn plan(&self, resumed: Resumed<u64>, _readers: usize) -> Result<Planned<u64>> {
        let split = resumed.splits.first().copied().unwrap_or(0);
        let finished = self.knows_its_end && split == 3;
        Ok(Planned::new(vec![SplitStatus { split, finished, done: split }]))
    }

    fn open(&self, next: u64, _waker: &Waker) -> Result<Reader> {
        Ok(Reader { next, has_read: Arc::clone(&self.has_read) })
    }

    fn total(&self) -> Option<u64> {
        None
    }

    fn describe(&self) -> String {
        "three numbers".to_string()
    }
}

impl SplitReader for Reader {
    type Item = u64;
    type Split = u64;

    fn poll(
        &mut self,
        _limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<u64>,
    ) -> Result<Polled> {
        if self.next == 3 {
            self.has_read.store(true, Ordering::Relaxed);
            return Ok(Polled::Idle(None));
        }
        output.push(self.next)?;
        self.next += 1;
        Ok(Polled::More)
    }

    fn split(&self) -> u64 {
        self.next
    }
}

#[test]
fn what_is_due_at_the_end_comes_at_the_next_start() {
    let options = RunOptions::in_memory();
    let (sink, has_read) = (Collect::<(u64, u64)>::new(), Arc::<AtomicBool>::default());
    let collected = sink.collected();
    let job = |knows_its_end| {
        let job = Job::new("stopped");
        let three = Three { knows_its_end, has_read: Arc::clone(&has_read) };
        job.source("three", three)
            .key_by_ref(|number| number)
            .named("count")
            .fold(Emit::Final, || 0_u64, |count, _| *count += 1)
            .sink("out", Collect::into_collected(&collected));
        job
    };
    let running = job(false).start(&options).unwrap();
    let handle = running.handle();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| running.join());
        while !has_read.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        handle.stop(None);
        assert!(!run.join().unwrap().unwrap().is_finished());
    });
    assert!(collected.items().is_empty(), "nothing is due before the end");
    let report = job(true).run(&options).unwrap();
    assert!(report.had_work && report.is_finished());
    assert_eq!(collected.items().len(), 3);
}
