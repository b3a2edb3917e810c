//! The example's queries as jobs over events in memory.

use std::path::Path;
use std::time::{Duration, Instant};

use steadfast::prelude::*;

use crate::counting::{Counted, Counting};
use crate::event::{DISORDER, Event};
use crate::rows::{Row, table};
use crate::tally::{self, Checksum};
use crate::{Arguments, Failure, Outcome, SinkKind, queries};

/// Where rows go.
struct Way<'a> {
    kind: SinkKind,
    folder: &'a Path,
    counted: &'a Counted,
    checksum: bool,
}

impl Way<'_> {
    fn take<R: Row>(&self, rows: Stream<impl OperatorChain<Out = R>>) {
        self.take_with(rows, tally::of_row);
    }

    fn take_with<R: Row>(&self, rows: Stream<impl OperatorChain<Out = R>>, of: Checksum<R>) {
        match self.kind {
            SinkKind::Counting => {
                rows.sink("rows", Counting::new(self.counted, self.checksum.then_some(of)))
            }
            SinkKind::Jsonl => rows.sink("rows", JsonLinesSink::new(self.folder.join("rows"))),
            SinkKind::Sqlite => rows.sink("rows", table(self.folder.join("rows.db"), "rows")),
        }
    }
}

/// Runs a query over these splits.
pub fn run(query: u8, splits: Vec<Vec<Event>>, arguments: &Arguments) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let counted = Counted::default();
    let source = Values::in_splits(splits);
    // Whoever drops the last of them gives millions of events back: nobody does, as in the loop.
    std::mem::forget(source.clone());
    let way = Way {
        kind: arguments.sink,
        folder: folder.path(),
        counted: &counted,
        checksum: arguments.checksum,
    };
    let job = job(query, source, &way);
    let checkpoints = match arguments.sink {
        SinkKind::Counting => CheckpointStore::Memory(Default::default()),
        _ => CheckpointStore::Folder(folder.path().join("checkpoints")),
    };
    let options = RunOptions::new(checkpoints)
        .parallelism(arguments.parallelism)
        .checkpoint_interval(arguments.interval());
    let running = job.start(&options)?;
    let began = Instant::now();
    let report = running.join()?;
    let finished = Instant::now();
    let counts = counted.counts();
    Ok(Outcome {
        events: report.events(),
        seconds: counts.last.map(|last| (last - began).as_secs_f64()),
        finished_seconds: (finished - began).as_secs_f64(),
        rows: report.counter("rows", "records"),
        checksum: arguments.checksum.then_some(counts.checksum),
    })
}

fn job(query: u8, source: Values<Event>, way: &Way<'_>) -> Job {
    let job = Job::new(format!("nexmark-q{query}"));
    let disorder = Duration::from_millis(DISORDER.unsigned_abs());
    let events =
        job.source("events", source).event_time(disorder, |event| Timestamp(event.date_time()));
    let bids = queries::bids(events);
    match query {
        0 => way.take(queries::pass_through(bids)),
        1 => way.take(queries::currency(bids)),
        2 => way.take(queries::selection(bids)),
        5 => way.take(queries::hot_items(bids)),
        7 => way.take(queries::highest_bid(bids)),
        11 => way.take(queries::sessions(bids)),
        12 => way.take_with(queries::by_the_clock(bids), tally::of_count),
        // Rows that are replaced are shown once, at the end: then both ways show the same ones.
        15 => way.take(queries::days(bids, Emit::Final)),
        16 => way.take(queries::channels(bids, Emit::Final)),
        _ => way.take(queries::auctions(bids, Emit::Final)),
    }
    job
}
