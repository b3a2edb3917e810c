//! Reads a source as a task does: polls, and waits for the waker when there is nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Wake, Waker};
use std::time::Duration;

use steadfast_core::Result;
use steadfast_core::source::{
    BadRecord, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader,
};
use steadfast_core::time::Timestamp;
use steadfast_formats::Text;
use steadfast_streams::{LineStream, StreamReader, StreamSplit};

/// Longer than anything takes that happens at all.
pub const LONG: Duration = Duration::from_secs(20);

/// What has come.
#[derive(Default)]
pub struct Seen {
    pub records: Vec<String>,
    pub bad: Vec<BadRecord>,
}

impl SourceOutput<String> for Seen {
    fn push(&mut self, item: String) -> Result<()> {
        self.records.push(item);
        Ok(())
    }

    fn reject(&mut self, bad: BadRecord) -> Result<()> {
        self.bad.push(bad);
        Ok(())
    }

    fn advance(&mut self, _amount: u64) {}
}

struct Woken {
    bell: Sender<()>,
    times: AtomicU64,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.times.fetch_add(1, Ordering::SeqCst);
        let _ = self.bell.send(());
    }
}

/// A reader and what it has read.
pub struct Reading {
    pub reader: StreamReader<Text>,
    pub seen: Seen,
    bells: Receiver<()>,
    woken: Arc<Woken>,
}

impl Reading {
    pub fn of(source: &LineStream<Text>) -> Self {
        let (bell, bells) = mpsc::channel();
        let woken = Arc::new(Woken { bell, times: AtomicU64::new(0) });
        let split = plan(source, Vec::new());
        let reader = source.open(split, &Waker::from(Arc::clone(&woken))).unwrap();
        Reading { reader, seen: Seen::default(), bells, woken }
    }

    pub fn poll(&mut self) -> Result<Polled> {
        let limit = PollLimit { records: 100, bytes: 10_000 };
        self.reader.poll(limit, Timestamp(0), &mut self.seen)
    }

    /// Reads on until so much has come; whoever has nothing waits to be woken.
    #[track_caller]
    pub fn until(&mut self, is_enough: impl Fn(&Seen) -> bool) {
        while !is_enough(&self.seen) {
            match self.poll().unwrap() {
                Polled::More => {}
                Polled::Idle(None) if is_enough(&self.seen) => {}
                Polled::Idle(None) => self.bells.recv_timeout(LONG).expect("nobody was woken"),
                other => panic!("{other:?}, with {:?}", self.seen.records),
            }
        }
    }

    /// Reads to the end.
    #[track_caller]
    pub fn read_to_the_end(&mut self) -> Result<()> {
        loop {
            match self.poll()? {
                Polled::More => {}
                Polled::End => return Ok(()),
                Polled::Idle(None) => self.bells.recv_timeout(LONG).expect("nobody was woken"),
                other @ Polled::Idle(_) => panic!("{other:?}"),
            }
        }
    }

    /// Waits until it is woken; false if it is not for so long.
    pub fn is_woken_within(&self, time: Duration) -> bool {
        self.bells.recv_timeout(time).is_ok()
    }

    pub fn times_woken(&self) -> u64 {
        self.woken.times.load(Ordering::SeqCst)
    }
}

/// The split of which it reads after `before`.
pub fn plan(source: &LineStream<Text>, before: Vec<StreamSplit>) -> StreamSplit {
    let mut planned = source.plan(Resumed::new(before), 4).unwrap();
    assert!(planned.finished.is_empty() && planned.splits.len() == 1);
    let status = planned.splits.pop().unwrap();
    assert!(!status.finished);
    status.split
}
