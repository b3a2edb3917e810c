//! Reading one split of a file of lines.
//!
//! It knows nothing of how files are divided or found.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use steadfast_core::Result;
use steadfast_core::format::{Decoder, Payload};
use steadfast_core::source::{PollLimit, Polled, SourceOutput, SplitReader};
use steadfast_core::time::Timestamp;

use super::block::Block;
use super::cursor::Cursor;
use super::files::{Files, Present};
use super::follow::{AtEnd, Tail};
use super::lines::{Lines, Next};
use super::read_buffer::{KEPT_BYTES, ReadBuffer};
use super::split::FileSplit;

/// The lines of a split from its position on.
fn lines_of(cursor: &mut Cursor, longest: usize) -> Result<Lines> {
    // A part that begins anywhere but at the start of the file owns the lines that begin in it;
    // what comes before the first line end belongs to the part before. The byte before the part
    // tells whether a line begins right at its start. The rest of a line that was read half belongs
    // to no part before, so it is not passed over here.
    let FileSplit { start, next, end, continues_half_line, .. } = cursor.split;
    let looks_back = start > 0 && next == start && !continues_half_line;
    let mut buffer = ReadBuffer::new(cursor.open()?, usize::from(looks_back), end);
    if cursor.grows() {
        buffer = buffer.growing();
    }
    if looks_back {
        buffer.skip_line().map_err(|error| cursor.place.broken(next, error))?;
    }
    Ok(Lines::new(buffer, longest))
}

/// How long it takes before a compressed file that was not complete, or has changed, is opened again, in
/// milliseconds.
const OPENED_AGAIN_MS: i64 = 1_000;

/// Reads one split of a file of lines, on the worker that asks.
pub struct LineReader<D> {
    cursor: Cursor,
    lines: Lines,
    longest: usize,
    decoder: D,
    /// Of a file that goes on growing.
    growing: Option<Growing>,
}

/// What a reader of a file that goes on growing has beside.
struct Growing {
    tail: Tail,
    files: Arc<Files>,
    /// Whether it was compressed while it was read.
    is_incomplete: bool,
    /// Whether something has happened to a compressed file since it was opened.
    has_changed: bool,
}

impl<D: Decoder> LineReader<D> {
    pub(super) fn open(mut cursor: Cursor, longest: usize, decoder: D) -> Result<Self> {
        let lines = lines_of(&mut cursor, longest)?;
        Ok(LineReader { cursor, lines, longest, decoder, growing: None })
    }

    /// Reads a file as it grows.
    pub(super) fn follow(
        split: FileSplit,
        files: &Arc<Files>,
        mut tail: Tail,
        (longest, decoder): (usize, D),
    ) -> Result<Self> {
        let mut cursor = Cursor::of_growing(split, files);
        let lines = tail.open(&mut cursor, |cursor| lines_of(cursor, longest))?;
        let files = Arc::clone(files);
        let growing = Growing { tail, files, is_incomplete: false, has_changed: false };
        Ok(LineReader { cursor, lines, longest, decoder, growing: Some(growing) })
    }

    /// There is nothing more for now, but perhaps so many bytes of a line.
    #[cold]
    fn at_end_for_now(
        &mut self,
        half: usize,
        now: Timestamp,
        output: &mut impl SourceOutput<D::Record>,
    ) -> Result<Polled> {
        let position = self.lines.position();
        output.advance(self.cursor.advance(position, self.lines.taken()));
        let mut split = self.split();
        let status = self.lines.buffer().status();
        let status = status.map_err(|error| self.cursor.place.broken(position, error))?;
        let Some(growing) = &mut self.growing else { return Ok(Polled::End) };
        let is_incomplete = growing.is_incomplete;
        // To open it again means to decompress it from its beginning.
        let later = Timestamp(now.0.saturating_add(OPENED_AGAIN_MS));
        if !self.cursor.is_plain() && !is_incomplete && self.cursor.place.has_changed(&status) {
            growing.has_changed = true;
            return Ok(Polled::Idle(Some(later)));
        }
        let at_end = growing.tail.at_end(now, (&status, half > 0 || is_incomplete), &mut split);
        if split.path != self.cursor.split.path {
            self.cursor.goes_on_in(&split.path, &growing.files);
        }
        if let AtEnd::Wait(until) = at_end {
            self.lines.look_again();
            return Ok(Polled::Idle(Some(if is_incomplete { until.max(later) } else { until })));
        }
        if is_incomplete {
            let error = ErrorKind::UnexpectedEof.into();
            return Err(self.cursor.place.broken(position, error));
        }
        if half > 0 {
            self.last(half, output)?;
        }
        self.cursor.advance(self.lines.position(), 0);
        self.cursor.end(self.lines.position())?;
        self.cursor.split.identity.note(&status);
        let split = self.split();
        if let Some(growing) = &self.growing {
            growing.tail.finished(&split);
        }
        Ok(Polled::End)
    }

    /// The file holds something else than what was read: goes on in its copy. False if what was not yet read is
    /// lost, and that is fine.
    #[cold]
    fn go_on_in_copy(&mut self) -> Result<bool> {
        let (position, longest) = (self.lines.position(), self.longest);
        self.cursor.advance(position, 0);
        let split = self.split();
        let Some(growing) = &mut self.growing else { return Ok(false) };
        if position == 0 {
            // Nothing was handed over yet: the copy is another file, and this one begins again.
            self.lines = growing.tail.open(&mut self.cursor, |cursor| lines_of(cursor, longest))?;
            return Ok(true);
        }
        let Some(copy) = growing.tail.find_copy(&split)? else {
            if growing.tail.accepts_loss() {
                self.cursor.end(position)?;
                growing.tail.lost();
                return Ok(false);
            }
            return Err(self.cursor.place.truncated(position));
        };
        self.go_on_in(split, &copy)?;
        Ok(true)
    }

    /// All that is there was read, but for half a line of so many bytes. If another file has taken its place, goes on
    /// in that.
    #[cold]
    fn has_gone_on_elsewhere(
        &mut self,
        half: usize,
        output: &mut impl SourceOutput<D::Record>,
    ) -> Result<bool> {
        let position = self.lines.position();
        let may_have = |growing: &Growing| growing.tail.may_have_successor(position);
        if !self.growing.as_ref().is_some_and(may_have) {
            return Ok(false);
        }
        output.advance(self.cursor.advance(position, self.lines.taken()));
        let split = self.split();
        let Some(growing) = &self.growing else { return Ok(false) };
        // It may not hold what was read since: then it is a file of its own.
        let Some(other) = growing.tail.find_successor(&split, self.lines.bytes(half))? else {
            return Ok(false);
        };
        self.go_on_in(split, &other)?;
        Ok(true)
    }

    /// Goes on in another file that holds what was read, up to where `split` is.
    fn go_on_in(&mut self, split: FileSplit, other: &Present) -> Result<()> {
        let longest = self.longest;
        let Some(growing) = &mut self.growing else { return Ok(()) };
        self.cursor.split = split;
        self.cursor.split.identity.note(&other.status);
        self.cursor.goes_on_in(&other.path, &growing.files);
        self.lines = growing.tail.open(&mut self.cursor, |cursor| lines_of(cursor, longest))?;
        Ok(())
    }

    /// Opens a compressed file again, of which there may be more.
    #[cold]
    fn open_again(&mut self) -> Result<()> {
        let longest = self.longest;
        self.cursor.split = self.split();
        let Some(growing) = &mut self.growing else { return Ok(()) };
        (growing.is_incomplete, growing.has_changed) = (false, false);
        self.lines = growing.tail.open(&mut self.cursor, |cursor| lines_of(cursor, longest))?;
        Ok(())
    }

    /// Hands over up to `limit` lines of the block of `length` bytes that comes next. Returns how
    /// many there were.
    #[inline]
    fn block(
        &mut self,
        length: usize,
        limit: usize,
        output: &mut impl SourceOutput<D::Record>,
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
                match self.decoder.decode(block.payload(begin..end)) {
                    Ok(record) => output.push(record)?,
                    Err(error) => {
                        let reason = error.to_string();
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
    fn last(&mut self, length: usize, output: &mut impl SourceOutput<D::Record>) -> Result<()> {
        let line = self.lines.bytes(length);
        match self.decoder.decode(Payload::Bytes(line)) {
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
        output: &mut impl SourceOutput<D::Record>,
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
        output: &mut impl SourceOutput<D::Record>,
    ) -> Result<()> {
        let kept = &line[..line.len().min(KEPT_BYTES)];
        let reason =
            format!("the line is longer than {} bytes; its beginning is kept", self.longest);
        output.reject(self.cursor.place.bad(kept, offset, reason))
    }

    /// Whether a compressed file that grows is not complete yet.
    #[cold]
    fn is_still_written(&mut self, error: &io::Error) -> bool {
        let is_cut_off = error.kind() == ErrorKind::UnexpectedEof && !self.cursor.is_plain();
        match &mut self.growing {
            Some(growing) if is_cut_off => {
                growing.is_incomplete = true;
                true
            }
            _ => false,
        }
    }

    /// Rejects what comes next if it is the rest of a line that was read half.
    #[inline]
    fn reject_rest(&mut self, output: &mut impl SourceOutput<D::Record>) -> Result<()> {
        if self.cursor.split.continues_half_line { self.rest(output) } else { Ok(()) }
    }

    #[cold]
    fn rest(&mut self, output: &mut impl SourceOutput<D::Record>) -> Result<()> {
        let offset = self.lines.position();
        let rest = self.lines.skip_line();
        let (rest, ended) = rest.map_err(|error| self.cursor.place.broken(offset, error))?;
        self.cursor.reject_rest(&rest, offset, ended, output)
    }

    fn read(
        &mut self,
        limit: PollLimit,
        now: Timestamp,
        output: &mut impl SourceOutput<D::Record>,
    ) -> Result<Polled> {
        let opens_again = |growing: &Growing| growing.is_incomplete || growing.has_changed;
        if self.growing.as_ref().is_some_and(opens_again) {
            self.open_again()?;
        }
        self.reject_rest(output)?;
        let (mut left, began) = (limit.records, self.lines.position());
        loop {
            let position = self.lines.position();
            if self.cursor.is_behind_end(position) {
                return Ok(Polled::End);
            }
            if left == 0 || position - began >= limit.bytes as u64 {
                return Ok(Polled::More);
            }
            let next = match self.lines.next() {
                Err(error) if self.is_still_written(&error) => {
                    return self.at_end_for_now(0, now, output);
                }
                next => next.map_err(|e| self.cursor.place.broken(position, e))?,
            };
            match next {
                Next::Lines(length) => {
                    left -= self.block(length, left, output)?;
                }
                // It is only looked at.
                Next::Last(_) | Next::End | Next::Changed
                    if self.cursor.grows() && self.growing.is_none() =>
                {
                    return Ok(Polled::Idle(None));
                }
                Next::Last(_) | Next::End if self.growing.is_some() => {
                    let half = if let Next::Last(length) = next { length } else { 0 };
                    if !self.has_gone_on_elsewhere(half, output)? {
                        return self.at_end_for_now(half, now, output);
                    }
                    self.reject_rest(output)?;
                }
                Next::Changed => {
                    if !self.go_on_in_copy()? {
                        return Ok(Polled::End);
                    }
                    self.reject_rest(output)?;
                }
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

impl<D: Decoder> SplitReader for LineReader<D> {
    type Item = D::Record;
    type Split = FileSplit;

    fn poll(
        &mut self,
        limit: PollLimit,
        now: Timestamp,
        output: &mut impl SourceOutput<D::Record>,
    ) -> Result<Polled> {
        let began = self.lines.position();
        let polled = self.read(limit, now, output)?;
        output.weigh(self.lines.position().saturating_sub(began) as usize);
        output.advance(self.cursor.advance(self.lines.position(), self.lines.taken()));
        if self.lines.position() > began && polled != Polled::End {
            let split = self.split();
            if let Some(growing) = &mut self.growing {
                growing.tail.has_read(&split);
            }
        }
        Ok(polled)
    }

    fn split(&self) -> FileSplit {
        let buffer = self.lines.buffer();
        self.cursor.split((self.lines.position(), buffer.passed()), buffer.head())
    }
}
