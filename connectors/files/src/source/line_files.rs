//! Files of lines: one record in each line, in a format that knows nothing of files.

use std::path::PathBuf;
use std::sync::Arc;
use std::task::Waker;

use steadfast_core::Result;
use steadfast_core::disk::Disk;
use steadfast_core::source::{
    FinishedSplit, Planned, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader,
};
use steadfast_core::time::Timestamp;

use super::cursor::Cursor;
use super::files::Files;
use super::finished_file::FinishedFile;
use super::line_format::{Block, LineFormat};
use super::lines::{Lines, Next};
use super::read_buffer::{KEPT_BYTES, ReadBuffer};
use super::split::{FileSplit, Planner, Replaced};

const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// Reads files of lines, each of which is a record in the format `F`.
///
/// Files that end in `.gz` or `.zst` are decompressed; those are read by one task each, and
/// resuming in the middle of one decompresses it from its beginning, because the format has no
/// positions. Plain files are divided into byte ranges that are read in parallel. A path that is
/// given twice is read once.
///
/// Blank lines that are no record are passed over. A last line without a line end is a record if it parses,
/// and bad input otherwise; if it is completed later, the rest of it is bad input too. Nothing is dropped
/// silently.
pub struct LineFiles<F> {
    files: Files,
    split_bytes: Option<u64>,
    longest_line: usize,
    replaced: Replaced,
    format: Arc<F>,
}

impl<F: LineFormat> LineFiles<F> {
    /// Reads `paths` in this format. Relative ones are taken from the working folder of now.
    pub fn in_format<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>, format: F) -> Self {
        let (split_bytes, longest_line) = (None, LONGEST_LINE);
        let (files, replaced, format) = (Files::new(paths), Replaced::Refuse, Arc::new(format));
        LineFiles { files, split_bytes, longest_line, replaced, format }
    }

    /// Reads from another disk, such as a simulated one.
    #[must_use]
    pub fn on_disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.files.disk = disk;
        self
    }

    /// Divides plain files into parts of this size instead of choosing one.
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

impl<F: LineFormat> Source for LineFiles<F> {
    type Item = F::Record;
    type Split = FileSplit;
    type Reader = LineReader<F>;

    fn plan(&self, resumed: Resumed<FileSplit>, readers: usize) -> Result<Planned<FileSplit>> {
        let (files, split_bytes, replaced) = (&self.files, self.split_bytes, self.replaced);
        Planner { files, readers, split_bytes, divides: true, replaced }.plan(resumed)
    }

    fn open(&self, split: FileSplit, _waker: &Waker) -> Result<LineReader<F>> {
        let mut cursor = Cursor::new(split, &self.files);
        let lines = lines_of(&mut cursor, self.longest_line)?;
        let format = Arc::clone(&self.format);
        Ok(LineReader { cursor, lines, longest: self.longest_line, format })
    }

    fn remember(&self, finished: &FileSplit) -> Option<FinishedSplit> {
        FinishedFile::of(finished).map(|file| file.encode())
    }

    fn total(&self) -> Option<u64> {
        Some(self.files.total_bytes())
    }

    fn describe(&self) -> String {
        self.files.describe()
    }
}

/// The lines of a split from its position on.
fn lines_of(cursor: &mut Cursor, longest: usize) -> Result<Lines> {
    // A part that begins anywhere but at the start of the file owns the lines that begin in it;
    // what comes before the first line end belongs to the part before. The byte before the part
    // tells whether a line begins right at its start. The rest of a line that was read half belongs
    // to no part before, so it is not passed over here.
    let FileSplit { start, next, end, continues_half_line, .. } = cursor.split;
    let looks_back = start > 0 && next == start && !continues_half_line;
    let mut buffer = ReadBuffer::new(cursor.open()?, usize::from(looks_back), end);
    if looks_back {
        buffer.skip_line().map_err(|error| cursor.place.broken(next, error))?;
    }
    Ok(Lines::new(buffer, longest))
}

/// Reads one split of a file of lines, on the worker that asks.
pub struct LineReader<F> {
    cursor: Cursor,
    lines: Lines,
    longest: usize,
    format: Arc<F>,
}

impl<F: LineFormat> LineReader<F> {
    /// Hands over up to `limit` lines of the block of `length` bytes that comes next. Returns how
    /// many there were.
    #[inline]
    fn block(
        &mut self,
        length: usize,
        limit: usize,
        output: &mut impl SourceOutput<F::Record>,
    ) -> Result<usize> {
        let offset = self.lines.position();
        let bytes = self.lines.bytes(length);
        let block = Block::new(bytes);
        // Lines that begin behind the end belong to the next split.
        let until = self.cursor.split.end.map_or(u64::MAX, |end| end.saturating_sub(offset));
        let (mut begin, mut lines) = (0, 0);
        for end in memchr::memchr_iter(b'\n', bytes) {
            if lines == limit || begin as u64 >= until {
                break;
            }
            if end - begin > self.longest {
                self.too_long(&bytes[begin..end], offset + begin as u64, output)?;
            } else {
                match self.format.parse(block.line(begin..end)) {
                    Ok(record) => output.push(record)?,
                    Err(reason) => {
                        self.bad(&bytes[begin..end], offset + begin as u64, reason, output)?;
                    }
                }
            }
            begin = end + 1;
            lines += 1;
        }
        self.lines.pass(begin);
        Ok(lines)
    }

    /// Hands over the last line, which has no line end.
    #[cold]
    fn last(&mut self, length: usize, output: &mut impl SourceOutput<F::Record>) -> Result<()> {
        let line = self.lines.bytes(length);
        match self.format.parse(Block::new(line).line(0..length)) {
            Ok(record) => output.push(record)?,
            Err(reason) => {
                let remark = "(the last line, without a line end: perhaps only half of one)";
                self.bad(line, self.lines.position(), format!("{reason} {remark}"), output)?;
            }
        }
        self.lines.pass(length);
        self.cursor.has_read(false);
        Ok(())
    }

    #[cold]
    fn bad(
        &self,
        line: &[u8],
        offset: u64,
        reason: String,
        output: &mut impl SourceOutput<F::Record>,
    ) -> Result<()> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        output.reject(self.cursor.place.bad(line, offset, reason))
    }

    #[cold]
    fn too_long(
        &self,
        line: &[u8],
        offset: u64,
        output: &mut impl SourceOutput<F::Record>,
    ) -> Result<()> {
        let kept = &line[..line.len().min(KEPT_BYTES)];
        let reason =
            format!("the line is longer than {} bytes; its beginning is kept", self.longest);
        output.reject(self.cursor.place.bad(kept, offset, reason))
    }

    /// Rejects what comes first if it is the rest of a line that was read half.
    #[cold]
    fn rest(&mut self, output: &mut impl SourceOutput<F::Record>) -> Result<()> {
        let offset = self.lines.position();
        let rest = self.lines.skip_line();
        let (rest, ended) = rest.map_err(|error| self.cursor.place.broken(offset, error))?;
        self.cursor.reject_rest(&rest, offset, ended, output)
    }

    fn read(
        &mut self,
        limit: PollLimit,
        output: &mut impl SourceOutput<F::Record>,
    ) -> Result<Polled> {
        if self.cursor.split.continues_half_line {
            self.rest(output)?;
        }
        let (mut left, began) = (limit.records, self.lines.position());
        loop {
            let position = self.lines.position();
            if self.cursor.is_behind_end(position) {
                return Ok(Polled::End);
            }
            if left == 0 || position - began >= limit.bytes as u64 {
                return Ok(Polled::More);
            }
            let next = self.lines.next().map_err(|e| self.cursor.place.broken(position, e))?;
            match next {
                Next::Lines(length) => left -= self.block(length, left, output)?,
                Next::Last(length) => {
                    self.last(length, output)?;
                    left -= 1;
                }
                Next::TooLong(kept, ended) => {
                    self.too_long(&kept, position, output)?;
                    self.cursor.has_read(ended);
                    left -= 1;
                }
                Next::End => {
                    self.cursor.end(position)?;
                    return Ok(Polled::End);
                }
            }
        }
    }
}

impl<F: LineFormat> SplitReader for LineReader<F> {
    type Item = F::Record;
    type Split = FileSplit;

    fn poll(
        &mut self,
        limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<F::Record>,
    ) -> Result<Polled> {
        let began = self.lines.position();
        let polled = self.read(limit, output)?;
        output.weigh((self.lines.position() - began) as usize);
        output.advance(self.cursor.advance(self.lines.position(), self.lines.taken()));
        Ok(polled)
    }

    fn split(&self) -> FileSplit {
        let buffer = self.lines.buffer();
        self.cursor.split(buffer.passed(), buffer.head())
    }
}
