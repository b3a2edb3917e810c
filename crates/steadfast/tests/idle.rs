//! A job in which nothing happens for a while: it leaves checkpoints out, and nothing waits because of that.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use steadfast::prelude::*;
use steadfast::source::{
    Planned, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader, SplitStatus,
};

/// Numbers up to one that is raised from outside, which wakes whoever reads.
#[derive(Clone, Default)]
struct Tap(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    end: u64,
    reader: Option<Waker>,
    /// Is told of the positions that are committed.
    committed: Option<Sender<u64>>,
    plans: u32,
}

impl Tap {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_up_to(&self, end: u64) {
        let mut inner = self.inner();
        inner.end = end;
        if let Some(reader) = &inner.reader {
            reader.wake_by_ref();
        }
    }
}

impl Source for Tap {
    type Item = u64;
    type Split = u64;
    type Reader = Reader;

    fn plan(&self, resumed: Resumed<u64>, _readers: usize) -> Result<Planned<u64>> {
        self.inner().plans += 1;
        let split = resumed.splits.first().copied().unwrap_or(0);
        Ok(Planned::new(vec![SplitStatus { split, finished: false, done: 0 }]))
    }

    fn open(&self, next: u64, waker: &Waker) -> Result<Reader> {
        self.inner().reader = Some(waker.clone());
        Ok(Reader { next, tap: self.clone() })
    }

    fn committed(&self, splits: &[u64]) {
        if let (Some(committed), Some(next)) = (&self.inner().committed, splits.first()) {
            let _ = committed.send(*next);
        }
    }

    fn total(&self) -> Option<u64> {
        None
    }

    fn describe(&self) -> String {
        "a tap".to_string()
    }
}

struct Reader {
    next: u64,
    tap: Tap,
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
        let end = self.tap.inner().end;
        if self.next >= end {
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
fn an_idle_job_leaves_checkpoints_out_and_goes_on_when_something_comes() {
    let (tap, collected) = (Tap::default(), Collect::new().collected());
    let (committed, told) = channel();
    tap.inner().committed = Some(committed);
    let job = Job::new("idle");
    job.source("tap", tap.clone()).sink("all", Collect::into_collected(&collected));
    let interval = Duration::from_millis(10);
    let options = RunOptions::in_memory().checkpoint_interval(interval);
    let running = job.start(&options).unwrap();
    let (handle, status) = (running.handle(), running.status());
    let ran = std::thread::scope(|scope| {
        let run = scope.spawn(|| running.join());
        let wait_for = |next: u64| {
            while told.recv_timeout(Duration::from_secs(20)).expect("it is committed") < next {}
        };
        for end in [1, 5, 6] {
            tap.open_up_to(end);
            wait_for(end);
            // One more may be taken for what is in this one already.
            let before = status.checkpoints().committed;
            let mut more = 0;
            loop {
                match told.recv_timeout(50 * interval) {
                    Ok(next) => {
                        assert_eq!(next, end);
                        more += 1;
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => panic!("the tap is held here"),
                }
            }
            let taken = status.checkpoints().committed - before;
            assert!(more <= 3 && taken <= 3, "{more} checkpoints, {taken} since, of nothing");
        }
        // Who asks gets one, and so does who stops.
        let before = status.checkpoints().committed;
        handle.checkpoint();
        wait_for(6);
        assert!(status.checkpoints().committed >= before);
        handle.stop(None);
        run.join().unwrap()
    });
    let report = ran.unwrap();
    assert!(report.checkpoints >= 5 && !report.is_finished());
    assert_eq!(collected.items(), (0..6).collect::<Vec<_>>());
    assert_eq!(report.missed_wakeups, 0);
}

#[test]
fn a_start_plans_once() {
    let (tap, collected) = (Tap::default(), Collect::new().collected());
    let options = RunOptions::in_memory();
    for start in 1..4_u64 {
        tap.open_up_to(start);
        let job = Job::new("planned");
        job.source("tap", tap.clone()).sink("all", Collect::into_collected(&collected));
        // To look does not count.
        job.preview(&options).unwrap();
        let looked = tap.inner().plans;
        let running = job.start(&options).unwrap();
        assert_eq!(tap.inner().plans, looked + 1);
        running.handle().stop(None);
        running.join().unwrap();
    }
}
