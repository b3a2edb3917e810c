//! Every operator of the API, at parallelism 1 to 4, and what happens when user code fails.

use std::collections::BTreeMap;

use steadfast::memory::Collected;
use steadfast::prelude::*;
use steadfast::{Aggregate, ErrorKind};

/// Runs a job that `build` ends in a collecting sink, at several parallelisms; what comes out,
/// sorted, must be the same.
fn results<T>(build: impl Fn(&Job, Collect<T>)) -> Vec<T>
where
    T: Ord + Clone + std::fmt::Debug,
{
    let run = |parallelism| {
        let job = Job::new("test");
        let sink = Collect::new();
        let collected: Collected<T> = sink.collected();
        build(&job, sink);
        let report = job.run(&RunOptions::in_memory().parallelism(parallelism)).unwrap();
        assert!(report.is_finished());
        let mut items = collected.items();
        items.sort();
        items
    };
    let alone = run(1);
    for parallelism in 2..=4 {
        assert_eq!(run(parallelism), alone, "parallelism {parallelism}");
    }
    alone
}

fn numbers(
    job: &Job,
    name: &str,
    range: std::ops::Range<u64>,
) -> Stream<impl OperatorChain<Out = u64>> {
    job.source(name, Values::new(range.collect::<Vec<_>>()).splits(7))
}

#[test]
fn stateless_operators() {
    let out = results(|job, sink| {
        numbers(job, "numbers", 0..1000)
            .map(|n| n + 1)
            .filter(|n| n % 10 == 0)
            .flat_map(|n| [n, n + 1])
            .inspect(|n| assert!(*n > 0))
            .try_map(|n| Ok(n * 2))
            .sink("out", sink);
    });
    let expected: Vec<u64> =
        (1..=1000).filter(|n| n % 10 == 0).flat_map(|n| [2 * n, 2 * n + 2]).collect();
    assert_eq!(out, expected);
}

#[test]
fn streams_that_meet_and_part() {
    let out = results(|job, sink| {
        let odd = numbers(job, "a", 0..500).filter(|n| n % 2 == 1).rebalance();
        let shared = numbers(job, "b", 500..600).shared();
        let twice = shared.stream().union(shared.stream());
        odd.union(twice).sink("out", sink);
    });
    let mut expected: Vec<u64> = (0..500).filter(|n| n % 2 == 1).collect();
    expected.extend((500..600).flat_map(|n| [n, n]));
    assert_eq!(out, expected);
}

#[test]
fn broadcast_reaches_every_task() {
    for parallelism in 1..=4 {
        let (job, sink) = (Job::new("test"), Collect::new());
        let collected = sink.collected();
        numbers(&job, "numbers", 0..50).broadcast().sink("out", sink);
        job.run(&RunOptions::in_memory().parallelism(parallelism)).unwrap();
        assert_eq!(collected.items().len(), 50 * usize::from(parallelism));
    }
}

/// The mean of some numbers: its state and its result are of different types.
struct Mean;

impl Aggregate<(u64, u64)> for Mean {
    type State = (u64, u64);
    type Out = u64;

    fn init(&self) -> (u64, u64) {
        (0, 0)
    }
    fn add(&self, (sum, count): &mut (u64, u64), (_, n): &(u64, u64)) -> Result<(), UserError> {
        *sum += n;
        *count += 1;
        Ok(())
    }
    fn result(&self, (sum, count): &(u64, u64)) -> u64 {
        sum / count
    }
}

#[test]
fn aggregates() {
    let out = results(|job, sink| {
        numbers(job, "numbers", 0..1000)
            .map(|n| (n % 7, n))
            .key_by_ref(|pair| &pair.0)
            .named("mean")
            .aggregate(Emit::Final, Mean)
            .sink("out", sink);
    });
    let mut groups: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    (0..1000).for_each(|n| groups.entry(n % 7).or_default().push(n));
    let mean = |all: &Vec<u64>| all.iter().sum::<u64>() / all.len() as u64;
    let expected: Vec<_> = groups.iter().map(|(key, all)| (*key, mean(all))).collect();
    assert_eq!(out, expected);
}

#[test]
fn dedup_across_tasks() {
    let out = results(|job, sink| {
        let first = numbers(job, "first", 0..300);
        let again = numbers(job, "again", 100..400);
        first.union(again).named("distinct").dedup(|n| n, Expiry::Never).sink("out", sink);
    });
    assert_eq!(out, (0..400).collect::<Vec<_>>());
}

#[test]
fn process_has_value_list_and_map_state() {
    let out = results(|job, sink| {
        numbers(job, "numbers", 0..600)
            .map(|n| (n % 5, n / 5 % 3))
            .key_by_ref(|pair| &pair.0)
            .named("kinds")
            .process(|states| {
                let count = states.value::<u64>("count");
                let kinds = states.map::<u64, u64>("kinds");
                let all = states.list::<u64>("all");
                move |context, (_, kind), out| {
                    *context.value(count) += 1;
                    *context.map(kinds).value(kind) += 1;
                    context.list(all).push(*kind);
                    if context.get(count) == Some(&120) {
                        let counts: Vec<u64> =
                            context.map(kinds).iter().map(|kind| *kind.1).collect();
                        out.push((*context.key(), counts, context.list(all).len()));
                        context.clear(count);
                    }
                    Ok(())
                }
            })
            .sink("out", sink);
    });
    let expected: Vec<_> = (0..5).map(|key| (key, vec![40, 40, 40], 120)).collect();
    assert_eq!(out, expected);
}

fn failure(build: impl Fn(&Job)) -> steadfast::Error {
    let job = Job::new("test");
    build(&job);
    job.run(&RunOptions::in_memory().parallelism(2)).unwrap_err()
}

#[test]
fn errors_and_panics_of_user_code_name_the_operator() {
    let error = failure(|job| {
        numbers(job, "numbers", 0..100)
            .named("halve")
            .try_map(|n| if n < 50 { Ok(n) } else { Err("too large".into()) })
            .sink("out", Collect::new());
    });
    assert_eq!(error.kind(), ErrorKind::UserCode);
    let shown = error.to_string();
    assert!(shown.contains("too large") && shown.contains("'halve'"), "{shown}");

    let error = failure(|job| {
        numbers(job, "numbers", 0..100)
            .map(|n| if n == 50 { panic!("fifty") } else { n })
            .sink("out", Collect::new());
    });
    assert_eq!(error.kind(), ErrorKind::UserCode);
    assert!(error.to_string().contains("fifty"), "{error}");
}

#[test]
fn a_plan_that_cannot_work_is_refused_with_all_that_is_wrong() {
    let error = failure(|job| {
        numbers(job, "same", 0..1).sink("same", Collect::new());
        numbers(job, "other", 0..1).sink("same", Collect::new());
    });
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("'same'"), "{error}");
    let error = failure(|_| {});
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

#[test]
fn a_graph_prints_itself() {
    let job = Job::new("test");
    let shared = numbers(&job, "numbers", 0..1).shared();
    shared
        .stream()
        .map(|n| n)
        .key_by_ref(|n| n)
        .fold(Emit::Final, || 0, |_, _| {})
        .sink("a", Collect::new());
    shared.stream().sink("b", Collect::new());
    job.with_plan(|plan| {
        let picture = plan.picture();
        let text = "numbers (source)  1 values in memory\n\
                    map (map)\n  <- numbers, forward\n\
                    fold (fold)\n  <- map, by key\n\
                    a (sink)  memory\n  <- fold\n\
                    b (sink)  memory\n  <- numbers, forward\n";
        assert_eq!(picture.text(), text);
        assert!(picture.mermaid().contains("n1 -- by key --> n2"), "{}", picture.mermaid());
        assert!(picture.dot().contains("n1 -> n2 [label=\"by key\"]"), "{}", picture.dot());
    });
}

#[test]
fn all_splits_of_a_source_without_an_end_are_read() {
    let (job, sink) = (Job::new("test"), Collect::new());
    let collected = sink.collected();
    job.source("numbers", Generator::new(|n| n).splits(4)).sink("out", sink);
    let running = job.start(&RunOptions::in_memory()).unwrap();
    let (handle, status) = (running.handle(), running.status());
    std::thread::scope(|scope| {
        let run = scope.spawn(|| running.join());
        while status.metrics.records.read() < 100_000 {
            std::thread::yield_now();
        }
        handle.stop(None);
        run.join().unwrap().unwrap();
    });
    let items = collected.items();
    for split in 0..4 {
        let read = items.iter().filter(|n| **n % 4 == split).count();
        assert!(read > items.len() / 100, "{read} of {} are of split {split}", items.len());
    }
}

#[test]
fn what_a_sink_has_taken_is_counted_also_where_the_last_epoch_has_no_output() {
    let (job, sink) = (Job::new("test"), Collect::new());
    let slow = Generator::new(|n| n).count(1000).rate(5000);
    job.source("numbers", slow).filter(|n| *n < 10).sink("out", sink);
    let options = RunOptions::in_memory().checkpoint_interval(std::time::Duration::from_millis(5));
    let report = job.run(&options).unwrap();
    assert!(report.checkpoints > 2, "some epochs are quiet");
    assert_eq!(report.counter("out", "records"), 10);
}

#[test]
fn the_report_counts_the_records_of_all_sources() {
    let (job, sink) = (Job::new("test"), Collect::new());
    let one = job.source("one", Values::new([1_u64, 2]));
    let other = job.source("other", Values::new([3_u64, 4, 5]));
    one.union(other).sink("out", sink);
    let report = job.run(&RunOptions::in_memory()).unwrap();
    assert_eq!((report.events(), report.records), (5, 5));
}
