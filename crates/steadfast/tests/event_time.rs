//! The property of event time: if every split keeps its declared disorder, nothing is late, and results
//! depend on nothing but the input: not on how it is divided, in which order it is read, on the number of
//! tasks, on checkpoints, or on where a process dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use steadfast::memory::Collected;
use steadfast::prelude::*;
use steadfast::{Emitter, KeyedContext, Max, Passed, ProcessFunction, Sum, ValueState};

use pieces::InPieces;

mod pieces;

/// What flows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Click {
    user: u32,
    at: i64,
    /// Unique.
    number: u64,
}

/// Input in which no split has a record that is further behind than `disorder`.
#[derive(Clone, Debug)]
struct Input {
    splits: Vec<Vec<Click>>,
    disorder: i64,
}

impl Input {
    fn clicks(&self) -> impl Iterator<Item = &Click> {
        self.splits.iter().flatten()
    }

    fn disorder(&self) -> Duration {
        millis(self.disorder)
    }
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis as u64)
}

/// Each split goes on from a time of its own, in steps, with records that are up to `disorder` behind.
fn input() -> impl Strategy<Value = Input> {
    let steps = prop::collection::vec((0..5_u32, 0..40_i64, 0..100_i64), 0..60);
    let splits = prop::collection::vec((0..3000_i64, steps), 1..6);
    (splits, 0..60_i64).prop_map(|(drawn, disorder)| {
        let mut number = 0;
        let mut split = |(start, steps): (i64, Vec<(u32, i64, i64)>)| {
            let mut latest = start;
            let click = |(user, step, behind): (u32, i64, i64)| {
                latest += step;
                number += 1;
                Click { user, at: latest - behind * disorder / 100, number }
            };
            steps.into_iter().map(click).collect()
        };
        Input { splits: drawn.into_iter().map(&mut split).collect(), disorder }
    })
}

/// How a job is run: with so many tasks, and after so many records the process dies; then with the next.
/// A split is read in pieces of so many records: the watermark moves on in between.
#[derive(Clone, Debug)]
struct Run {
    lives: Vec<(u16, i64)>,
    last: u16,
    records_between_checkpoints: u64,
    piece: usize,
}

fn run() -> impl Strategy<Value = Run> {
    let lives = prop::collection::vec((1..=8_u16, 0..200_i64), 0..4);
    (lives, 1..=8_u16, 1..40_u64, 1..70_usize).prop_map(
        |(lives, last, records_between_checkpoints, piece)| Run {
            lives,
            last,
            records_between_checkpoints,
            piece,
        },
    )
}

/// Runs a job until it has finished, in several lives.
fn play<T>(input: &Input, run: &Run, build: impl Fn(Stream<Passed<Click>>, Collect<T>)) -> Vec<T>
where
    T: Data + Clone + Sync,
{
    let (collected, mut options) = (Collect::new().collected(), RunOptions::in_memory());
    options = options.checkpoint_interval(None);
    options = options.checkpoint_records(run.records_between_checkpoints);
    for (parallelism, records) in run.lives.iter().copied().chain([(run.last, i64::MAX)]) {
        let job = job((input, run.piece), records, &collected, &build);
        let ended = job.run(&options.clone().parallelism(parallelism));
        if records == i64::MAX {
            assert!(ended.unwrap().is_finished());
        }
    }
    collected.items()
}

/// A job that dies after so many records.
fn job<T: Data + Clone + Sync>(
    (input, piece): (&Input, usize),
    records: i64,
    collected: &Collected<T>,
    build: impl Fn(Stream<Passed<Click>>, Collect<T>),
) -> Job {
    let (job, left) = (Job::new("clicks"), Arc::new(AtomicI64::new(records)));
    let clicks = job
        .source("clicks", InPieces::new(Values::in_splits(input.splits.clone()), piece))
        .event_time(input.disorder(), |click| Timestamp(click.at))
        .try_map(move |click| match left.fetch_sub(1, Ordering::Relaxed) {
            ..=0 => Err("the process dies here".into()),
            _ => Ok(click),
        })
        .rebalance();
    build(clicks, Collect::into_collected(collected));
    job
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

type Row = (u32, i64, u64, i128, Option<i64>);

/// The windows of each user: how many clicks, the sum of their numbers, the latest.
fn windowed(windows: Windows) -> impl Fn(Stream<Passed<Click>>, Collect<Row>) {
    move |clicks, sink| {
        clicks
            .key_by(|click| click.user)
            .named("windows")
            .window(windows.clone())
            .late(|late| {
                late.map(|_| -> Row { panic!("nothing is late") }).sink("late", Collect::new())
            })
            .aggregate((
                steadfast::Count,
                Sum(|click: &Click| i128::from(click.number)),
                Max::of(|click: &Click| click.at),
            ))
            .map(|row| {
                let (count, sum, latest) = row.value;
                (row.key, row.window.start.0, count, sum, latest)
            })
            .sink("rows", sink);
    }
}

fn expected_windows(input: &Input, size: i64, slide: i64) -> Vec<Row> {
    let mut rows: BTreeMap<(u32, i64), (u64, i128, Option<i64>)> = BTreeMap::new();
    for click in input.clicks() {
        let mut start = click.at.div_euclid(slide) * slide;
        while start + size > click.at {
            let row = rows.entry((click.user, start)).or_default();
            *row = (row.0 + 1, row.1 + i128::from(click.number), row.2.max(Some(click.at)));
            start -= slide;
        }
    }
    rows.into_iter()
        .map(|((user, start), (count, sum, latest))| (user, start, count, sum, latest))
        .collect()
}

/// Each click without another of the same user within 50 ms after it: what a left join without partner is.
struct Lonely {
    last: ValueState<i64>,
}

impl ProcessFunction<u32, Click> for Lonely {
    type Out = (u32, i64);

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        click: &Click,
        _out: &mut Emitter<'_, (u32, i64)>,
    ) -> Result<(), UserError> {
        // The records come in the order of time.
        if let Some(last) = context.get(self.last).copied().filter(|last| click.at <= last + 50) {
            context.clear_timer(Timestamp(last + 50));
        }
        context.set(self.last, click.at);
        context.set_timer(Timestamp(click.at + 50));
        Ok(())
    }

    fn on_timer(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        _clock: steadfast::Clock,
        out: &mut Emitter<'_, (u32, i64)>,
    ) -> Result<(), UserError> {
        out.push((*context.key(), context.time().0 - 50));
        Ok(())
    }

    fn on_end(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        out: &mut Emitter<'_, (u32, i64)>,
    ) -> Result<(), UserError> {
        let at = context.time();
        context.clear_timer(at);
        out.push((*context.key(), at.0 - 50));
        Ok(())
    }
}

fn lonely(clicks: Stream<Passed<Click>>, sink: Collect<(u32, i64)>) {
    clicks
        .key_by(|click| click.user)
        .named("in order")
        .in_time_order(|click| click.number)
        .side(|late| {
            late.map(|_| -> u32 { panic!("nothing is late") }).sink("late", Collect::new())
        })
        .key_by(|click| click.user)
        .named("lonely")
        .process_with(|states| Lonely { last: states.value("last") })
        .sink("without another", sink);
}

fn expected_lonely(input: &Input) -> Vec<(u32, i64)> {
    let times: BTreeSet<(u32, i64)> = input.clicks().map(|click| (click.user, click.at)).collect();
    let is_lonely =
        |(user, at): &&(u32, i64)| times.range((*user, at + 1)..=(*user, at + 50)).next().is_none();
    times.iter().filter(is_lonely).copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn windows_depend_on_nothing_but_the_input(input in input(), run in run()) {
        let windows = Windows::tumbling(millis(100));
        let rows = sorted(play(&input, &run, windowed(windows)));
        prop_assert_eq!(rows, expected_windows(&input, 100, 100));
    }

    #[test]
    fn sliding_windows_depend_on_nothing_but_the_input(input in input(), run in run()) {
        let windows = Windows::sliding(millis(100), millis(30));
        let rows = sorted(play(&input, &run, windowed(windows)));
        prop_assert_eq!(rows, expected_windows(&input, 100, 30));
    }

    #[test]
    fn timers_and_order_depend_on_nothing_but_the_input(input in input(), run in run()) {
        prop_assert_eq!(sorted(play(&input, &run, lonely)), expected_lonely(&input));
    }

    /// Each click comes twice, the second time in another split and up to 40 ms later.
    #[test]
    fn copies_within_the_time_that_ids_are_kept_are_dropped(input in input(), run in run()) {
        let mut input = input;
        let copy = |click: &Click| Click { at: click.at + (click.number % 41) as i64, ..click.clone() };
        let copies: Vec<Vec<Click>> =
            input.splits.iter().map(|split| split.iter().map(copy).collect()).collect();
        input.disorder += 40;
        input.splits.extend(copies);
        let passed = play(&input, &run, |clicks, sink: Collect<u64>| {
            clicks
                .named("distinct")
                .dedup(|click| &click.number, Expiry::After(millis(40)))
                .map(|click| click.number)
                .sink("passed", sink);
        });
        let once: BTreeSet<u64> = input.clicks().map(|click| click.number).collect();
        prop_assert_eq!(sorted(passed), once.into_iter().collect::<Vec<_>>());
    }
}

/// Sets a timer for a time that has passed long ago.
struct Past;

impl ProcessFunction<u32, Click> for Past {
    type Out = i64;

    fn on_record(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        click: &Click,
        out: &mut Emitter<'_, i64>,
    ) -> Result<(), UserError> {
        if context.watermark().0 > click.at - 1000 {
            context.set_timer(Timestamp(click.at - 5000));
            out.push(0);
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        context: &mut KeyedContext<'_, u32>,
        _clock: steadfast::Clock,
        out: &mut Emitter<'_, i64>,
    ) -> Result<(), UserError> {
        out.push(context.time().0);
        Ok(())
    }
}

#[test]
fn a_timer_for_the_past_comes_at_once() {
    let click = |at: i64| Click { user: 1, at, number: at as u64 };
    // More than one batch, all of one time: the watermark does not move on behind the first.
    let input = Input { splits: vec![vec![click(7000); 3000]], disorder: 0 };
    let (records_between_checkpoints, piece) = (1_000_000, 1000);
    let run = Run { lives: Vec::new(), last: 1, records_between_checkpoints, piece };
    let fired = play(&input, &run, |clicks, sink| {
        let clicks = clicks.key_by(|click| click.user).named("past");
        clicks.process_with(|_| Past).sink("fired", sink);
    });
    assert_eq!(fired.first(), Some(&0));
    assert!(fired.contains(&2000));
}
