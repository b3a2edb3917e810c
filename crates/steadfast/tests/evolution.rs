//! A job that changes between two runs: what is gone, what is new, and what has another name.

use steadfast::ErrorKind;
use steadfast::memory::Collected;
use steadfast::prelude::*;

/// The same numbers each time, and more with each run.
fn numbers(job: &Job, end: u64) -> Stream<impl OperatorChain<Out = u64> + use<>> {
    job.source("numbers", Generator::new(|n| n).count(end))
}

fn sum(job: &Job, end: u64, operator: &str, former: Option<&str>, into: &Collected<(u64, u64)>) {
    let keyed = numbers(job, end).map(|n| (n % 2, n)).key_by_ref(|pair| &pair.0).named(operator);
    let keyed = match former {
        Some(former) => keyed.formerly(former),
        None => keyed,
    };
    keyed
        .fold(Emit::Final, || 0_u64, |sum, (_, n)| *sum += n)
        .sink("sums", Collect::into_collected(into));
}

fn newest(collected: &Collected<(u64, u64)>) -> Vec<(u64, u64)> {
    let mut rows = collected.checkpoints().pop().unwrap().1;
    rows.sort_unstable();
    rows
}

#[test]
fn a_renamed_operator_keeps_its_state_if_its_former_name_is_told() {
    let (options, into) = (RunOptions::in_memory(), Collect::new().collected());
    let run = |end, operator: &str, former| {
        let job = Job::new("renamed");
        sum(&job, end, operator, former, &into);
        job.run(&options)
    };
    run(10, "sum", None).unwrap();
    assert_eq!(newest(&into), [(0, 20), (1, 25)]);
    let error = run(20, "total", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error.to_string();
    assert!(text.contains("'sum/state'") && text.contains("formerly"), "{text}");
    run(20, "total", Some("sum")).unwrap();
    assert_eq!(newest(&into), [(0, 90), (1, 100)]);
}

#[test]
fn a_renamed_source_goes_on_where_it_was_if_its_former_name_is_told() {
    let (options, into) = (RunOptions::in_memory(), Collect::new().collected());
    let run = |name: &str, former: Option<&str>| {
        let job = Job::new("renamed source");
        let mut numbers = job.source(name, Generator::new(|n| n).count(5));
        if let Some(former) = former {
            numbers = numbers.source_formerly(former);
        }
        numbers.sink("out", Collect::into_collected(&into));
        job.run(&options)
    };
    run("log", None).unwrap();
    let error = run("log2", None).unwrap_err().to_string();
    assert!(error.contains("source 'log'; new in the job: source 'log2' ["), "{error}");
    assert!(error.contains("source_formerly()"), "{error}");
    run("log2", Some("log")).unwrap();
    assert_eq!(into.items(), [0, 1, 2, 3, 4]);
}

#[test]
fn state_that_is_gone_is_dropped_only_when_told() {
    let (mut options, into) = (RunOptions::in_memory(), Collect::new().collected());
    let job = Job::new("dropped");
    sum(&job, 10, "sum", None, &into);
    job.run(&options).unwrap();
    let passing = Collect::new().collected();
    let run = |options: &RunOptions| {
        let job = Job::new("dropped");
        numbers(&job, 20).sink("all", Collect::into_collected(&passing));
        job.run(options)
    };
    let error = run(&options).unwrap_err().to_string();
    assert!(error.contains("--forget sum,sums"), "{error}");
    options = options.forget(["sum", "sums"]).new_operators(["all"]);
    run(&options).unwrap();
    assert_eq!(passing.items(), (10..20).collect::<Vec<_>>());
}

/// Row A10 of the first attack.
#[test]
fn a_sink_or_state_that_is_added_in_mid_life_must_be_accepted() {
    let (mut options, into) = (RunOptions::in_memory(), Collect::new().collected());
    let added = Collect::new().collected();
    let run = |options: &RunOptions, end, with_more: bool| {
        let job = Job::new("grown");
        let shared = numbers(&job, end).shared();
        shared.stream().sink("first", Collect::into_collected(&into));
        if with_more {
            let keyed = shared.stream().key_by_ref(|n| n).named("seen");
            keyed
                .fold(Emit::Final, || 0_u64, |count, _| *count += 1)
                .sink("second", Collect::into_collected(&added));
        }
        job.run(options)
    };
    run(&options, 5, false).unwrap();
    let error = run(&options, 7, true).unwrap_err().to_string();
    assert!(error.contains("--new seen"), "{error}");
    options = options.new_operators(["seen"]);
    let error = run(&options, 7, true).unwrap_err().to_string();
    assert!(
        error.contains("--new second") && error.contains("nothing of what came before"),
        "{error}"
    );
    assert!(added.items().is_empty());
    options = options.new_operators(["seen", "second"]);
    run(&options, 7, true).unwrap();
    let mut items = added.items();
    items.sort_unstable();
    assert_eq!(items, [(5, 1), (6, 1)]);
    assert_eq!(into.items(), (0..7).collect::<Vec<_>>());
}
