//! Dead letters: input that was not a record, kept exactly as it came, with place and reason; and records that
//! an operator has refused.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use steadfast_core::rejected::Rejected;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::source::BadRecord;
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_core::{Result, disk::Disk};
use steadfast_disk::SystemDisk;

use super::folder::{FolderTarget, place_of};
use super::staged::StagedLines;

/// Writes dead letters as JSON Lines into a folder, in parts such as `dead-0000000042.jsonl`: one
/// for each checkpoint that has any.
///
/// A line has `place`, `offset`, `line` (where it is known), `reason`, and the input itself: as
/// `raw` if it is UTF-8, else as `raw_hex`. Of a line that was too long it holds the beginning only. Of a record that
/// an operator has refused, a [`Rejected`], a line has `operator`, `reason` and `record`.
///
/// ```
/// use steadfast_files::DeadLetterSink;
/// let sink: DeadLetterSink = DeadLetterSink::new("dead-letters");
/// ```
pub struct DeadLetterSink<L = BadRecord> {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    letters: PhantomData<fn(L)>,
}

impl<L> DeadLetterSink<L> {
    /// Writes into `folder`, which is created if it is not there when the job starts.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::on_disk(Arc::new(SystemDisk), folder)
    }

    /// Writes to another disk, such as a simulated one.
    pub fn on_disk(disk: Arc<dyn Disk>, folder: impl Into<PathBuf>) -> Self {
        DeadLetterSink { folder: folder.into(), disk, letters: PhantomData }
    }
}

/// What a [`DeadLetterSink`] takes.
pub trait DeadLetter: Send + 'static {
    /// Its form in JSON.
    type Line<'a>: Serialize + From<&'a Self>
    where
        Self: 'a;
}

impl DeadLetter for BadRecord {
    type Line<'a> = BadRecordLine<'a>;
}

impl<T: Serialize + Send + 'static> DeadLetter for Rejected<T> {
    type Line<'a> = RejectedLine<'a, T>;
}

/// The form in JSON of what a function has refused.
#[derive(Serialize)]
pub struct RejectedLine<'a, T> {
    operator: &'a str,
    reason: &'a str,
    record: &'a T,
}

impl<'a, T> From<&'a Rejected<T>> for RejectedLine<'a, T> {
    fn from(rejected: &'a Rejected<T>) -> Self {
        let Rejected { record, operator, reason } = rejected;
        RejectedLine { operator, reason, record }
    }
}

/// The form in JSON of input that is no record.
#[derive(Serialize)]
pub struct BadRecordLine<'a> {
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

impl<'a> From<&'a BadRecord> for BadRecordLine<'a> {
    fn from(bad: &'a BadRecord) -> Self {
        let raw = std::str::from_utf8(&bad.raw).ok();
        let hex = || bad.raw.iter().map(|byte| format!("{byte:02x}")).collect();
        let raw_hex = raw.is_none().then(hex);
        let BadRecord { place, offset, line, reason, .. } = bad;
        BadRecordLine { place, offset: *offset, line: *line, reason, raw, raw_hex }
    }
}

impl<L: DeadLetter> Sink for DeadLetterSink<L> {
    type Item = L;
    type Writer = DeadLetterWriter<L>;

    fn writer(&self) -> Result<DeadLetterWriter<L>> {
        Ok(DeadLetterWriter { staged: StagedLines::default(), letters: PhantomData })
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        let disk = Arc::clone(&self.disk);
        Ok(Box::new(FolderTarget::new(disk, &self.folder, identity, "dead")))
    }

    fn describe(&self) -> String {
        format!("dead letters in {}", self.folder.display())
    }

    fn own_place(&self) -> Option<String> {
        Some(place_of(&self.folder))
    }
}

/// Stages dead letters.
pub struct DeadLetterWriter<L> {
    staged: StagedLines,
    letters: PhantomData<fn(L)>,
}

impl<L: DeadLetter> SinkWriter for DeadLetterWriter<L> {
    type Item = L;

    fn write(&mut self, items: &mut Vec<L>) -> Result<()> {
        items.drain(..).try_for_each(|letter| self.staged.push_letter(&L::Line::from(&letter)))
    }

    fn staged_bytes(&self) -> usize {
        self.staged.bytes()
    }

    fn take_staged(&mut self) -> Vec<u8> {
        self.staged.take()
    }
}
