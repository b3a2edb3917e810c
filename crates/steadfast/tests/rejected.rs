//! Records that an operator refuses are dead letters like any other: each is there once, whatever fails.

use std::collections::BTreeMap;
use std::path::Path;

use steadfast::CheckpointStore;
use steadfast::prelude::*;

const NUMBERS: u64 = 500_000;

/// Refuses every tenth number. Behind it the job fails, if it is to, as soon as something that was refused can be
/// seen.
fn run(folder: &Path, fails: bool) -> Result<Report> {
    let job = Job::new("rejects");
    let odd = |n: &u64| if n % 10 != 3 { Ok(*n) } else { Err(format!("no {n}\nplease").into()) };
    let refused = folder.join("refused");
    job.source("numbers", Values::new((0..NUMBERS).collect::<Vec<_>>()))
        .named("tenths")
        .map_or_reject(odd)
        .dead_letters("refused", DeadLetterSink::new(folder.join("refused")))
        .named("fails")
        .try_map(move |n| match fails && n % 100 == 0 && !lines(&refused).is_empty() {
            true => Err("the test wants it".into()),
            false => Ok(n),
        })
        .sink("kept", JsonLinesSink::new(folder.join("kept")));
    let store = CheckpointStore::Folder(folder.join("store"));
    let options = RunOptions::new(store).parallelism(1);
    job.run(&options.checkpoint_records(100).checkpoint_interval(None))
}

/// All lines of all parts.
fn lines(folder: &Path) -> Vec<String> {
    let parts = std::fs::read_dir(folder).into_iter().flatten().map(|part| part.unwrap().path());
    let parts = parts.filter(|part| part.extension().is_some_and(|extension| extension == "jsonl"));
    let text: String = parts.map(|part| std::fs::read_to_string(part).unwrap()).collect();
    text.lines().map(str::to_string).collect()
}

#[test]
fn what_an_operator_refuses_is_there_once_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let error = run(folder.path(), true).unwrap_err();
    assert!(error.to_string().contains("operator 'fails' (try_map)"), "{error}");
    let report = run(folder.path(), false).unwrap();
    assert!(report.resumed_from.is_some(), "the first run has committed nothing");
    assert_eq!(
        [report.counter("refused", "records"), report.counter("kept", "records")],
        [NUMBERS / 10, NUMBERS / 10 * 9]
    );
    assert_eq!(report.bad_records(), 0);
    assert_eq!(lines(&folder.path().join("kept")).len() as u64, NUMBERS / 10 * 9);
    let mut seen = BTreeMap::new();
    for line in lines(&folder.path().join("refused")) {
        let letter: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(letter["operator"], "tenths");
        let record = letter["record"].as_u64().unwrap();
        assert_eq!(letter["reason"], format!("no {record} please"));
        *seen.entry(record).or_insert(0) += 1;
    }
    assert_eq!(seen, (0..NUMBERS / 10).map(|n| (10 * n + 3, 1)).collect());
}

/// What is refused may go anywhere a stream can.
#[test]
fn what_an_operator_refuses_goes_on_as_a_stream() {
    let job = Job::new("side");
    let (kept, refused) = (Collect::new(), Collect::new());
    let (good, bad) = (kept.collected(), refused.collected());
    job.source("texts", Values::new(["1", "x", "2"].map(str::to_string)))
        .map_or_reject(|text| Ok(text.parse::<u64>()?))
        .side(|rejected| rejected.map(|Rejected { record, .. }| record).sink("refused", refused))
        .sink("kept", kept);
    job.run(&RunOptions::in_memory()).unwrap();
    assert_eq!((good.items(), bad.items()), (vec![1, 2], vec!["x".to_string()]));
}
