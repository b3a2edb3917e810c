//! What a task that reads a source says to the next stage, step by step, and what it waits for.

use std::sync::Mutex;
use std::task::Waker;

use serde::Deserialize;
use steadfast_checkpoint::limits::Limits;

use super::super::scene::{Said, Scene, Stepped};
use super::super::source_head::SourceHead;
use steadfast_core::source::{Planned, Resumed, SourceOutput};

use super::*;
use crate::event_time::{TimeOptions, TimedBy};

/// Splits of times. What reads a split is woken by the waker that is kept here.
#[derive(Default)]
struct Times {
    splits: Vec<Vec<i64>>,
    /// What is said at the end of a split.
    at_the_end: Option<Polled>,
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

    fn total(&self) -> Option<u64> {
        Some(0)
    }

    fn describe(&self) -> String {
        "times".to_string()
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
