//! A target that does not answer costs nothing but time: the result is exact, what was late is told, and
//! whoever waits is called back when the job is to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use steadfast::ErrorKind;
use steadfast::chunks::Chunks;
use steadfast::memory::{CollectWriter, Collected};
use steadfast::prelude::*;
use steadfast::sink::Sink;
use steadfast::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, PlannedStep, RejectedRows, Target,
    TargetIdentity, TargetState,
};

/// A sink into memory whose target is away for so many calls of each kind.
struct Away {
    inner: Collect<u64>,
    calls: Arc<AtomicI64>,
}

struct AwayTarget {
    inner: Box<dyn Target>,
    calls: Arc<AtomicI64>,
}

impl Sink for Away {
    type Item = u64;
    type Writer = CollectWriter<u64>;

    fn writer(&self) -> Result<CollectWriter<u64>> {
        self.inner.writer()
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        let inner = self.inner.target(identity)?;
        Ok(Box::new(AwayTarget { inner, calls: Arc::clone(&self.calls) }))
    }

    fn describe(&self) -> String {
        "sometimes away".to_string()
    }
}

impl AwayTarget {
    fn answer<T>(&self, answer: Result<T>) -> Result<T> {
        match self.calls.fetch_sub(1, Ordering::Relaxed) {
            left if left > 0 => Err(Error::unavailable("it is away")),
            _ => answer,
        }
    }
}

impl Target for AwayTarget {
    fn look(&mut self) -> Result<TargetState> {
        self.inner.look()
    }

    fn check(&mut self, planned: PlannedStep) -> Result<()> {
        self.inner.check(planned)
    }

    fn acquire(
        &mut self,
        expected: Option<&Marker>,
        marker: &Marker,
        adopt: bool,
    ) -> Result<Conditional<()>> {
        self.inner.acquire(expected, marker, adopt)
    }

    /// Takes effect each time: only the answers are lost.
    fn apply(
        &mut self,
        expected: &Marker,
        marker: &Marker,
        chunks: &dyn Chunks,
        rejected: RejectedRows,
    ) -> Result<Conditional<Applied>> {
        let answer = self.inner.apply(expected, marker, chunks, rejected);
        self.answer(answer)
    }

    fn reset(&mut self, expected: &Marker, marker: &Marker) -> Result<Conditional<()>> {
        self.inner.reset(expected, marker)
    }

    fn contents(&mut self) -> Result<String> {
        self.inner.contents()
    }

    fn format(&self) -> String {
        self.inner.format()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        self.inner.guarantee()
    }
}

/// The numbers below a thousand, into a target that is away for so many calls.
fn job(collected: &Collected<u64>, calls: i64) -> Job {
    let job = Job::new("late");
    let calls = Arc::new(AtomicI64::new(calls));
    let sink = Away { inner: Collect::into_collected(collected), calls };
    job.source("numbers", Values::new((0..1000_u64).collect::<Vec<_>>())).sink("out", sink);
    job
}

#[test]
fn a_target_that_is_away_costs_nothing_but_time() {
    let collected = Collect::new().collected();
    let mut options = RunOptions::in_memory();
    options.checkpoint_records = Some(100);
    let report = job(&collected, 5).run(&options).unwrap();
    assert_eq!(collected.items(), (0..1000).collect::<Vec<_>>());
    assert!(report.is_finished());
    assert_eq!(report.lateness.retries, 5);
    assert!(report.lateness.now.is_none() && !report.lateness.waited.is_zero());
    assert_eq!(report.missed_wakeups, 0);
}

#[test]
fn what_is_given_up_is_finished_by_the_next_run() {
    let (collected, mut options) = (Collect::new().collected(), RunOptions::in_memory());
    options.give_up_after = Some(Duration::from_millis(1));
    let error = job(&collected, i64::MAX).run(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("it is away"), "{error}");
    job(&collected, 0).run(&options).unwrap();
    assert_eq!(collected.items(), (0..1000).collect::<Vec<_>>());
}

/// Everything here would take an hour if nobody were called back.
#[test]
fn stopping_has_a_deadline_also_while_a_target_is_away() {
    let (collected, mut options) = (Collect::new().collected(), RunOptions::in_memory());
    options.give_up_after = None;
    options.checkpoint_interval = Some(Duration::from_millis(1));
    let running = job(&collected, i64::MAX).start(&options).unwrap();
    let (handle, lateness) = (running.handle(), running.lateness());
    std::thread::scope(|scope| {
        let run = scope.spawn(|| running.join());
        while lateness.report().now.is_none() {
            std::thread::yield_now();
        }
        let asked = Instant::now();
        handle.stop(Some(Duration::from_millis(50)));
        let error = run.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("the time to stop is over"), "{error}");
        assert!(asked.elapsed() < Duration::from_secs(600));
    });
    options.give_up_after = Some(Duration::from_secs(600));
    job(&collected, 0).run(&options).unwrap();
    assert_eq!(collected.items(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_failure_elsewhere_calls_back_whoever_waits() {
    let (collected, mut options) = (Collect::new().collected(), RunOptions::in_memory());
    options.give_up_after = None;
    options.checkpoint_interval = Some(Duration::from_millis(1));
    let job = Job::new("late");
    let calls = Arc::new(AtomicI64::new(i64::MAX));
    let sink = Away { inner: Collect::into_collected(&collected), calls: Arc::clone(&calls) };
    let numbers = Generator::new(|number| number).count(1_000_000).rate(10_000);
    // It fails as soon as the target has been asked.
    let checked = job.source("numbers", numbers).map(move |number: u64| {
        assert_eq!(calls.load(Ordering::Relaxed), i64::MAX, "no more numbers");
        number
    });
    checked.sink("out", sink);
    let error = job.run(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UserCode, "{error}");
}
