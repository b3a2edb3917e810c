//! A sink that writes records as JSON Lines into a folder.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use steadfast_core::Result;
use steadfast_core::disk::Disk;
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_disk::SystemDisk;

use super::folder::{FolderTarget, place_of};
use super::staged::StagedLines;

/// Writes records as JSON Lines into a folder: a part for each checkpoint that has output, such as
/// `part-0000000042.jsonl`. A part appears whole, when its checkpoint has been committed, and never
/// changes. Read together in the order of their names, the parts hold every record once; their
/// numbers ascend, and some are skipped. The folder `.steadfast` beside them says who may write.
///
/// ```
/// use steadfast_files::JsonLinesSink;
/// let sink = JsonLinesSink::<(String, u64)>::new("counts");
/// ```
pub struct JsonLinesSink<T> {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    records: PhantomData<fn(T)>,
}

impl<T> JsonLinesSink<T> {
    /// Writes into `folder`, which is created if it is not there when the job starts.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::on_disk(Arc::new(SystemDisk), folder)
    }

    /// Writes to another disk, such as a simulated one.
    pub fn on_disk(disk: Arc<dyn Disk>, folder: impl Into<PathBuf>) -> Self {
        JsonLinesSink { folder: folder.into(), disk, records: PhantomData }
    }
}

impl<T: Serialize + Send + 'static> Sink for JsonLinesSink<T> {
    type Item = T;
    type Writer = JsonLinesWriter<T>;

    fn writer(&self) -> Result<JsonLinesWriter<T>> {
        Ok(JsonLinesWriter::new())
    }

    fn target(&self, identity: &TargetIdentity) -> Result<Box<dyn Target>> {
        let disk = Arc::clone(&self.disk);
        Ok(Box::new(FolderTarget::new(disk, &self.folder, identity, "part")))
    }

    fn describe(&self) -> String {
        format!("JSON Lines in {}", self.folder.display())
    }

    fn own_place(&self) -> Option<String> {
        Some(place_of(&self.folder))
    }
}

/// Stages records as JSON Lines.
pub struct JsonLinesWriter<T> {
    staged: StagedLines,
    records: PhantomData<fn(T)>,
}

impl<T> JsonLinesWriter<T> {
    pub(super) fn new() -> Self {
        JsonLinesWriter { staged: StagedLines::default(), records: PhantomData }
    }
}

impl<T: Serialize> SinkWriter for JsonLinesWriter<T> {
    type Item = T;

    fn write(&mut self, items: &mut Vec<T>) -> Result<()> {
        items.drain(..).try_for_each(|item| self.staged.push(&item))
    }

    fn staged_bytes(&self) -> usize {
        self.staged.bytes()
    }

    fn take_staged(&mut self) -> Vec<u8> {
        self.staged.take()
    }
}
