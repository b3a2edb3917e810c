//! What a task that reads a source says to the next stage, step by step, and what it waits for.

use std::sync::Mutex;
use std::task::Waker;

use serde::Deserialize;
use steadfast_checkpoint::limits::Limits;

use super::super::scene::{Said, Scene, Stepped};
use super::super::source_head::SourceHead;
use steadfast_core::id::{ClaimId, Generation, Lineage};
use steadfast_core::key::KeyGroups;
use steadfast_core::source::{
    Discovered, NextLook, Planned, Resumed, SourceOutput, SplitDiscovery,
};

use steadfast_protocol::manifest::{Manifest, Watermarks};

use super::*;
use crate::event_time::{TimeOptions, TimedBy};

/// Splits of times. What reads a split is woken by the waker that is kept here.
#[derive(Default)]
struct Times {
    splits: Vec<Vec<i64>>,
    /// What is said at the end of a split.
    at_the_end: Option<Polled>,
    /// Whether more splits may be found.
    is_followed: bool,
    waker: Arc<Mutex<Option<Waker>>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Position {
    split: usize,
    next: usize,
}

struct Reader {
    times: Vec<i64>,
    position: Position,
    at_the_end: Polled,
}

impl Source for Times {
    type Item = i64;
    type Split = Position;
    type Reader = Reader;

    fn plan(&self, _resumed: Resumed<Position>, _readers: usize) -> Result<Planned<Position>> {
        let all = (0..self.splits.len()).map(|split| Position { split, next: 0 });
        let all = all.map(|split| SplitStatus { split, finished: false, done: 0 });
        Ok(Planned::new(all.collect()))
    }

    fn open(&self, position: Position, waker: &Waker) -> Result<Reader> {
        *self.waker.lock().unwrap() = Some(waker.clone());
        let times = self.splits[position.split].clone();
        Ok(Reader { times, position, at_the_end: self.at_the_end.unwrap_or(Polled::End) })
    }

    fn discovery(&self, _waker: &Waker) -> Result<Option<Box<dyn SplitDiscovery<Position>>>> {
        Ok(self.is_followed.then(|| Box::new(FindsNothing) as Box<dyn SplitDiscovery<Position>>))
    }

    fn at_once(&self) -> usize {
        if self.is_followed { usize::MAX } else { 1 }
    }

    fn total(&self) -> Option<u64> {
        Some(0)
    }

    fn describe(&self) -> String {
        "times".to_string()
    }
}

struct FindsNothing;

impl SplitDiscovery<Position> for FindsNothing {
    fn poll(&mut self, _now: Timestamp) -> Result<Discovered<Position>> {
        Ok(Discovered { splits: Vec::new(), next: NextLook::WhenWoken })
    }
}

/// What a record weighs.
const WEIGHT: usize = 10;

impl SplitReader for Reader {
    type Item = i64;
    type Split = Position;

    fn poll(
        &mut self,
        limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<i64>,
    ) -> Result<Polled> {
        for _ in 0..limit.records {
            let Some(time) = self.times.get(self.position.next) else {
                return Ok(self.at_the_end);
            };
            self.position.next += 1;
            output.weigh(WEIGHT);
            output.push(*time)?;
        }
        Ok(Polled::More)
    }

    fn split(&self) -> Position {
        self.position.clone()
    }
}

/// Tasks that read one record in each step.
fn tasks(times: Times, tasks: u16) -> Vec<Stepped<i64>> {
    let time = TimedBy(|at: &i64| Timestamp(*at));
    let head = SourceHead::new("times", times).timed(time, TimeOptions::new(Duration::ZERO));
    Scene::new(Limits::default(), 1).tasks(&head, tasks)
}

fn splits<const N: usize>(splits: [&[i64]; N]) -> Times {
    Times { splits: splits.iter().map(|times| times.to_vec()).collect(), ..Times::default() }
}

#[test]
fn a_split_that_nobody_has_begun_holds_the_watermark_back() {
    let mut task = tasks(splits([&[0, 10, 20, 30], &[15, 40]]), 1).remove(0);
    let mut said = Vec::new();
    for _ in 0..3 {
        assert_eq!(task.step(), Progress::Worked);
        said.push(task.said());
    }
    let read = |at, watermark| vec![Said::Records(vec![at]), Said::Watermark(watermark)];
    assert_eq!(said, [read(0, 0), read(10, 10), read(20, 15)]);
    task.settle();
    let last = task.said();
    assert_eq!(last[last.len() - 2..], [Said::Watermark(40), Said::Idle]);
}

/// Tasks that read so many records in each step, of a source that stays open when all are at their ends.
fn followed(times: Times, time: TimeOptions, (records, tasks): (usize, u16)) -> Vec<Stepped<i64>> {
    let head = SourceHead::new("times", Times { is_followed: true, ..times });
    let head = head.timed(TimedBy(|at: &i64| Timestamp(*at)), time);
    Scene::new(Limits::default(), records).tasks(&head, tasks)
}

fn two_followed(times: Times, time: TimeOptions) -> [Stepped<i64>; 2] {
    <[_; 2]>::try_from(followed(times, time, (2, 2))).ok().unwrap()
}

fn in_order() -> TimeOptions {
    TimeOptions::new(Duration::ZERO)
}

/// Records that are followed by nothing would otherwise wait for ever to be shown.
#[test]
fn what_was_read_last_counts_though_more_may_be_found() {
    let mut task = followed(splits([&[1, 2, 3]]), in_order(), (100, 1)).remove(0);
    task.settle();
    let read = Said::Records(vec![1, 2, 3]);
    assert_eq!(task.said(), [read, Said::Watermark(3), Said::Idle]);
    task.settle();
    assert_eq!(task.said(), [], "it is said once");
}

/// Whichever task read the latest record, and whoever was through first.
#[test]
fn where_all_tasks_have_nothing_to_read_the_greatest_time_counts() {
    let [mut one, mut other] = two_followed(splits([&[1, 2, 40], &[2, 3, 20]]), in_order());
    assert_eq!([one.step(), other.step()], [Progress::Worked, Progress::Worked]);
    one.settle();
    let begun = |items: &[i64], at| [Said::Records(items.to_vec()), Said::Watermark(at)];
    let [first, second] = begun(&[1, 2], 2);
    assert_eq!(one.said(), [first, second, Said::Records(vec![40]), Said::Idle], "the other reads");
    other.settle();
    let [first, second] = begun(&[2, 3], 3);
    let last = [Said::Records(vec![20]), Said::Watermark(40), Said::Idle];
    assert_eq!(other.said(), [first, second].into_iter().chain(last).collect::<Vec<_>>());
}

/// It was waiting when another task looked last, and has been read since.
#[test]
fn a_split_that_has_waited_holds_nobody_back_once_it_has_been_read() {
    let silent = TimeOptions { idle_after: Some(Duration::ZERO), confirmations: 1, ..in_order() };
    let times = Times { at_the_end: Some(Polled::Idle(None)), ..splits([&[1, 40], &[2, 20]]) };
    let [mut one, mut other] = two_followed(times, silent);
    one.settle();
    assert_eq!(one.said(), [Said::Records(vec![1, 40])]);
    other.settle();
    assert_eq!(other.said().last_chunk(), Some(&[Said::Watermark(40), Said::Idle]));
}

/// It has been begun, and so nobody can see it in the queue.
#[test]
fn a_split_that_waits_for_slower_ones_is_something_to_read() {
    let time = TimeOptions { drift: Some(Duration::from_millis(5)), ..in_order() };
    let [mut one, mut other] = two_followed(splits([&[1, 2, 3], &[100, 101]]), time);
    assert_eq!(one.step(), Progress::Worked);
    assert_eq!(other.step(), Progress::Blocked);
    one.settle();
    let read = |items: &[i64]| Said::Records(items.to_vec());
    assert_eq!(one.said(), [read(&[1, 2]), Said::Watermark(2), read(&[3]), Said::Idle]);
    assert_eq!(other.said(), []);
}

/// What lies in files that were read before a restart, and to which nothing is added, is past all the same.
#[test]
fn what_was_reached_before_a_restart_counts_where_nothing_comes() {
    let claim = ClaimId { generation: Generation(1), nonce: 1 };
    let mut manifest = Manifest::empty("job", Lineage(1), claim, Generation(1));
    let mut watermarks = Watermarks::default();
    watermarks.set(KeyGroups { first: 0, end: 8 }, Timestamp(70));
    manifest.watermarks.insert("times".to_string(), watermarks);
    let silent = TimeOptions { idle_after: Some(Duration::ZERO), ..in_order() };
    for at_the_end in [Polled::End, Polled::Idle(None)] {
        let times = Times { at_the_end: Some(at_the_end), is_followed: true, ..splits([&[], &[]]) };
        let head = SourceHead::new("times", times);
        let head = head.timed(TimedBy(|at: &i64| Timestamp(*at)), silent);
        let scene = Scene::new(Limits::default(), 100).goes_on_from(manifest.clone());
        let mut task = scene.tasks(&head, 1).remove(0);
        task.settle();
        assert_eq!(task.said(), [Said::Watermark(70), Said::Idle], "{at_the_end:?}");
    }
}

/// Nothing would be complete before the end of the input.
#[test]
fn a_task_for_which_no_split_is_left_holds_nobody_back() {
    let [mut reads, mut has_none] = <[_; 2]>::try_from(tasks(splits([&[7, 8]]), 2)).ok().unwrap();
    assert_eq!(reads.step(), Progress::Worked);
    assert_eq!(reads.said(), [Said::Records(vec![7]), Said::Watermark(7)]);
    has_none.settle();
    assert_eq!(has_none.said(), [Said::Watermark(7), Said::Idle]);
}

#[test]
fn whoever_has_something_for_a_source_wakes_the_task_that_reads_it() {
    let times = Times { at_the_end: Some(Polled::Idle(None)), ..splits([&[1]]) };
    let waker = Arc::clone(&times.waker);
    let mut task = tasks(times, 1).remove(0);
    task.settle();
    assert!(!task.is_due());
    waker.lock().unwrap().take().unwrap().wake();
    assert!(task.is_due());
}

#[test]
fn a_source_that_has_asked_for_a_time_is_asked_again_then() {
    let at = Polled::Idle(Some(Timestamp(5)));
    let mut task = tasks(Times { at_the_end: Some(at), ..splits([&[1]]) }, 1).remove(0);
    assert_eq!(task.step(), Progress::Worked);
    assert_eq!(task.step(), Progress::Idle(Some(Duration::from_millis(5))));
}

#[test]
fn large_records_are_counted_until_the_next_stage_has_taken_them() {
    let heavy_poll_bytes = WEIGHT;
    let limits = Limits { heavy_poll_bytes, in_flight_bytes: WEIGHT, ..Limits::default() };
    let head = SourceHead::new("times", splits([&[1, 2, 3, 4]]));
    let mut task = Scene::new(limits, 1).tasks(&head, 1).remove(0);
    assert_eq!([task.step(), task.step()], [Progress::Worked, Progress::Worked]);
    assert_eq!(task.step(), Progress::Blocked, "more is under way than may be");
    assert_eq!(task.said(), [Said::Records(vec![1]), Said::Records(vec![2])]);
    assert!(task.is_due(), "it is woken when there is room");
    assert_eq!(task.step(), Progress::Worked);
    assert_eq!(task.said(), [Said::Records(vec![3])]);
}

/// Each way in which something happens in a source, and that it waits, which is none.
#[test]
fn what_is_read_is_worth_a_checkpoint_and_waiting_is_not() {
    let times = Times { at_the_end: Some(Polled::Idle(None)), ..splits([&[1, 2]]) };
    let time = TimedBy(|at: &i64| Timestamp(*at));
    let head = SourceHead::new("times", times).timed(time, TimeOptions::new(Duration::ZERO));
    let scene = Scene::new(Limits::default(), 1);
    let mut task = scene.tasks(&head, 1).remove(0);
    for at in 1..3 {
        assert_eq!(task.step(), Progress::Worked);
        assert!(scene.has_happened(), "record {at}");
    }
    for _ in 0..3 {
        task.settle();
        task.step();
    }
    assert!(!scene.has_happened());
}
