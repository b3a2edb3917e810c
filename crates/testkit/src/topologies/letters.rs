//! Dead letters as rows of a table: the number of the event that was no record.

use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::source::BadRecord;
use steadfast_core::target::{Target, TargetIdentity};

use crate::input_files::{InputFiles, Rejected};
use crate::observer::Observer;
use crate::table::{LineWriter, TableSink};

/// A sink for dead letters.
pub(super) struct LetterSink {
    pub(super) rows: TableSink<u64>,
    pub(super) files: Option<ReadFiles>,
}

/// The files that a process reads, where it reads any: what is no record has a place in them.
pub(super) type ReadFiles = (Arc<InputFiles>, Observer, u16);

/// Its writer.
pub(super) struct LetterWriter(LineWriter<u64>, Option<ReadFiles>);

impl Sink for LetterSink {
    type Item = BadRecord;
    type Writer = LetterWriter;

    fn writer(&self) -> Result<LetterWriter> {
        Ok(LetterWriter(self.rows.writer()?, self.files.clone()))
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        self.rows.target(identity)
    }

    fn describe(&self) -> String {
        self.rows.describe()
    }
}

impl SinkWriter for LetterWriter {
    type Item = BadRecord;

    fn write(&mut self, items: &mut Vec<BadRecord>) -> Result<()> {
        if let Some((files, observer, process)) = &self.1 {
            items.retain_mut(|bad| {
                let place = (&*bad.place, bad.offset);
                match files.rejected(place, bad.line, &bad.raw) {
                    Some(Rejected::Event(seq)) => {
                        observer.reads(*process, 0, seq as usize);
                        bad.offset = seq;
                        true
                    }
                    Some(Rejected::Rest) => {
                        observer.count("input: the rest of what was half there is rejected");
                        false
                    }
                    None => {
                        let what = format!("rejected, and nothing there is to be: {bad:?}");
                        observer.violation(what);
                        false
                    }
                }
            });
        }
        self.0.write(&mut items.drain(..).map(|bad| bad.offset).collect())
    }

    fn staged_bytes(&self) -> usize {
        self.0.staged_bytes()
    }

    fn take_staged(&mut self) -> Vec<u8> {
        self.0.take_staged()
    }
}
