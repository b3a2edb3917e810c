//! Event time at its edges, as somebody has attacked it who had not written it: clocks that are wrong at the
//! first look, splits that are silent or ahead, timers for the past and timers that others have cleared.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast::prelude::*;
use steadfast::source::{
    Planned, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast::time::Timestamp;
use steadfast::{Emitter, KeyedContext, ProcessFunction};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

type Avail = Arc<dyn Fn(usize, usize, bool) -> usize + Send + Sync>;

/// Splits of (key, at); `avail(split, polls that were empty)` tells how many are there.
struct Script {
    splits: Vec<Vec<(u32, i64)>>,
    endless: bool,
    avail: Avail,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Position {
    index: usize,
    next: usize,
}

struct Reader {
    values: Vec<(u32, i64)>,
    pos: Position,
    endless: bool,
    avail: Avail,
}

impl Source for Script {
    type Item = (u32, i64);
    type Split = Position;
    type Reader = Reader;
    fn plan(&self, resumed: Resumed<Position>, _r: usize) -> Result<Planned<Position>> {
        let mut all: Vec<Position> =
            (0..self.splits.len()).map(|index| Position { index, next: 0 }).collect();
        for pos in resumed.splits {
            let index = pos.index;
            all[index] = pos;
        }
        let status = |split: Position| SplitStatus {
            finished: !self.endless && split.next == self.splits[split.index].len(),
            done: split.next as u64,
            split,
        };
        Ok(Planned::new(all.into_iter().map(status).collect()))
    }
    fn open(&self, pos: Position, _w: &Waker) -> Result<Reader> {
        let values = self.splits[pos.index].clone();
        Ok(Reader { values, pos, endless: self.endless, avail: Arc::clone(&self.avail) })
    }
    fn at_once(&self) -> usize {
        if self.endless { usize::MAX } else { 1 }
    }
    fn total(&self) -> Option<u64> {
        (!self.endless).then_some(1)
    }
    fn describe(&self) -> String {
        "script".into()
    }
}

impl SplitReader for Reader {
    type Item = (u32, i64);
    type Split = Position;
    fn poll(
        &mut self,
        limit: PollLimit,
        now: Timestamp,
        output: &mut impl SourceOutput<(u32, i64)>,
    ) -> Result<Polled> {
        let there = (self.avail)(self.pos.index, self.pos.next, output.looks_ahead())
            .min(self.values.len());
        for _ in 0..limit.records {
            if self.pos.next >= there {
                break;
            }
            self.pos.next += 1;
            output.push(self.values[self.pos.next - 1])?;
        }
        if self.pos.next == self.values.len() && !self.endless {
            return Ok(Polled::End);
        }
        Ok(if self.pos.next < there { Polled::More } else { Polled::Idle(Some(now.plus(ms(3)))) })
    }
    fn split(&self) -> Position {
        self.pos.clone()
    }
}

fn bounded(splits: Vec<Vec<(u32, i64)>>) -> Script {
    Script { splits, endless: false, avail: Arc::new(|_, _, _| usize::MAX) }
}

/// Runs for at most so long, or until `done`; true if it finished by itself.
fn run_for(job: Job, options: &RunOptions, most: Duration, done: impl Fn() -> bool) -> bool {
    let running = job.start(options).unwrap();
    let handle = running.handle();
    let mut looks = most.as_millis() / 5;
    let ended = Arc::new(AtomicUsize::new(0));
    let (_never, pause) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let e = Arc::clone(&ended);
        let run = scope.spawn(move || {
            let r = running.join();
            e.store(1, Ordering::SeqCst);
            r
        });
        while looks > 0 && ended.load(Ordering::SeqCst) == 0 && !done() {
            looks -= 1;
            let _ = pause.recv_timeout(ms(5));
        }
        handle.stop(None);
        run.join().unwrap().unwrap().is_finished()
    })
}

fn aligned(splits: Vec<Vec<(u32, i64)>>, endless: bool) -> (bool, u64) {
    let seen = Arc::new(AtomicU64::new(0));
    let s = Arc::clone(&seen);
    let n = splits.iter().map(Vec::len).sum::<usize>() as u64;
    let source = Script { splits, endless, avail: Arc::new(|_, _, _| usize::MAX) };
    let job = Job::new("aligned");
    job.source("in", source)
        .event_time(ms(0), |(_, at)| Timestamp(*at))
        .align_within(Duration::from_secs(3600))
        .inspect(move |_| {
            s.fetch_add(1, Ordering::SeqCst);
        })
        .sink("out", Collect::<(u32, i64)>::new());
    let s = Arc::clone(&seen);
    let finished = run_for(job, &RunOptions::in_memory(), Duration::from_secs(4), || {
        endless && s.load(Ordering::SeqCst) == n
    });
    (finished, seen.load(Ordering::SeqCst))
}

#[test]
fn align_within_one_split_of_one_hour() {
    assert_eq!(
        aligned(vec![vec![(1, 1_700_000_000_000), (1, 1_700_000_001_000)]], false),
        (true, 2)
    );
}
#[test]
fn align_within_endless_one_split() {
    assert_eq!(aligned(vec![vec![(1, 1_700_000_000_000), (1, 1_700_000_001_000)]], true).1, 2);
}

#[test]
fn a_panic_in_event_time_is_an_error_of_the_job() {
    let result = std::panic::catch_unwind(|| {
        let job = Job::new("panics");
        job.source("in", bounded(vec![vec![(1, 1)]]))
            .event_time(ms(0), |(_, at)| if *at == 1 { panic!("bad time") } else { Timestamp(*at) })
            .sink("out", Collect::<(u32, i64)>::new());
        job.run(&RunOptions::in_memory()).is_err()
    });
    assert!(matches!(result, Ok(true)), "the panic leaves job.run()");
}

/// Tells what was called.
struct Calls {
    behind: i64,
    clears_all: bool,
}

impl ProcessFunction<u32, (u32, i64)> for Calls {
    type Out = (String, i64);
    fn on_record(
        &mut self,
        c: &mut KeyedContext<'_, u32>,
        r: &(u32, i64),
        out: &mut Emitter<'_, (String, i64)>,
    ) -> Result<(), UserError> {
        if r.0 == 7 {
            out.push(("watermark".into(), c.watermark().0));
            c.set_timer(Timestamp(r.1 - self.behind));
        }
        Ok(())
    }
    fn on_timer(
        &mut self,
        c: &mut KeyedContext<'_, u32>,
        _k: steadfast::Clock,
        out: &mut Emitter<'_, (String, i64)>,
    ) -> Result<(), UserError> {
        out.push(("timer".into(), c.time().0));
        Ok(())
    }
    fn on_end(
        &mut self,
        c: &mut KeyedContext<'_, u32>,
        out: &mut Emitter<'_, (String, i64)>,
    ) -> Result<(), UserError> {
        out.push(("end".into(), c.time().0));
        if self.clears_all {
            c.clear_timer(Timestamp(100));
            c.clear_timer(Timestamp(200));
        }
        Ok(())
    }
}

fn calls(splits: Vec<Vec<(u32, i64)>>, behind: i64, clears_all: bool) -> Vec<(String, i64)> {
    let sink = Collect::new();
    let seen = sink.collected();
    let job = Job::new("calls");
    job.source("in", bounded(splits))
        .event_time(ms(10), |(_, at)| Timestamp(*at))
        .key_by(|r| r.0)
        .named("calls")
        .process_with(move |_| Calls { behind, clears_all })
        .sink("out", sink);
    job.run(&RunOptions::in_memory()).unwrap();
    seen.items()
}
#[test]
fn a_timer_in_the_past_fires_wherever_the_batch_ends() {
    // The same input but for the number of records of another key before it.
    let short: Vec<_> = std::iter::repeat_n((1, 1000), 10).chain([(7, 995)]).collect();
    let long: Vec<_> = std::iter::repeat_n((1, 1000), 5000).chain([(7, 995)]).collect();
    let strip =
        |v: Vec<(String, i64)>| v.into_iter().filter(|c| c.0 != "watermark").collect::<Vec<_>>();
    let (short, long) = (strip(calls(vec![short], 20, false)), strip(calls(vec![long], 20, false)));
    assert_eq!(short, long);
}
#[test]
fn a_timer_that_another_has_cleared_at_the_end_is_not_called() {
    // Watermark 90 at the end: both timers (100 and 200 of one key) wait... 200 is not declared late.
    struct Two;
    impl ProcessFunction<u32, (u32, i64)> for Two {
        type Out = i64;
        fn on_record(
            &mut self,
            c: &mut KeyedContext<'_, u32>,
            _r: &(u32, i64),
            _o: &mut Emitter<'_, i64>,
        ) -> Result<(), UserError> {
            c.set_timer(Timestamp(500));
            c.set_timer(Timestamp(600));
            Ok(())
        }
        fn on_end(
            &mut self,
            c: &mut KeyedContext<'_, u32>,
            out: &mut Emitter<'_, i64>,
        ) -> Result<(), UserError> {
            out.push(c.time().0);
            c.clear_timer(Timestamp(500));
            c.clear_timer(Timestamp(600));
            Ok(())
        }
    }
    let sink = Collect::new();
    let seen = sink.collected();
    let job = Job::new("two");
    job.source("in", bounded(vec![vec![(7, 100)]]))
        .event_time(ms(10), |(_, at)| Timestamp(*at))
        .key_by(|r| r.0)
        .named("two")
        .process_with(|_| Two)
        .sink("out", sink);
    job.run(&RunOptions::in_memory()).unwrap();
    assert_eq!(seen.items(), [500]);
}

fn late_of(
    source: Script,
    idle: Option<Duration>,
    most: Duration,
    on: impl Fn(&(u32, i64)) + Send + Sync + 'static,
    n: u64,
) -> Vec<(u32, i64)> {
    let late = Collect::new();
    let seen = late.collected();
    let count = Arc::new(AtomicU64::new(0));
    let (c, late) = (Arc::clone(&count), Mutex::new(Some(late)));
    let job = Job::new("late");
    let mut stream = job.source("in", source).event_time(ms(0), |r: &(u32, i64)| Timestamp(r.1));
    if let Some(idle) = idle {
        stream = stream.idle_after(idle);
    }
    stream
        .inspect(move |r| {
            c.fetch_add(1, Ordering::SeqCst);
            on(r);
        })
        .key_by(|r| r.0)
        .named("w")
        .window(Windows::tumbling(ms(10)))
        .late(move |l| l.sink("late", late.lock().unwrap().take().unwrap()))
        .count()
        .map(|row| row.value)
        .sink("out", Collect::<u64>::new());
    run_for(job, &RunOptions::in_memory(), most, || count.load(Ordering::SeqCst) == n);
    seen.items()
}

#[test]
fn a_first_record_with_a_broken_clock_makes_nothing_late_in_a_source_without_end() {
    let day = 1_700_000_000_000;
    let mut values = vec![(1, 4_000_000_000_000)];
    values.extend((0..3000).map(|n| (1, day + n * 20)));
    let n = values.len() as u64;
    // When it is looked at, one record has come.
    let avail: Avail = Arc::new(|_, _, looks| if looks { 1 } else { usize::MAX });
    let source = Script { splits: vec![values], endless: true, avail };
    let late = late_of(source, None, Duration::from_secs(8), |_| {}, n);
    assert_eq!(late.len(), 0);
}

#[test]
fn event_time_behind_processing_time_is_refused() {
    let job = Job::new("mixed");
    job.source("in", bounded(vec![vec![(1, 1)]]))
        .key_by(|r| r.0)
        .named("clock")
        .window(Windows::tumbling(ms(10)).by_processing_time())
        .count()
        .key_by(|row| row.key)
        .named("event")
        .window(Windows::tumbling(ms(10)))
        .count()
        .map(|row| row.value)
        .sink("out", Collect::<u64>::new());
    assert!(job.run(&RunOptions::in_memory()).is_err());
}

/// Records of which some have a time and some have none cannot be put into windows.
#[test]
fn event_time_behind_a_union_with_what_has_none_is_refused() {
    let job = Job::new("mixed");
    let untimed = job.source("untimed", Values::new([(1_u32, 1_i64)]));
    job.source("timed", bounded(vec![vec![(1, 1)]]))
        .event_time(ms(0), |r| Timestamp(r.1))
        .union(untimed)
        .key_by(|r| r.0)
        .named("windows")
        .window(Windows::tumbling(ms(10)))
        .count()
        .map(|row| row.value)
        .sink("out", Collect::<u64>::new());
    let error = job.run(&RunOptions::in_memory()).unwrap_err().to_string();
    assert!(error.contains("cannot be built") && error.contains("windows"), "{error}");
}

/// Row 1 of a new user's findings: a window of another size took over rows of the former.
#[test]
fn a_window_of_another_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = |seconds: u64| {
        let job = Job::new("sizes");
        let sink = Collect::new();
        job.source("numbers", Values::new([1_000_i64, 2_000]))
            .event_time(Duration::ZERO, |at| Timestamp(*at))
            .key_by(|_| 0_u8)
            .named("counts")
            .window(Windows::tumbling(Duration::from_secs(seconds)))
            .count()
            .map(|count| count.value)
            .sink("out", sink);
        let store = CheckpointStore::Folder(folder.path().to_path_buf());
        job.run(&RunOptions::new(store).parallelism(1))
    };
    run(60).unwrap();
    let error = run(30).unwrap_err().to_string();
    assert!(error.contains("counts") && error.contains("60000 ms"), "{error}");
}

/// Row 2: what is computed with the ends of time overflowed, and a record was counted twice.
#[test]
fn a_record_from_the_end_of_time_is_counted_once() {
    for at in [i64::MIN, i64::MIN + 1, i64::MIN + 60_000, i64::MAX, i64::MAX - 1] {
        for slide in [60, 300] {
            let job = Job::new("ends");
            let sink = Collect::new();
            let counted = sink.collected();
            let windows = Windows::sliding(Duration::from_secs(300), Duration::from_secs(slide));
            job.source("numbers", Values::new([1_000_i64, at, 2_000]))
                .event_time(Duration::from_secs(60), |at| Timestamp(*at))
                .key_by(|at| *at)
                .window(windows)
                .count()
                .map(|count| (count.key, count.window.start.0, count.value))
                .sink("out", sink);
            job.run(&RunOptions::in_memory()).unwrap();
            let mut own = counted.items();
            own.retain(|(key, ..)| *key == at);
            own.sort_unstable();
            own.dedup_by_key(|(_, start, _)| *start);
            assert_eq!(own.len() as u64, 300 / slide, "{at}: {own:?}");
            assert!(own.iter().all(|(.., count)| *count == 1), "{at}: {own:?}");
        }
    }
}

/// Row 4: timers never came and state never expired, without a word.
#[test]
fn who_asks_for_event_time_where_there_is_none_is_told() {
    let failure = |expiring: bool| {
        let job = Job::new("untimed");
        job.source("numbers", Values::new([1_u64, 2]))
            .key_by(|n| *n)
            .named("waits")
            .process(move |states| {
                let minute = Duration::from_secs(60);
                let seen = states.expiring(minute, steadfast::Clock::Event).value::<u64>("seen");
                move |context, n, out| {
                    match expiring {
                        true => context.set(seen, *n),
                        false => context.set_timer(Timestamp(1)),
                    }
                    out.push(*n);
                    Ok(())
                }
            })
            .sink("out", Collect::new());
        job.run(&RunOptions::in_memory()).unwrap_err().to_string()
    };
    for expiring in [true, false] {
        let error = failure(expiring);
        assert!(error.contains("no event time") && error.contains("event_time()"), "{error}");
        assert_eq!(error.contains("panicked"), expiring, "{error}");
        assert!(expiring || error.contains("operator 'waits' (process)"), "{error}");
    }
}

/// Row 3: what was late for some windows was counted nowhere.
#[test]
fn records_that_miss_some_of_their_windows_are_counted() {
    let job = Job::new("partly");
    let minute = Duration::from_secs(60);
    let first = (0..100_000_i64).map(|n| n * 10);
    job.source("numbers", Values::new(first.chain([900_000]).collect::<Vec<_>>()))
        .event_time(Duration::ZERO, |at| Timestamp(*at))
        .key_by(|_| 0_u8)
        .named("sliding")
        .window(Windows::sliding(minute * 5, minute))
        .count()
        .map(|count| count.value)
        .sink("out", Collect::new());
    let report = job.run(&RunOptions::in_memory()).unwrap();
    assert_eq!(report.counter("sliding", "late"), 0);
    assert_eq!(report.counter("sliding", "partly_late"), 1);
}
