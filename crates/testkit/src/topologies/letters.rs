//! Dead letters as rows of a table: the number of the event that was no record.

use steadfast_core::Result;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::source::BadRecord;
use steadfast_core::target::{Target, TargetIdentity};

use crate::table::{LineWriter, TableSink};

/// A sink for dead letters.
pub(super) struct LetterSink(pub(super) TableSink<u64>);

/// Its writer.
pub(super) struct LetterWriter(LineWriter<u64>);

impl Sink for LetterSink {
    type Item = BadRecord;
    type Writer = LetterWriter;

    fn writer(&self) -> Result<LetterWriter> {
        self.0.writer().map(LetterWriter)
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        self.0.target(identity)
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

impl SinkWriter for LetterWriter {
    type Item = BadRecord;

    fn write(&mut self, items: &mut Vec<BadRecord>) -> Result<()> {
        self.0.write(&mut items.drain(..).map(|bad| bad.offset).collect())
    }

    fn staged_bytes(&self) -> usize {
        self.0.staged_bytes()
    }

    fn take_staged(&mut self) -> Vec<u8> {
        self.0.take_staged()
    }
}
