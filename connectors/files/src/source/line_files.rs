//! Files of lines: one record in each line, in a format that knows nothing of files.

use std::path::PathBuf;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use steadfast_core::disk::Disk;
use steadfast_core::format::Decoder;
use steadfast_core::source::{FinishedSplit, Planned, Resumed, Seek, Source, SplitDiscovery};
use steadfast_core::{Cause, Error, Result};

use super::cursor::Cursor;
use super::files::Files;
use super::finished_file::FinishedFile;
use super::follow::{Finding, Following, Tail};
use super::line_reader::LineReader;
use super::planner::Planner;
use super::seek::Seeking;
use super::split::{FileSplit, Replaced};

const LONGEST_LINE: usize = 16 * 1024 * 1024;
/// So many files that grow does a task read in turns, those not counted that have nothing for now.
const FOLLOWED_AT_ONCE: usize = 16;

/// Reads files of lines, of each of which `D` makes a record.
///
/// Files that end in `.gz` or `.zst` are decompressed; those are read by one task each, and
/// resuming in the middle of one decompresses it from its beginning, because the format has no
/// positions. Plain files are divided into byte ranges that are read in parallel. A path that is
/// given twice is read once.
///
/// Blank lines that are no record are passed over. A last line without a line end is a record if it parses,
/// and bad input otherwise; if it is completed later, the rest of it is bad input too. Nothing is dropped
/// silently.
pub struct LineFiles<D> {
    files: Arc<Files>,
    split_bytes: Option<u64>,
    longest_line: usize,
    replaced: Replaced,
    following: Option<Following>,
    decoder: D,
}

impl<D: Decoder> LineFiles<D> {
    /// Reads `paths`; the payloads of `decoder` are lines without their line ends, a carriage return included.
    /// Relative paths are taken from the working folder of now.
    ///
    /// ```
    /// use steadfast_files::LineFiles;
    /// use steadfast_formats::Text;
    ///
    /// let lines = LineFiles::in_format(["access.log"], Text);
    /// ```
    pub fn in_format<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>, decoder: D) -> Self {
        let (split_bytes, longest_line) = (None, LONGEST_LINE);
        let (files, replaced, following) = (Arc::new(Files::new(paths)), Replaced::Refuse, None);
        LineFiles { files, split_bytes, longest_line, replaced, following, decoder }
    }

    /// Reads from another disk, such as a simulated one.
    #[must_use]
    pub fn on_disk(mut self, disk: Arc<dyn Disk>) -> Self {
        // Nobody has it but this, before it is read.
        if let Some(files) = Arc::get_mut(&mut self.files) {
            files.disk = disk;
        }
        self
    }

    /// Reads on as the files grow, and reads new ones as they come: the input has no end. Each file is read by
    /// one task, in its order.
    ///
    /// A line is read when its end is there. A file is read on when it is renamed, and when it is copied and
    /// truncated, if what was given matches the copy too: `logs/app.log*`. What else may happen to a file, and
    /// what is done then: `docs/files.md`.
    #[must_use]
    pub fn follow(mut self) -> Self {
        self.following = Some(Following::new());
        self
    }

    /// A followed file that has had nothing new for this long is closed: its last line is read even if it has
    /// no end, and event time does not wait for it any more. If it grows after that, it is read on. Five minutes
    /// if not set.
    #[must_use]
    pub fn finished_after(mut self, quiet: Duration) -> Self {
        self.following.get_or_insert_with(Following::new).finished_after = quiet;
        self
    }

    /// The time between two looks for new files that are followed; a second if not set. Where the system tells of
    /// changes, it is looked when something has changed, at most so often.
    #[must_use]
    pub fn look_every(mut self, time: Duration) -> Self {
        self.following.get_or_insert_with(Following::new).look_every = time;
        self
    }

    /// The time between two looks at all followed files where the system tells of changes; ten seconds if not set.
    /// It is for what no system tells: such as what is written under a name that a file has in another folder, or
    /// into its memory (`mmap`). In folders on a network, of which nobody tells everything, and on systems other
    /// than Linux it does not count: there all files are looked at each [`LineFiles::look_every`], and those that
    /// are open every 50 ms.
    ///
    /// With more than ten seconds, the watchdog may be the first to find what nobody has told, and counts it as a
    /// missed wake-up.
    #[must_use]
    pub fn scan_every(mut self, time: Duration) -> Self {
        self.following.get_or_insert_with(Following::new).scan_every = time;
        self
    }

    /// Divides plain files into parts of this many bytes, at least one, instead of choosing a size.
    #[must_use]
    pub fn split_bytes(mut self, bytes: u64) -> Self {
        self.split_bytes = Some(bytes);
        self
    }

    /// What to do with a file that is not the one that was read under its name: one that was replaced,
    /// shortened, or changed before the position up to which it was read.
    #[must_use]
    pub fn replaced_files(mut self, replaced: Replaced) -> Self {
        self.replaced = replaced;
        self
    }

    /// Lines longer than this are bad input, of which the first 64 KiB are kept; 16 MiB if not set.
    #[must_use]
    pub fn longest_line(mut self, bytes: usize) -> Self {
        self.longest_line = bytes;
        self
    }
}

impl<D: Decoder> Source for LineFiles<D> {
    type Item = D::Record;
    type Split = FileSplit;
    type Reader = LineReader<D>;

    fn plan(&self, resumed: Resumed<FileSplit>, readers: usize) -> Result<Planned<FileSplit>> {
        if self.split_bytes == Some(0) {
            let what = "files cannot be divided into parts of no bytes";
            return Err(Error::because(Cause::OPTION, what).hint("correct split_bytes(0)"));
        }
        let (files, split_bytes, replaced) = (&*self.files, self.split_bytes, self.replaced);
        let planner = Planner { files, readers, split_bytes, divides: true, replaced };
        match &self.following {
            Some(following) => planner.plan_growing(&resumed, &following.followed),
            None => planner.plan(resumed),
        }
    }

    fn open(&self, split: FileSplit, waker: &Waker) -> Result<LineReader<D>> {
        let decoder = self.decoder.clone();
        match &self.following {
            Some(following) if split.end.is_none() => {
                let tail = Tail::new(&self.files, following, self.replaced, waker);
                LineReader::follow(split, &self.files, tail, (self.longest_line, decoder))
            }
            _ => LineReader::open(Cursor::new(split, &self.files), self.longest_line, decoder),
        }
    }

    fn look(&self, split: FileSplit) -> Result<LineReader<D>> {
        let cursor = match &self.following {
            Some(_) if split.end.is_none() => Cursor::of_growing(split, &self.files),
            _ => Cursor::new(split, &self.files),
        };
        LineReader::open(cursor, self.longest_line, self.decoder.clone())
    }

    fn discovery(&self, waker: &Waker) -> Result<Option<Box<dyn SplitDiscovery<FileSplit>>>> {
        let Some(following) = &self.following else { return Ok(None) };
        Ok(Some(Box::new(Finding::new(&self.files, following, waker))))
    }

    fn at_once(&self) -> usize {
        if self.following.is_some() { FOLLOWED_AT_ONCE } else { 1 }
    }

    fn remember(&self, finished: &FileSplit) -> Option<FinishedSplit> {
        FinishedFile::of(finished).map(|file| file.encode())
    }

    fn seek(&self, resumed: Resumed<FileSplit>, seek: &Seek) -> Result<Resumed<FileSplit>> {
        Seeking { files: &self.files, are_followed: self.following.is_some() }.seek(resumed, seek)
    }

    fn total(&self) -> Option<u64> {
        self.following.is_none().then(|| self.files.total_bytes())
    }

    fn describe(&self) -> String {
        self.files.describe()
    }

    fn describe_split(&self, split: &FileSplit) -> String {
        split.to_string()
    }
}
