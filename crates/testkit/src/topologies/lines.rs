//! A first source that reads files with the real connector, and writes down who reads what.

use std::sync::Arc;

use steadfast::{Job, Shared};
use steadfast_files::{Csv, JsonLines};

use crate::input::{Event, Topology};
use crate::input_files::{InputFiles, NotedEvent};
use crate::observer::Observer;
use crate::table::WriteMode;

use super::Environment;
use super::letters::LetterSink;

/// The events of the first source, as one process reads them.
pub(super) fn source(
    topology: Topology,
    job: &Job,
    files: &Arc<InputFiles>,
    around: &Environment,
) -> Shared<Event> {
    let letters = LetterSink {
        rows: around.sink(WriteMode::Append),
        files: Some((Arc::clone(files), around.observer.clone(), around.process)),
    };
    let disk = Arc::clone(&around.disk);
    let notes = notes(around.observer.clone(), around.process);
    if topology == Topology::Rows {
        let rows = Csv::<NotedEvent>::new(files.paths()).on_disk(disk);
        let rows = job.source("first", rows).dead_letters("letters", letters);
        return rows.map(NotedEvent::event).map(notes).shared();
    }
    let size = [90, 300, 2000, 1 << 20][usize::from(around.process) % 4];
    let size = size.max(files.largest() / 20) as u64;
    let lines = JsonLines::<Event>::new(files.paths()).on_disk(disk).split_bytes(size);
    job.source("first", lines).dead_letters("letters", letters).map(notes).shared()
}

fn notes(observer: Observer, process: u16) -> impl Fn(Event) -> Event + Clone + Send + Sync {
    move |event| {
        observer.reads(process, 0, event.seq as usize);
        event
    }
}
