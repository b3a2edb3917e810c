//! Dead letters: input that was not a record, kept exactly as it came, with place and reason.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::source::BadRecord;
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_core::{Result, disk::Disk};
use steadfast_disk::SystemDisk;

use super::folder::FolderTarget;
use super::staged::StagedLines;

/// Writes dead letters as JSON Lines into a folder, in parts such as `dead-0000000042.jsonl`: one
/// for each checkpoint that has any.
///
/// A line has `place`, `offset`, `line` (where it is known), `reason`, and the input itself: as
/// `raw` if it is UTF-8, else as `raw_hex`. Of a line that was too long it holds the beginning only.
///
/// ```
/// use steadfast_files::DeadLetterSink;
/// let sink = DeadLetterSink::new("dead-letters");
/// ```
pub struct DeadLetterSink {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
}

impl DeadLetterSink {
    /// Writes into `folder`, which is created if it is not there when the job starts.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::on_disk(Arc::new(SystemDisk), folder)
    }

    /// Writes to another disk, such as a simulated one.
    pub fn on_disk(disk: Arc<dyn Disk>, folder: impl Into<PathBuf>) -> Self {
        DeadLetterSink { folder: folder.into(), disk }
    }
}

#[derive(Serialize)]
struct DeadLetter<'a> {
    place: &'a str,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_hex: Option<String>,
}

impl<'a> From<&'a BadRecord> for DeadLetter<'a> {
    fn from(bad: &'a BadRecord) -> Self {
        let raw = std::str::from_utf8(&bad.raw).ok();
        let hex = || bad.raw.iter().map(|byte| format!("{byte:02x}")).collect();
        let raw_hex = raw.is_none().then(hex);
        let BadRecord { place, offset, line, reason, .. } = bad;
        DeadLetter { place, offset: *offset, line: *line, reason, raw, raw_hex }
    }
}

impl Sink for DeadLetterSink {
    type Item = BadRecord;
    type Writer = DeadLetterWriter;

    fn writer(&self) -> Result<DeadLetterWriter> {
        Ok(DeadLetterWriter { staged: StagedLines::default() })
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        let disk = Arc::clone(&self.disk);
        Ok(Box::new(FolderTarget::new(disk, &self.folder, identity, "dead")))
    }

    fn describe(&self) -> String {
        format!("dead letters in {}", self.folder.display())
    }
}

/// Stages dead letters.
pub struct DeadLetterWriter {
    staged: StagedLines,
}

impl SinkWriter for DeadLetterWriter {
    type Item = BadRecord;

    fn write(&mut self, items: &mut Vec<BadRecord>) -> Result<()> {
        items.drain(..).try_for_each(|bad| self.staged.push(&DeadLetter::from(&bad)))
    }

    fn staged_bytes(&self) -> usize {
        self.staged.bytes()
    }

    fn take_staged(&mut self) -> Vec<u8> {
        self.staged.take()
    }
}
