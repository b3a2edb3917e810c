//! What a stranger writes with the crate `steadfast` (and serde) alone: a source, a sink, a store, a function
//! with state, timers and a side output, streams in a struct, and a handle of the running job in another.
//!
//! Nothing here may reach for the crates behind the face; a test holds that.

mod function;
mod sink;
mod source;
mod store;
mod streams;
mod supervised;

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use function::{Crowd, Visit, Visits};
use sink::{Ledger, LedgerSink};
use source::{Clicks, USERS};
use steadfast::{CheckpointStore, Error, Job, Report, RunOptions};
use store::Drawer;
use streams::Streams;
use supervised::Supervised;

fn job(clicks: Clicks, ledger: &Ledger) -> Job {
    let job = Job::new("visits");
    let Streams { visits, crowds } = Streams::of(&job, clicks);
    visits.sink(
        "visits",
        LedgerSink::new(ledger, |Visit { user, pages, clicks }: &Visit| {
            format!("{user} saw {pages} pages with {clicks} clicks")
        }),
    );
    crowds.sink(
        "crowds",
        LedgerSink::new(ledger, |Crowd { user }: &Crowd| format!("{user} clicks too much")),
    );
    job
}

fn options(drawer: &Drawer) -> RunOptions {
    RunOptions::new(CheckpointStore::custom(drawer.clone())).parallelism(1)
}

fn run(clicks: Clicks, drawer: &Drawer, ledger: &Ledger) -> Result<Report, Error> {
    job(clicks, ledger).run(&options(drawer))
}

/// The last visit of ann goes on.
const EXPECTED: [&str; 3] =
    ["ann saw 2 pages with 3 clicks", "bob saw 1 pages with 2 clicks", "bot clicks too much"];

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}

#[test]
fn a_job_of_ones_own_parts_runs_and_goes_on_from_a_store_of_ones_own() {
    let expected = sorted(EXPECTED.map(String::from).to_vec());
    let (drawer, ledger) = (Drawer::default(), Ledger::default());
    let report = run(Clicks::all(), &drawer, &ledger).unwrap();
    assert!(report.is_finished());
    assert_eq!(sorted(ledger.lines()), expected);

    // In two runs, the second with what has come since.
    let (drawer, ledger) = (Drawer::default(), Ledger::default());
    let first = run(Clicks::first(4), &drawer, &ledger).unwrap();
    let second = run(Clicks::all(), &drawer, &ledger).unwrap();
    assert_eq!(second.resumed_from, first.checkpoint());
    assert_eq!(second.events(), Clicks::all().count());
    assert_eq!(sorted(ledger.lines()), expected);
    assert!(drawer.names().iter().all(|name| name.starts_with("visits/")));
    assert_eq!(CheckpointStore::custom(drawer).jobs().unwrap(), ["visits"]);
}

#[test]
fn a_struct_of_ones_own_stops_a_job_and_tells_how_it_is() {
    let (drawer, ledger) = (Drawer::default(), Ledger::default());
    let (is_idle, idle) = mpsc::channel();
    let running =
        job(Clicks::all().without_end(is_idle), &ledger).start(&options(&drawer)).unwrap();
    let supervised = Supervised::of(&running);
    let report = std::thread::scope(|scope| {
        let joined = scope.spawn(|| running.join());
        let mut read = BTreeSet::new();
        while read.len() < USERS.len()
            && let Ok(user) = idle.recv_timeout(Duration::from_secs(60))
        {
            read.insert(user);
        }
        supervised.checkpoint_and_stop();
        joined.join().unwrap().unwrap()
    });
    assert!(!report.is_finished());
    assert_eq!(supervised.records(), Clicks::all().count());
    assert_eq!(supervised.latest(), report.checkpoint());
    assert!(supervised.latest().is_some());
}

/// A store of one's own outlives its process, as far as the engine knows.
#[test]
fn state_in_a_store_of_ones_own_needs_a_name() {
    let job = Job::new("unnamed");
    let visits = job.source("clicks", Clicks::all());
    let visits = visits.key_by(|click| click.user.clone()).process_with(Visits::declare);
    visits
        .side(|crowds| {
            crowds.sink("crowds", LedgerSink::new(&Ledger::default(), |_: &Crowd| String::new()))
        })
        .sink("visits", LedgerSink::new(&Ledger::default(), |_: &Visit| String::new()));
    let error = job.run(&options(&Drawer::default())).unwrap_err();
    assert_eq!(error.why(), steadfast::Cause::UNNAMED_STATE);
}

#[test]
fn nothing_behind_the_face_is_used_here() {
    let files = [
        include_str!("function.rs"),
        include_str!("main.rs"),
        include_str!("sink.rs"),
        include_str!("source.rs"),
        include_str!("store.rs"),
        include_str!("streams.rs"),
        include_str!("supervised.rs"),
    ];
    // In two pieces, or this line would be one.
    let behind = concat!("steadfast", "_");
    assert!(files.iter().all(|file| !file.contains(behind)));
}
